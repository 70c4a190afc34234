package diagnose

import (
	"fmt"
	"syscall"
)

// explain makes the paragraph that users read. hangs reports that the Go runtime of
// the architecture does not notice a failed clone. The client is the program that has
// others start programs; nil for all others.
func (r *Report) explain(hangs bool, c *client) {
	r.partly = blind(r.Gaps) || c != nil
	var t Text
	switch {
	case r.Failure != nil:
		t = r.refusal().and(r.sentences())
		if hangs && r.Failure.Want == Thread {
			t = t.and(say("The Go runtime of this architecture takes a failed clone for success: a Go program now hangs, and says nothing.",
				"该架构的 Go 运行时把失败的 clone 当作成功：Go 程序会就此挂起，没有任何提示。"))
		}
	case r.Death != nil:
		t = r.Death.sentence().and(r.sentences())
	case len(r.Causes) > 0 && r.Verdict != "unknown":
		t = r.sentences()
	}
	t = t.and(r.ending())
	if len(r.Causes) > 0 && r.Verdict == "unknown" {
		t = r.sentences().and(t)
	}
	r.Explanation = t.and(r.rest()).and(r.gaps()).and(c.sentence(*r))
}

// program names a process.
func program(pid int, name string) Text {
	if name == "" {
		return say("process %[1]d", "进程 %[1]d ", pid)
	}
	return say("process %[1]d (%[2]s)", "进程 %[1]d（%[2]s）", pid, name)
}

// what says what a call was for.
func (f Failure) what() Text {
	switch f.Want {
	case Thread:
		return say("a new thread", "创建新线程")
	case Process:
		return say("a new process", "创建新进程")
	case Task:
		return say("a new thread or child", "创建新线程或子进程")
	case Memory:
		return say("memory", "分配内存")
	case Execution:
		if f.Path == "" {
			return say("the execution of a program", "执行程序")
		}
		return say("the execution of %[1]s", "执行 %[1]s ", f.Path)
	case Namespace:
		return say("a namespace", "使用命名空间")
	}
	return say("another user", "切换用户")
}

// call names the call, with an ABI that is not the machine's.
func (f Failure) call() string {
	if f.ABI != "" {
		return fmt.Sprintf("%s (%s)", f.Call, f.ABI)
	}
	return f.Call
}

// refusal tells which call failed, and how often.
func (r *Report) refusal() Text {
	f := r.Failure
	who := program(f.PID, f.Program)
	if r.State != nil && r.State.Name != "" && r.State.PID == f.PID {
		who = say("process %[1]d (%[2]s, threads: %[3]s)", "进程 %[1]d（%[2]s，%[3]s 个线程）", f.PID, r.State.Name, r.State.Threads)
	}
	if f.Attempts == 0 {
		return Text{"%[1]s says that it was refused %[2]s with %[3]s (errno %[4]d); the call itself was not seen.",
			"%[1]s自称%[2]s失败，错误为 %[3]s（errno %[4]d）；未观察到该调用本身。"}.with(who, f.what(), f.name(), f.Errno)
	}
	return Text{"%[1]s was refused %[2]s: %[5]s failed with %[3]s (errno %[4]d), attempts: %[6]d.",
		"%[1]s%[2]s被拒绝：%[5]s 返回 %[3]s（errno %[4]d），共尝试 %[6]d 次。"}.with(who, f.what(), f.name(), f.Errno, f.call(), f.Attempts)
}

// sentence tells a death.
func (d *Death) sentence() Text {
	who := program(d.PID, d.Program)
	if d.Thread {
		return Text{"thread %[2]d of %[1]s was ended by signal %[3]d (%[4]v).", "%[1]s的线程 %[2]d 被信号 %[3]d（%[4]v）终止。"}.with(who, d.TID, d.Signal, syscall.Signal(d.Signal))
	}
	return Text{"%[1]s was ended by signal %[2]d (%[3]v).", "%[1]s被信号 %[2]d（%[3]v）终止。"}.with(who, d.Signal, syscall.Signal(d.Signal))
}

