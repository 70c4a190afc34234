package load

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mapstack/conformance/harness/language"
)

// Answer says what a target makes of an explanation.
type Answer string

// Answers.
const (
	Wrong    Answer = "wrong"
	Right    Answer = "right"
	Measured Answer = "measured"    // a question: the words have the numbers
	Open     Answer = "not decided" // the loads did not run, or their numbers allow both
)

// In says an answer in a language.
func (a Answer) In(l language.Language) string {
	switch a {
	case Wrong:
		return l.Pick("wrong here", "在此不成立")
	case Right:
		return l.Pick("right here", "在此成立")
	case Measured:
		return l.Pick("measured", "已测量")
	}
	return l.Pick("not decided", "未判定")
}

// Text is a text in both languages.
type Text struct {
	English string `json:"en" yaml:"en"`
	Chinese string `json:"zh" yaml:"zh"`
}

// In returns the text in a language.
func (t Text) In(l language.Language) string { return l.Pick(t.English, t.Chinese) }

// Explanation is what one target makes of one explanation of the article. ID is that of
// fixtures/load.yaml.
type Explanation struct {
	ID     string `json:"id"`
	Target string `json:"target"`
	Answer Answer `json:"answer"`
	Seen   Text   `json:"seen"`
	// Time says that the answer rests on how long something takes, which under emulation is
	// no statement about hardware. Counts hold there too.
	Time bool `json:"time"`
}

// decider decides an explanation on a target, if the loads that it reads were asked for.
type decider struct {
	id     string
	time   bool
	loads  []string
	decide func(Target) (Answer, Text)
}

// deciders returns what decides each explanation of fixtures/load.yaml.
func deciders() []decider {
	return []decider{
		{"handoff", false, []string{"spawn"}, handoff},
		{"gosched-thread", false, []string{"pool-gosched"}, goschedThread},
		{"gosched-p99", true, []string{"pool", "pool-gosched"}, goschedP99},
		{"syscall-threads", false, []string{"syscalls", "pipe-1000"}, syscallThreads},
		{"gomaxprocs-default", false, nil, gomaxprocsDefault},
		{"gomaxprocs-running", false, []string{"spin-1", "spin-2", "spin-4", "spin-8"}, gomaxprocsRunning},
		{"gomaxprocs-syscalls", false, []string{"syscalls"}, gomaxprocsSyscalls},
		{"gomaxprocs", true, []string{"procs-1", "procs-2", "procs-4", "procs-8"}, gomaxprocs},
	}
}

func explain(asked []string, targets []Target) []Explanation {
	list := []Explanation{}
	for _, d := range deciders() {
		if slices.ContainsFunc(d.loads, func(name string) bool { return !slices.Contains(asked, name) }) {
			continue
		}
		for _, t := range targets {
			e := Explanation{ID: d.id, Target: t.Name, Time: d.time}
			e.Answer, e.Seen = d.decide(t)
			list = append(list, e)
		}
	}
	return list
}

// missing is what is said of loads that gave no number.
func missing(loads ...string) Text {
	return Text{"no sample of " + strings.Join(loads, ", "), "没有 " + strings.Join(loads, "、") + " 的样本"}
}

// seldom is the number of switches of threads for each operation, below which there is none for
// most operations.
const seldom = 0.5

// perOperation decides whether every operation of a load takes a switch to another thread. The
// runtime hands a P over by waking or making a thread. That thread had to be parked before and
// will be parked again, and the kernel counts each as a voluntary switch. So there are no more
// handoffs than switches.
func perOperation(t Target, load string, what Text) (Answer, Text) {
	all := t.values(load, Sample.Switches)
	if len(all) == 0 {
		return Open, missing(load)
	}
	_, largest := ends(all)
	seen := Text{
		fmt.Sprintf("%s switches of threads for each %s, at most %s in a repetition", Short(median(all)), what.English, Short(largest)),
		fmt.Sprintf("%s %s 次线程切换，单次重复中最多 %s 次", what.Chinese, Short(median(all)), Short(largest)),
	}
	if largest < seldom {
		return Wrong, seen
	}
	return Open, seen
}

