package load

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/mapstack/conformance/harness/language"
	"github.com/mapstack/conformance/poc/load"
	"github.com/mapstack/conformance/poc/wire"
)

// said is what the probe says of a load.
func said() map[string]string {
	return map[string]string{"name": "pool", "ops": "600", "ns": "300000000", "p50": "10", "p99": "20", "p999": "30", "longest": "40",
		"threads.idle": "5", "threads.most": "9", "gomaxprocs": "2", "cpus": "2", "switches.voluntary": "30", "switches.involuntary": "6",
		"faults.minor": "3", "faults.major": "0", "cpu.user": "100", "cpu.system": "50", "gc.count": "4", "gc.p50": "1", "gc.p99": "2", "gc.longest": "3",
		"others.cpu": "7", "stolen.cpu": "0"}
}

func transcript(step string, values map[string]string) wire.Transcript {
	return wire.Transcript{Observations: []wire.Observation{{Step: step, Values: values}}}
}

func TestASampleIsRead(t *testing.T) {
	s, refused, err := Read(transcript(load.Measured, said()))
	if err != nil || refused != nil || s.Rate() != 2000 || s.Each() != 500000 || s.Switches() != 0.06 || s.SchedP99 != nil || *s.OthersCPU != 7 {
		t.Errorf("%+v, %+v, %v", s, refused, err)
	}
	_, refused, err = Read(transcript(load.Refused, map[string]string{"limit": "pids.max", "free": "3", "needs": "80"}))
	if err != nil || refused == nil || *refused != (Refusal{Limit: "pids.max", Free: 3, Needs: 80}) {
		t.Errorf("%+v, %v", refused, err)
	}
	call := wire.Transcript{Observations: []wire.Observation{{Step: load.Refused, Call: "connect(127.0.0.1)", Errno: 101, Error: "ENETUNREACH"}}}
	_, refused, err = Read(call)
	if err != nil || refused == nil || (Run{Refused: refused}).Why(language.English) != "not begun: connect(127.0.0.1): ENETUNREACH" {
		t.Errorf("%+v, %v", refused, err)
	}
}

// TestNonsenseOfATargetIsNoSample fails if a target that lies, or a load that died, gives a
// number.
func TestNonsenseOfATargetIsNoSample(t *testing.T) {
	for key, value := range map[string]string{"ops": "0", "ns": "0", "p50": "-1", "p99": "50", "gomaxprocs": "x", "faults.major": "", "sched.p99": "1e9",
		"cpu.user": "9223372036854775807", "others.cpu": "-3"} {
		values := said()
		values[key] = value
		if s, _, err := Read(transcript(load.Measured, values)); err == nil || s != nil {
			t.Errorf("%s is %q: %+v", key, value, s)
		}
	}
	for _, bad := range []wire.Transcript{{}, {Exit: wire.Exit{TimedOut: true}}, {Exit: wire.Exit{Code: 2, Stderr: "panic: \x1b[8m\nmore"}},
		transcript(load.Refused, nil), transcript(load.Refused, map[string]string{"limit": "x", "free": "?", "needs": "1"})} {
		if s, _, err := Read(bad); err == nil || s != nil || strings.ContainsAny(err.Error(), "\x1b\n") {
			t.Errorf("%+v: %+v, %v", bad, s, err)
		}
	}
}

func FuzzRead(f *testing.F) {
	for _, tr := range []wire.Transcript{transcript(load.Measured, said()), transcript(load.Refused, map[string]string{"limit": "a", "free": "1", "needs": "2"})} {
		b, err := json.Marshal(tr)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var tr wire.Transcript
		if json.Unmarshal(b, &tr) != nil {
			return
		}
		s, refused, err := Read(tr)
		if err == nil && (s == nil) == (refused == nil) {
			t.Errorf("%+v, %+v", s, refused)
		}
		if s != nil && (s.Rate() <= 0 || math.IsInf(s.Rate(), 0) || math.IsNaN(s.Switches())) {
			t.Errorf("%+v", s)
		}
	})
}