// sentences tells the causes, each with what introduces it.
func (r *Report) sentences() (t Text) {
	for i, c := range r.Causes {
		lead := Text{"It may also be this:", "也可能是："}
		switch {
		case c.Certainty == Is && i > 0:
			lead = Text{"This refused it:", "拒绝它的是："}
		case c.Certainty == Is:
			lead = Text{"The cause:", "原因："}
		case c.Certainty == Next && i == 0:
			lead = Text{"A limit is used up, and refuses the next thread:", "有限制已用尽，会拒绝下一个线程："}
		case c.Certainty == Next:
			lead = Text{"This is used up as well, and refuses next:", "以下限制也已用尽，会接着拒绝："}
		case i == 0:
			lead = Text{"The cause may be this:", "可能的原因："}
		}
		t = t.and(lead).and(c.Why)
		if c.Where != "" {
			t = t.and(say("[%[1]s]", "［%[1]s］", c.Where))
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
		t = t.and(say("The program said: %[1]s.", "程序输出：%[1]s。", r.Said.Line))
	}
	switch p := r.Program; p.State {
	case "unstarted":
		return t.and(say("The program was not started, because there was no room to watch it.", "没有跟踪程序所需的余地，因此没有启动它。"))
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
	case r.Suspected && r.Failure.Recovered:
		return say("A later call succeeded. The program has failed all the same, perhaps for this refusal.", "随后的调用成功，但程序仍以失败结束，可能正是因为这次拒绝。")
	case r.Suspected:
		return say("The program has failed soon after, perhaps for this refusal.", "程序随后以失败结束，可能正是因为这次拒绝。")
	case r.Verdict == "recovered" && r.Failure.Recovered:
		return say("A later call succeeded, and the program did not fail.", "随后的调用成功，程序没有因此失败。")
	case r.Verdict == "recovered":
		return say("The program did without it.", "程序没有它也继续运行。")
	case r.Verdict == "unknown" && len(r.Needs) > 0:
		t := say("It is not known whether a thread was refused: the program could not be watched, and said nothing about it.",
			"无法判断创建线程是否被拒绝：程序无法被跟踪，也没有输出相关信息。")
		if len(r.Causes) == 0 {
			t = t.and(say("No limit that can be read from here is used up.", "从这里可读取的限制均未用尽。"))
		}
		return t
	case r.Verdict == "exhausted", r.Verdict == "unknown":
		return say("Nothing was refused while it was watched.", "在跟踪期间没有请求被拒绝。")
	case r.Verdict == "fine" && r.partly:
		return say("No thread and no process was refused to what was watched.", "在被跟踪的范围内，没有创建线程或进程的请求被拒绝。")
	case r.Verdict == "fine":
		return say("No thread and no process was refused.", "没有创建线程或进程的请求被拒绝。")
	}
	return Text{}
}

// mostOthers bounds how much of what else went wrong is told. All of it is in JSON.
const mostOthers = 4

// rest lists what else went wrong.
func (r *Report) rest() (t Text) {
	for i, o := range r.Others {
		if i == mostOthers {
			return t.and(say("There were %[1]d more.", "此外还有 %[1]d 次。", len(r.Others)-i))
		}
		t = t.and(o.sentence())
	}
	return t
}

func (o Other) sentence() Text {
	if o.Death != nil {
		return say("Also:", "另外：").and(o.Death.sentence())
	}
	f := o.Failure
	t := Text{"Also: %[1]s was refused %[2]s (%[3]s, %[4]s, attempts: %[5]d)", "另外：%[1]s%[2]s被拒绝（%[3]s，%[4]s，共 %[5]d 次）"}.with(program(f.PID, f.Program), f.what(), f.call(), f.name(), f.Attempts)
	if f.Recovered {
		t = t.and(say("; a later call succeeded", "；随后的调用成功"))
	}
	return Text{t.English + ".", t.Chinese + "。"}
}
