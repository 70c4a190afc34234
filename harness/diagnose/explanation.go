package diagnose

import "syscall"

// explain makes the paragraph that users read. hangs reports that the Go runtime of
// the architecture does not notice a failed clone.
func (r *Report) explain(hangs bool) {
	t := r.ending()
	if r.Failure != nil {
		t = r.refusal().and(sentences(r.Causes))
		if hangs && r.Failure.Want == Thread {
			t = t.and(say("The Go runtime of this architecture takes a failed clone for success: a Go program now hangs, and says nothing.",
				"该架构的 Go 运行时把失败的 clone 当作成功：Go 程序会就此挂起，没有任何提示。"))
		}
		t = t.and(r.ending())
	} else if len(r.Causes) > 0 {
		t = t.and(sentences(r.Causes))
	}
	r.Explanation = t
}

// refusal tells which call failed, and how often.
func (r *Report) refusal() Text {
	f := r.Failure
	want := map[Want]Text{
		Thread: say("a new thread", "创建新线程"), Process: say("a new process", "创建新进程"), Memory: say("memory", "分配内存"),
	}[f.Want]
	program := say("process %[1]d", "进程 %[1]d ", f.PID)
	if r.State != nil && r.State.Name != "" {
		program = say("process %[1]d (%[2]s, threads: %[3]s)", "进程 %[1]d（%[2]s，%[3]s 个线程）", f.PID, r.State.Name, r.State.Threads)
	}
	if f.Attempts == 0 {
		return Text{"%[1]s says that it was refused %[2]s with %[3]s (errno %[4]d); the call itself was not seen.",
			"%[1]s自称%[2]s失败，错误为 %[3]s（errno %[4]d）；未观察到该调用本身。"}.with(program, want, f.name(), f.Errno)
	}
	return Text{"%[1]s was refused %[2]s: %[5]s failed with %[3]s (errno %[4]d), attempts: %[6]d.",
		"%[1]s%[2]s被拒绝：%[5]s 返回 %[3]s（errno %[4]d），共尝试 %[6]d 次。"}.with(program, want, f.name(), f.Errno, f.Call, f.Attempts)
}

// sentences tells the causes, each with what introduces it.
func sentences(causes []Cause) (t Text) {
	for i, c := range causes {
		lead := Text{"It may also be this:", "也可能是："}
		switch {
		case c.Certainty == Is:
			lead = Text{"The cause:", "原因："}
		case c.Certainty == Next:
			lead = Text{"This is used up as well, and refuses next:", "以下限制也已用尽，会接着拒绝："}
		case i == 0:
			lead = Text{"The cause may be this:", "可能的原因："}
		}
		t = t.and(lead).and(c.Why)
		if c.Where != "" {
			t = Text{t.English + " [" + c.Where + "]", t.Chinese + "［" + c.Where + "］"}
		}
		t = Text{t.English + ".", t.Chinese + "。"}
	}
	return t
}

// ending says what is left to say about refusals, and what has become of the
// program.
func (r *Report) ending() Text {
	t := r.outcome()
	if r.Said != nil {
		t = t.and(Text{"The program said: " + r.Said.Line + ".", "程序输出：" + r.Said.Line + "。"})
	}
	switch p := r.Program; p.State {
	case "exited":
		return t.and(say("The program ended with exit status %[1]d.", "程序已结束，退出码 %[1]d。", p.Status))
	case "signaled":
		return t.and(say("The program was ended by signal %[1]d (%[2]v).", "程序被信号 %[1]d（%[2]v）终止。", p.Status, syscall.Signal(p.Status)))
	}
	return t.and(say("The program goes on.", "程序仍在运行。"))
}

// outcome tells the verdict. It is empty for a refusal, which the call or its causes
// tell.
func (r *Report) outcome() Text {
	switch {
	case r.Verdict == "recovered":
		return say("A later call succeeded, so the program did not notice.", "随后的调用成功，程序没有察觉。")
	case r.Verdict == "unknown":
		t := say("It is not known whether a thread was refused: the program could not be watched, and said nothing about it.",
			"无法判断创建线程是否被拒绝：程序无法被跟踪，也没有输出相关信息。")
		if len(r.Causes) == 0 {
			t = t.and(say("No limit that can be read from here is used up.", "从这里可读取的限制均未用尽。"))
		}
		return t
	case r.Failure == nil && len(r.Causes) == 0:
		return say("No thread and no process was refused.", "没有创建线程或进程的请求被拒绝。")
	}
	return Text{}
}