// TestLimitsHoldTheTrueRatio fails if the limits of a ratio are too narrow: then they would hold
// it in clearly fewer than 95 of 100 runs. Samples of computers are skewed, so that these are too.
func TestLimitsHoldTheTrueRatio(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 7))
	draw := func(middle float64) []float64 {
		all := make([]float64, 10)
		for i := range all {
			all[i] = middle * math.Exp(0.2*random.NormFloat64())
		}
		return all
	}
	const runs, ratio = 300, 0.4
	held := 0
	for range runs {
		if r := Ratio(draw(400), draw(1000)); r.Low <= ratio && ratio <= r.High {
			held++
		}
	}
	if held < runs*90/100 || held == runs {
		t.Errorf("the limits hold the ratio in %d of %d runs", held, runs)
	}
}

// TestWhatSlowsBothDownWidensNoLimits fails if the repetitions of two targets are drawn without
// one another: a host that is slow for a while then hides a difference that every repetition has.
func TestWhatSlowsBothDownWidensNoLimits(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 3))
	var of, to []float64
	for range 10 {
		drift := math.Exp(random.NormFloat64())
		of, to = append(of, 50*drift), append(to, 100*drift)
	}
	if r := Ratio(of, to); r.Low < 0.499 || r.High > 0.501 {
		t.Errorf("every repetition has the ratio 0.5, and the limits are %+v", r)
	}
}

func TestFewRepetitionsGiveNoLimits(t *testing.T) {
	if r := Ratio([]float64{1, 2, 3, 4}, []float64{2, 2, 2, 2, 2}); r.Value != 1.25 || r.Bounded() || r.Differs() {
		t.Errorf("%+v", r)
	}
	same := []float64{2, 2, 2, 2, 2}
	if r := Ratio(same, same); r != (Interval{1, 1, 1}) || r.Differs() {
		t.Errorf("%+v", r)
	}
	if r := Ratio([]float64{4, 4, 4, 4, 4}, same); !r.Differs() {
		t.Errorf("%+v", r)
	}
	for _, r := range []Interval{Ratio(nil, same), Ratio(same, nil), Ratio(same, []float64{0, 0, 0})} {
		if r != (Interval{}) {
			t.Errorf("%+v", r)
		}
	}
	all := []float64{3, 1, 2}
	if m := Median(all); m.Value != 2 || !slices.Equal(all, []float64{3, 1, 2}) {
		t.Errorf("%+v, and the samples are %v", m, all)
	}
	if quantile([]float64{1, 3}, 0.5) != 2 || quantile([]float64{1, 3}, 1) != 3 || quantile(nil, 0.5) != 0 {
		t.Error("a quantile is wrong")
	}
}

// runs returns what a target measured: samples of every load with a rate of operations per second.
func runs(rate uint64, change func(load string, s *Sample)) (all []Run) {
	for _, name := range load.Names() {
		r := Run{Load: name}
		for i := range uint64(6) {
			s := Sample{Operations: rate*1000 + i, Nanos: 1e12, RunningMost: spun(name), P50: 100, P99: 200, P999: 300, Longest: 400, ThreadsIdle: 4, ThreadsMost: 6, GOMAXPROCS: 2, CPUs: 2, SwitchesVoluntary: 9}
			if change != nil {
				change(name, &s)
			}
			r.Samples = append(r.Samples, s)
		}
		all = append(all, r)
	}
	return all
}

// spun returns the threads that a load lets run at once; nil if it does not count them.
func spun(load string) *float64 {
	text, is := strings.CutPrefix(load, "spin-")
	n, err := strconv.Atoi(text)
	if !is || err != nil {
		return nil
	}
	most := float64(n + 1)
	return &most
}

func result(targets ...Target) Result {
	r := Result{Repetitions: 6, Milliseconds: 300, Loads: load.Names(), Targets: targets}
	r.Conclude()
	return r
}

// TestTwoEmulatedTargetsAreNotCompared fails if a ratio is printed that is one of two translators.
func TestTwoEmulatedTargetsAreNotCompared(t *testing.T) {
	real := Target{Name: "native", Place: Hardware, Runs: runs(1000, nil)}
	tcg := Target{Name: "a", Place: TCG, Runs: runs(100, nil)}
	user := Target{Name: "b", Place: UserMode, Runs: runs(300, nil)}
	told := Target{Name: "c", Place: Hardware, Machine: map[string]string{"cpu": "QEMU TCG CPU version 2.5+"}, Runs: runs(7, nil)}
	for name, c := range map[string]struct {
		targets []Target
		want    string
	}{
		"emulated first":  {[]Target{tcg, user, told}, ""},
		"hardware first":  {[]Target{real, tcg}, "a 0.100"},
		"hardware second": {[]Target{tcg, real, user}, "native 10.000"},
		"alone":           {[]Target{real}, ""},
	} {
		r := result(c.targets...)
		got := map[string]bool{}
		for _, one := range r.Comparisons {
			got[fmt.Sprintf("%s %.3f", one.Target, one.Rate.Value)] = true
		}
		if len(got) > 1 || len(got) == 1 && !got[c.want] || len(got) == 0 && c.want != "" {
			t.Errorf("%s: %v, want %q", name, got, c.want)
		}
		if c.want != "" && len(r.Comparisons) != len(r.Loads) {
			t.Errorf("%s: %d comparisons", name, len(r.Comparisons))
		}
	}
}

