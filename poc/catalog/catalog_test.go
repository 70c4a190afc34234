package catalog

import (
	"os"
	"path/filepath"
	"sort"
	"testing"

	"github.com/mapstack/conformance/poc/defect"
)

// TestEveryProgramHasARecord fails if a new probe is nowhere known, or a record outlives
// its program.
func TestEveryProgramHasARecord(t *testing.T) {
	mains, err := filepath.Glob("../*/main.go")
	if err != nil || len(mains) < 10 {
		t.Fatal(mains, err)
	}
	recorded := map[string]bool{}
	for _, p := range Programs() {
		recorded[p.Name] = true
		if _, err := os.Stat(filepath.Join("..", p.Name, "main.go")); err != nil && !p.Assembled {
			t.Errorf("the record of %s has no program: %v", p.Name, err)
		}
	}
	for _, main := range mains {
		// The agent runs programs and is asked for nothing itself. guest is all of them.
		if name := filepath.Base(filepath.Dir(main)); name != "agent" && name != "guest" && !recorded[name] {
			t.Errorf("program %s has no record in poc/catalog", name)
		}
	}
}

// TestRecordsAreWhole fails if a record leaves a reason out, or names what is not there.
func TestRecordsAreWhole(t *testing.T) {
	all := Programs()
	if !sort.SliceIsSorted(all, func(i, j int) bool { return all[i].Name < all[j].Name }) {
		t.Error("the records are not sorted by name")
	}
	for _, p := range all {
		switch p.Risk.Class {
		case Harmless, Restores, Harmful:
		default:
			t.Errorf("%s: class of risk %q", p.Name, p.Risk.Class)
		}
		if p.Risk.Reason == "" {
			t.Errorf("%s: the risk has no reason", p.Name)
		}
		if p.Direct != "" && (len(p.Subjects) > 0 || len(p.Echoes) > 0) {
			t.Errorf("%s: no defect is injected below it, and yet it is about some", p.Name)
		}
		for name, why := range p.Echoes {
			if m, known := defect.Lookup(name); !known || p.About(m) || why == "" {
				t.Errorf("%s: an echo of %q, which is known: %v, and about the program: %v; %q", p.Name, name, known, p.About(m), why)
			}
		}
	}
}

// TestAnUnknownProgramIsHarmful fails if a program is let loose because nobody looked at it.
func TestAnUnknownProgramIsHarmful(t *testing.T) {
	if p, known := Lookup("nobody-knows"); known || p.Risk.On("amd64") != Harmful {
		t.Errorf("%+v, known: %v", p, known)
	}
	if p, known := Lookup("threadstacks-strict"); !known || p.Name != "threadstacks" {
		t.Errorf("%+v, known: %v", p, known)
	}
	zero, _ := Lookup("zeropage")
	if zero.Risk.On("mips64le") != Harmful || zero.Risk.On("amd64") != Harmless {
		t.Error("the page of zeroes is freed on MIPS alone")
	}
}

// TestOnlyProbesThatSeeNothingAreLeftOut fails if a defect were not tried on a
// probe whose claims it concerns.
func TestOnlyProbesThatSeeNothingAreLeftOut(t *testing.T) {
	for _, c := range []struct {
		probe string
		about defect.Subject
		want  bool
	}{
		{"mapstack", defect.Stack, true},
		{"mapstack", defect.Clone, false},
		{"cloneflags", defect.Clone, true},
		{"cloneflags", defect.Memory, false},
	} {
		p, _ := Lookup(c.probe)
		if got := p.About(defect.Model{Subject: c.about}); got != c.want {
			t.Errorf("%s and %v: %v", c.probe, c.about, got)
		}
	}
}