func handoff(t Target) (Answer, Text) {
	return perOperation(t, "spawn", Text{"goroutine", "每个 goroutine"})
}

func goschedThread(t Target) (Answer, Text) {
	return perOperation(t, "pool-gosched", Text{"call of Gosched", "每次 Gosched 调用"})
}

// goschedP99 compares the pool whose workers call Gosched with the one whose workers do not.
func goschedP99(t Target) (Answer, Text) {
	with, without := t.values("pool-gosched", p99), t.values("pool", p99)
	if len(with) == 0 || len(without) == 0 {
		return Open, missing("pool", "pool-gosched")
	}
	r := Ratio(with, without)
	word := Text{"no difference is shown", "未显示差异"}
	switch {
	case !r.Bounded():
		word = Text{"too few repetitions to tell", "重复次数太少，无法判断"}
	case r.Low > 1:
		word = Text{"Gosched raises the p99", "Gosched 使 p99 升高"}
	case r.High < 1:
		word = Text{"Gosched lowers the p99", "Gosched 使 p99 降低"}
	}
	answer := Measured
	if !r.Bounded() {
		answer = Open
	}
	return answer, Text{
		fmt.Sprintf("%s: %s of the p99 without it", word.English, r.In()),
		fmt.Sprintf("%s：为不调用时 p99 的 %s", word.Chinese, r.In()),
	}
}

// sleeping is the number of goroutines of the load syscalls, and share the part of them that
// must have threads, seen at some moment, for the statement to hold: some are always between two
// calls.
const (
	sleeping = 64
	share    = 0.5
)

// syscallThreads looks at the threads of goroutines that wait in the kernel, and of a thousand
// that wait for one another.
func syscallThreads(t Target) (Answer, Text) {
	made := func(s Sample) float64 { return float64(s.ThreadsMost - s.ThreadsIdle) }
	kernel, pipes := t.values("syscalls", made), t.values("pipe-1000", made)
	if len(kernel) == 0 || len(pipes) == 0 {
		return Open, missing("syscalls", "pipe-1000")
	}
	in, out := median(kernel), median(pipes)
	seen := Text{
		fmt.Sprintf("%.0f more threads for %d goroutines that wait in the kernel, and %.0f for 1000 that wait for one another", in, sleeping, out),
		fmt.Sprintf("%d 个在内核中等待的 goroutine 多出 %.0f 个线程，1000 个互相等待的多出 %.0f 个", sleeping, in, out),
	}
	if in >= share*sleeping && out < share*sleeping {
		return Right, seen
	}
	return Open, seen
}

// StackRow is what a stack costs on a target, in ns from taking to giving back: with the pool of
// poc/stackpool, from Go's heap, and with a mapping of its own. Use is the writing alone, which
// all of them include. A value is 0 if the load gave none.
type StackRow struct {
	Target string   `json:"target"`
	Size   string   `json:"size"` // "small" or "large"
	Use    Interval `json:"use"`
	Pool   Interval `json:"pool"`
	Heap   Interval `json:"heap"`
	Mmap   Interval `json:"mmap"`
}

func stackRows(targets []Target) []StackRow {
	list := []StackRow{}
	for _, t := range targets {
		for _, size := range []string{"small", "large"} {
			each := func(way string) Interval { return Median(t.values("stack-"+size+"-"+way, Sample.Each)) }
			row := StackRow{Target: t.Name, Size: size, Use: each("use"), Pool: each("pool"), Heap: each("heap"), Mmap: each("mmap")}
			if row.Pool.Value > 0 || row.Heap.Value > 0 || row.Mmap.Value > 0 {
				list = append(list, row)
			}
		}
	}
	return list
}
