package claim

import (
	"fmt"

	"github.com/mapstack/conformance/harness/judge/facts"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/harness/matrix/release"
	"github.com/mapstack/conformance/poc/wire"
)

// Feature is something that a kernel or a system may lack, by its age, its
// configuration or its policy. A claim that needs it does not apply without it.
type Feature struct {
	Name, Chinese string // without an article, such as "clone3" or "pids controller of control groups"
	// Since is the Linux version from which every kernel has the feature, whatever its
	// configuration. The zero Release means that a configuration may leave it out. It
	// is a cross-check: Seen decides.
	Since release.Release
	// Later has, by GOARCH, the version of architectures that got the feature after Since.
	Later map[string]release.Release
	// Probe is the probe whose transcript Seen reads; "" for the facts alone.
	Probe string
	// Seen decides from what the system shows of itself.
	Seen func(s Shown) Sight
}

// State is whether a system has a feature.
type State int

const (
	CouldNotTell State = iota // an error of ours: what should have told it did not
	Present
	Absent
)

// Sight is what was seen of a feature.
type Sight struct {
	State State
	How   string // one clause: "clone3 answers ENOSYS"; for Present it may be empty
}

// Shown is what a system shows of itself.
type Shown struct {
	Facts       facts.Facts
	transcripts map[string]wire.Transcript
}

// Shows returns what a system with these transcripts shows of itself.
func Shows(f facts.Facts, transcripts map[string]wire.Transcript) Shown { return Shown{f, transcripts} }

// Step returns the observation of a step of a probe, and whether there is exactly one.
func (s Shown) Step(probe, name string) (wire.Observation, bool) {
	var found wire.Observation
	n := 0
	for _, o := range s.transcripts[probe].Observations {
		if o.Step == name {
			found = o
			n++
		}
	}
	return found, n == 1
}

// Unreported returns a Sight for which a probe should have reported a step. If a child should
// have and ended badly, it says how.
func (s Shown) Unreported(probe, step string) Sight {
	return Sight{CouldNotTell, fmt.Sprintf("probe %s did not report step %q%s", probe, step, lastWords(s.transcripts[probe], step))}
}

// Errno returns a Sight of a call whose error says that the kernel lacks something: Absent
// for one of the names, CouldNotTell if the step is missing, else Present.
func (s Shown) Errno(probe, step string, absent ...string) Sight {
	o, ok := s.Step(probe, step)
	if !ok {
		return s.Unreported(probe, step)
	}
	for _, name := range absent {
		if o.Error == name {
			return Sight{Absent, fmt.Sprintf("%s answers %s (step %q of probe %s)", call(o, step), name, step, probe)}
		}
	}
	return Sight{State: Present}
}

// call names the call of a step in a sentence.
func call(o wire.Observation, step string) string {
	if o.Call != "" {
		return o.Call
	}
	return "the call of " + step
}

// missing returns the reason why a claim that needs the feature does not apply.
func (f Feature) missing(s Shown, sight Sight) string {
	text := fmt.Sprintf("the system has no %s: %s", f.Name, sight.How)
	if first := f.First(s.Facts.Arch); first != (release.Release{}) {
		text += fmt.Sprintf("; this is Linux %d.%d, and it came with %d.%d", s.Facts.Release.Major, s.Facts.Release.Minor, first.Major, first.Minor)
	}
	return text
}

// First returns the version from which every kernel of an architecture has the feature.
func (f Feature) First(goarch string) release.Release {
	if first, later := f.Later[goarch]; later {
		return first
	}
	return f.Since
}

// lacks returns the first feature of a claim that the system does not have, or of which
// that could not be told, and what was seen of it.
func (c Claim) lacks(s Shown) (Feature, Sight, bool) {
	for _, f := range c.Features {
		if sight := f.Seen(s); sight.State != Present {
			return f, sight, true
		}
	}
	return Feature{}, Sight{}, false
}

// without decides a claim whose feature is not there, or may not be.
func (f Feature) without(s Shown, sight Sight) (verdict.Status, string) {
	if sight.State == Absent {
		return verdict.Unsupported, f.missing(s, sight)
	}
	return verdict.Error, fmt.Sprintf("could not tell whether the system has %s: %s", f.Name, sight.How)
}