// TestExplanationsFollowFromNumbers fails if an explanation is decided by something else than its
// loads.
func TestExplanationsFollowFromNumbers(t *testing.T) {
	threads := func(load string, s *Sample) {
		if load == "syscalls" {
			s.ThreadsMost = 60
		}
	}
	for name, c := range map[string]struct {
		change func(string, *Sample)
		want   map[string]Answer
	}{
		"as the runtime is": {threads, map[string]Answer{"handoff": Wrong, "gosched-thread": Wrong, "syscall-threads": Right, "gosched-p99": Measured, "gomaxprocs": Measured,
			"gomaxprocs-default": Right, "gomaxprocs-running": Right, "gomaxprocs-syscalls": Right}},
		"a switch for each": {func(_ string, s *Sample) { s.SwitchesVoluntary = s.Operations }, map[string]Answer{"handoff": Open, "gosched-thread": Open, "syscall-threads": Open, "gomaxprocs-syscalls": Open}},
	} {
		for _, e := range explain(load.Names(), []Target{{Name: "x", Machine: map[string]string{"gomaxprocs": "2", "cpus.allowed": "2"}, Runs: runs(1000, c.change)}}) {
			if want := c.want[e.ID]; want != "" && e.Answer != want || e.Seen.English == "" || e.Seen.Chinese == "" {
				t.Errorf("%s: %s is %s: %+v, want %s", name, e.ID, e.Answer, e.Seen, want)
			}
		}
	}
	if some := explain([]string{"spawn", "pool", "procs-1"}, []Target{{Name: "x"}}); len(some) != 2 || some[0].ID != "handoff" || some[1].ID != "gomaxprocs-default" {
		t.Errorf("of loads that were not asked for: %+v", some)
	}
	for _, e := range explain(load.Names(), []Target{{Name: "nothing ran"}}) {
		if e.Answer != Open || !e.Seen.whole() {
			t.Errorf("nothing ran: %+v", e)
		}
	}
	higher := runs(1000, func(load string, s *Sample) {
		if load == "pool-gosched" {
			s.P99, s.P999, s.Longest = 400, 500, 600
		}
	})
	if answer, seen := goschedP99(Target{Runs: higher}); answer != Measured || !strings.Contains(seen.English, "raises the p99: 2.00 [2.00, 2.00]") {
		t.Errorf("%s: %s", answer, seen.English)
	}
}

func TestTheChapterOfTheFixturesIsWhole(t *testing.T) {
	data, err := os.ReadFile("../../../fixtures/load.yaml")
	if err != nil {
		t.Fatal(err)
	}
	c, err := parse(data)
	if err != nil || len(c.Figures) < 3 {
		t.Fatal(len(c.Figures), err)
	}
	for what, change := range map[string][2]string{
		"both languages":  {"zh: 立即结束", "en2: 立即结束"},
		"does not decide": {"id: handoff", "id: hand-off"},
		"must name":       {"value: gcP99", "value: mean"},
		"what the load":   {"- id: pingpong", "- id: ping"},
		"decides":         {"  - id: gomaxprocs\n", "  - id: gomaxprocs\n    en: x\n    zh: x\n  - id: handoff\n"},
	} {
		if _, err := parse([]byte(strings.Replace(string(data), change[0], change[1], 1))); err == nil {
			t.Errorf("%s: %q for %q is accepted", what, change[1], change[0])
		}
	}
}

