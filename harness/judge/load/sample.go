package load

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/mapstack/conformance/harness/foreign"
	"github.com/mapstack/conformance/poc/load"
	"github.com/mapstack/conformance/poc/wire"
)

// Sample is what one repetition of a load measured. Times are in ns.
type Sample struct {
	Operations uint64  `json:"operations"`
	Nanos      float64 `json:"ns"` // that were measured
	P50        float64 `json:"p50"`
	P99        float64 `json:"p99"`
	P999       float64 `json:"p999"`
	Longest    float64 `json:"longest"`
	// ThreadsIdle are the program's threads before the load, and ThreadsMost the most that
	// were seen during it.
	ThreadsIdle         int     `json:"threadsIdle"`
	ThreadsMost         int     `json:"threadsMost"`
	GOMAXPROCS          int     `json:"gomaxprocs"`
	CPUs                int     `json:"cpus"`
	SwitchesVoluntary   uint64  `json:"switchesVoluntary"` // of the threads of the program
	SwitchesInvoluntary uint64  `json:"switchesInvoluntary"`
	FaultsMinor         uint64  `json:"faultsMinor"`
	FaultsMajor         uint64  `json:"faultsMajor"`
	CPUUser             float64 `json:"cpuUser"`
	CPUSystem           float64 `json:"cpuSystem"`
	GCCount             uint64  `json:"gcCount"`
	GCP50               float64 `json:"gcP50"` // of the pauses
	GCP99               float64 `json:"gcP99"`
	GCLongest           float64 `json:"gcLongest"`
	// SchedP50 and SchedP99 are how long goroutines waited for a processor; nil before Go 1.17.
	SchedP50 *float64 `json:"schedP50,omitempty"`
	SchedP99 *float64 `json:"schedP99,omitempty"`
	// OthersCPU is what other programs of the target used meanwhile, and StolenCPU what a
	// hypervisor gave to others; nil if they are not known.
	OthersCPU *float64 `json:"othersCpu,omitempty"`
	StolenCPU *float64 `json:"stolenCpu,omitempty"`
	// RunningMost is the most threads of the program that were in state R at once, where the
	// load counts them.
	RunningMost *float64 `json:"runningMost,omitempty"`
}

// Rate returns the operations per second.
func (s Sample) Rate() float64 { return float64(s.Operations) / s.Nanos * 1e9 }

// Each returns the mean time of an operation in ns.
func (s Sample) Each() float64 { return s.Nanos / float64(s.Operations) }

// Switches returns how often the kernel switched a thread of the program, for each operation.
func (s Sample) Switches() float64 {
	return float64(s.SwitchesVoluntary+s.SwitchesInvoluntary) / float64(s.Operations)
}

// Refusal says why a load was not begun: a limit that leaves too little, or a call that the
// kernel refused. Texts are safe to show.
type Refusal struct {
	Limit string `json:"limit,omitempty"`
	Free  int    `json:"free,omitempty"`
	Needs int    `json:"needs,omitempty"`
	Call  string `json:"call,omitempty"`
	Error string `json:"error,omitempty"`
}

// most bounds every number of a target: 2^53, up to which a float64 has every integer.
const most = 1 << 53

// Read reads the transcript of a run of the probe load. Either a sample or a refusal is not
// nil. The target is not trusted.
func Read(t wire.Transcript) (*Sample, *Refusal, error) {
	for _, o := range t.Observations {
		switch o.Step {
		case load.Refused:
			r := Refusal{Limit: foreign.Text(o.Values["limit"]), Call: foreign.Text(o.Call), Error: foreign.Text(o.Error)}
			if o.Errno != 0 && r.Error == "" {
				r.Error = fmt.Sprintf("errno %d", o.Errno)
			}
			n := numbers{o: o}
			if r.Limit != "" {
				r.Free, r.Needs = int(n.signed("free")), int(n.signed("needs"))
			}
			if n.err == nil && (r.Limit == "") == (r.Call == "") {
				n.err = fmt.Errorf("a load was refused, and neither a limit nor a call says why")
			}
			return nil, &r, n.err
		case load.Measured:
			s, err := sample(o)
			return s, nil, err
		}
	}
	return nil, nil, fmt.Errorf("the load measured nothing: %s", ending(t.Exit))
}

// ending says how a probe ended.
func ending(e wire.Exit) string {
	switch {
	case e.TimedOut:
		return "it did not end in time"
	case e.Signal != "":
		return "it was killed: " + foreign.Text(e.Signal)
	}
	first, _, _ := strings.Cut(strings.TrimSpace(e.Stderr), "\n")
	return fmt.Sprintf("exit status %d: %s", e.Code, foreign.Text(first))
}

func sample(o wire.Observation) (*Sample, error) {
	n := numbers{o: o}
	s := &Sample{
		Operations: uint64(n.whole("ops")), Nanos: n.whole("ns"),
		P50: n.whole("p50"), P99: n.whole("p99"), P999: n.whole("p999"), Longest: n.whole("longest"),
		ThreadsIdle: int(n.whole("threads.idle")), ThreadsMost: int(n.whole("threads.most")),
		GOMAXPROCS: int(n.whole("gomaxprocs")), CPUs: int(n.whole("cpus")),
		SwitchesVoluntary: uint64(n.whole("switches.voluntary")), SwitchesInvoluntary: uint64(n.whole("switches.involuntary")),
		FaultsMinor: uint64(n.whole("faults.minor")), FaultsMajor: uint64(n.whole("faults.major")),
		CPUUser: n.whole("cpu.user"), CPUSystem: n.whole("cpu.system"),
		GCCount: uint64(n.whole("gc.count")), GCP50: n.whole("gc.p50"), GCP99: n.whole("gc.p99"), GCLongest: n.whole("gc.longest"),
		SchedP50: n.maybe("sched.p50"), SchedP99: n.maybe("sched.p99"),
		OthersCPU: n.maybe("others.cpu"), StolenCPU: n.maybe("stolen.cpu"), RunningMost: n.maybe("running.most"),
	}
	switch {
	case n.err != nil:
	case s.Operations == 0:
		n.err = fmt.Errorf("the load ended no operation in %.0f ms; measure it for longer", s.Nanos/1e6)
	case s.Nanos == 0 || s.P50 > s.P99 || s.P99 > s.P999 || s.P999 > s.Longest:
		n.err = fmt.Errorf("the load says impossible times: p50 %.0f, p99 %.0f, p99.9 %.0f, longest %.0f in %.0f ns", s.P50, s.P99, s.P999, s.Longest, s.Nanos)
	}
	if n.err != nil {
		return nil, n.err
	}
	return s, nil
}

// numbers reads the values of an observation. The first error is kept.
type numbers struct {
	o   wire.Observation
	err error
}

// signed reads a number from -2^53 to 2^53.
func (n *numbers) signed(key string) float64 {
	v, err := strconv.ParseInt(n.o.Values[key], 10, 64)
	if (err != nil || v > most || v < -most) && n.err == nil {
		n.err = fmt.Errorf("the load says %q for %s, which is no number of that kind", foreign.Text(n.o.Values[key]), key)
	}
	return float64(v)
}

// whole reads a number that is not negative.
func (n *numbers) whole(key string) float64 {
	v := n.signed(key)
	if v < 0 && n.err == nil {
		n.err = fmt.Errorf("the load says %.0f for %s, and it cannot be negative", v, key)
	}
	return math.Max(v, 0)
}

// maybe reads a number that the target may not know; nil for none.
func (n *numbers) maybe(key string) *float64 {
	if _, known := n.o.Values[key]; !known {
		return nil
	}
	v := n.whole(key)
	return &v
}
