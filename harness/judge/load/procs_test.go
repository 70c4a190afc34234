package load

import (
	"fmt"
	"strings"
	"testing"
)

// TestGOMAXPROCSIsComparedWithWhatMayBeUsed fails if a runtime that takes another number of CPUs
// than it may use is called right, or one that counts the quota of its control group wrong.
func TestGOMAXPROCSIsComparedWithWhatMayBeUsed(t *testing.T) {
	for _, c := range []struct {
		is, mask, quota, env string
		want                 Answer
	}{
		{"8", "8", "", "", Right},
		{"8", "2", "", "", Wrong},
		{"2", "8", "", "", Wrong},
		{"3", "8", "2500", "", Right}, // since Go 1.25
		{"2", "8", "500", "", Right},  // two at least
		{"8", "8", "2500", "", Right}, // before
		{"4", "8", "2500", "", Wrong},
		{"2", "2", "9000", "", Right},
		{"2", "8", "", "2", Open},
		{"2", "", "", "", Open},
		{"-1", "8", "", "", Open},
		{"9999999999999", "8", "", "", Open},
	} {
		answer, seen := gomaxprocsDefault(Target{Machine: map[string]string{"gomaxprocs": c.is, "cpus.allowed": c.mask, "cpus.quota": c.quota, "gomaxprocs.env": c.env}})
		if answer != c.want || !seen.whole() {
			t.Errorf("%+v: %s: %+v", c, answer, seen)
		}
	}
}

// TestThreadsThatRunAtOnceDecide fails if too many threads are called right, or too few that
// never reached the limit.
func TestThreadsThatRunAtOnceDecide(t *testing.T) {
	for name, c := range map[string]struct {
		change func(s *Sample, n float64)
		want   Answer
	}{
		"as many":         {func(s *Sample, n float64) { s.RunningMost = &n }, Right},
		"two more":        {func(s *Sample, n float64) { n += 2; s.RunningMost = &n }, Right},
		"three more":      {func(s *Sample, n float64) { n += 3; s.RunningMost = &n }, Wrong},
		"once three more": {func(s *Sample, n float64) { n += float64(3 * (1 - min(1, s.Operations%1000))); s.RunningMost = &n }, Open},
		"fewer":           {func(s *Sample, _ float64) { one := 1.0; s.RunningMost = &one }, Open},
		"once as many":    {func(s *Sample, n float64) { n -= float64(min(1, s.Operations%1000)); s.RunningMost = &n }, Right},
		"not counted":     {func(s *Sample, _ float64) { s.RunningMost = nil }, Open},
	} {
		all := runs(1000, func(load string, s *Sample) {
			if most := spun(load); most != nil {
				c.change(s, *most-1)
			}
		})
		if answer, seen := gomaxprocsRunning(Target{Runs: all}); answer != c.want || !seen.whole() {
			t.Errorf("%s: %s: %+v", name, answer, seen)
		}
	}
}

// TestEightCPUsAreMeasuredWithEight fails if a target that has the CPUs is measured with fewer,
// or if one that lacks them seems to say what they do.
func TestEightCPUsAreMeasuredWithEight(t *testing.T) {
	emulated := gomaxprocsSeen(t, Target{Place: TCG, Runs: runs(1000, func(_ string, s *Sample) { s.CPUs = 8 })})
	if want := "; what 2 or 4 or 8 CPUs make of it takes a machine that has them"; !strings.Contains(emulated, want) {
		t.Errorf("eight emulated CPUs: no %q in %s", want, emulated)
	}
	for cpus, want := range map[int]string{2: "; what 4 or 8 CPUs make of it", 4: "; what 8 CPUs make of it", 8: ""} {
		all := runs(1000, func(load string, s *Sample) {
			s.CPUs = cpus
			if n := 0; strings.HasPrefix(load, "procs-") {
				fmt.Sscanf(load, "procs-%d", &n)
				s.Operations *= uint64(min(n, cpus))
			}
		})
		seen := gomaxprocsSeen(t, Target{Runs: all})
		first, rest, _ := strings.Cut(seen, "; ")
		if want == "" && rest != "" || want != "" && !strings.Contains("; "+rest, want) {
			t.Errorf("%d CPUs: %s", cpus, seen)
		}
		for _, n := range procs[1:] {
			if text := fmt.Sprintf("%d: ×%d.00", n, min(n, cpus)); !strings.Contains(first, text) {
				t.Errorf("%d CPUs: no %q in %s", cpus, text, seen)
			}
		}
	}
}

func gomaxprocsSeen(t *testing.T, of Target) string {
	t.Helper()
	answer, seen := gomaxprocs(of)
	if answer != Measured || !seen.whole() {
		t.Errorf("%s: %+v", answer, seen)
	}
	return seen.English
}