// TestTheTablesSayWhatIsMissing fails if a table hides that a load did not run, or a mark of
// emulation is lost in one of the languages.
func TestTheTablesSayWhatIsMissing(t *testing.T) {
	c, err := LoadChapter(os.DirFS("../../../fixtures"))
	if err != nil {
		t.Fatal(err)
	}
	tcg := Target{Name: "guest", Place: TCG, Runs: runs(100, nil)}
	tcg.Runs[0] = Run{Load: tcg.Runs[0].Load, Refused: &Refusal{Limit: "pids.max", Free: 3, Needs: 80}}
	tcg.Runs[1] = Run{Load: tcg.Runs[1].Load, Failed: "it did not end in time"}
	r := result(Target{Name: "native", Place: Hardware, Runs: runs(24810, nil)}, tcg)
	if r.Whole() {
		t.Error("two loads did not run, and the result is whole")
	}
	for l, wants := range map[language.Language][]string{
		language.English: {"24.8k", "EMULATED", "needs 80 of pids.max, and 3 are free", "failed: it did not end in time", "24,810", "wrong here", "0.0040 [0.0040, 0.0040]"},
		language.Chinese: {"24.8k", "模拟", "pids.max 需要 80，仅剩 3", "失败：it did not end in time", "24,810", "在此不成立"},
	} {
		var b bytes.Buffer
		if err := r.Write(&b, c, l); err != nil {
			t.Fatal(err)
		}
		for _, want := range wants {
			if !strings.Contains(b.String(), want) {
				t.Errorf("%s: no %q in\n%s", l, want, b.String())
			}
		}
	}
	for want, targets := range map[bool][]Target{false: {tcg, tcg}, true: r.Targets} {
		var b bytes.Buffer
		one := result(targets...)
		if err := one.Write(&b, c, language.English); err != nil {
			t.Fatal(err)
		}
		if table, _, _ := strings.Cut(b.String(), "What the article says"); strings.Contains(table, "ratio") != want {
			t.Errorf("there are %d comparisons, and the table is\n%s", len(one.Comparisons), table)
		}
	}
	var b bytes.Buffer
	var again Result
	if err := r.WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b.Bytes(), &again); err != nil || again.Schema != Schema || len(again.Targets) != 2 || len(again.Targets[0].Runs[0].Samples) != 6 {
		t.Errorf("%v, %+v", err, again)
	}
}

// TestADisturbedMeasurementSaysSo fails if numbers that are about other programs are shown
// without a warning, or if every measurement has one.
func TestADisturbedMeasurementSaysSo(t *testing.T) {
	took := func(cpus float64) Target {
		return Target{Name: "native", Runs: runs(1000, func(_ string, s *Sample) {
			others, stolen := cpus*s.Nanos, 0.0
			s.OthersCPU, s.StolenCPU = &others, &stolen
		})}
	}
	for name, c := range map[string]struct {
		before float64
		target Target
		want   []string
	}{
		"quiet":         {0.1, took(0.1), nil},
		"nothing known": {0, Target{Name: "native", Runs: runs(1000, nil)}, nil},
		"others":        {0, took(1.5), []string{"took 1.50 of the 2 CPUs of native"}},
		"a busy host":   {1.9, took(0), []string{"busy before the first repetition (1.90 of 2 cores)"}},
	} {
		r := result(c.target)
		r.Host.Cores, r.Before.BusyCores = 2, c.before
		got := r.Disturbances(language.English)
		if len(got) != len(c.want) || len(got) == 1 && !strings.Contains(got[0], c.want[0]) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
		for _, text := range r.Disturbances(language.Chinese) {
			if strings.Contains(text, "%!") || !strings.HasPrefix(text, "警告") {
				t.Errorf("%s: %q", name, text)
			}
		}
	}
}

func TestNumbersHaveThreeDigits(t *testing.T) {
	for x, want := range map[float64]string{0: "0", 0.00421: "0.0042", 0.0421: "0.042", 0.421: "0.42", 4.21: "4.21", 42.1: "42.1", 421: "421", 24810: "24.8k", 1.5e6: "1.50M", 2e9: "2.00G"} {
		if got := Short(x); got != want {
			t.Errorf("%v: %s, want %s", x, got, want)
		}
	}
	for ns, want := range map[float64]string{95: "95.0 ns", 310: "310 ns", 1200: "1.20 µs", 4.9e6: "4.90 ms", 3e9: "3.00 s"} {
		if got := Nanos(ns); got != want {
			t.Errorf("%v: %s, want %s", ns, got, want)
		}
	}
}
