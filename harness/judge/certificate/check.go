package certificate

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/mapstack/conformance/harness/judge/verdict"
)

// Over returns why the certificate does not count now, for mapstack of the version suite; nil
// if it does.
func (s Statement) Over(now time.Time, suite string) error {
	t := s.Predicate.Terms
	ends, err := time.Parse(time.DateOnly, t.Ends)
	made, wrong := time.Parse(time.DateOnly, t.Made)
	switch today := day(now); {
	case err != nil || wrong != nil:
		return fmt.Errorf("it says that it was made on %q and ends on %q, which are no days", t.Made, t.Ends)
	case today.After(ends):
		return fmt.Errorf("it ended on %s; ask for one of a new run", t.Ends)
	case made.After(today):
		return fmt.Errorf("it was made on %s, which is not yet; set the clock of this machine, or ask whoever made it", t.Made)
	case major(suite) >= major(t.EndsWith):
		return fmt.Errorf("it ended with mapstack %s, and this is %s; ask for one of a new run", t.EndsWith, suite)
	}
	return nil
}

// MadeOn returns the day on which the certificate was made; the zero time if it names none.
func (s Statement) MadeOn() time.Time {
	made, _ := time.Parse(time.DateOnly, s.Predicate.Terms.Made)
	return made
}

// OfFolder returns an error if the certificate is not about evidence and a report with these
// hashes (SHA-256).
func (s Statement) OfFolder(evidence, report string) error {
	for _, file := range []struct{ role, sum string }{{roleEvidence, evidence}, {roleReport, report}} {
		for _, r := range s.Subject {
			if r.Annotations["role"] == file.role && r.Digest["sha256"] != file.sum {
				return fmt.Errorf("it is about the %s with the SHA-256 %.12s, and here it is %.12s: something was changed after the certificate was made, or this is another run",
					file.role, r.Digest["sha256"], file.sum)
			}
		}
	}
	return nil
}

// Follows returns an error if the certificate is not the one that evidence gives now.
func (s Statement) Follows(now Statement) error {
	if err := s.sameSubjects(now); err != nil {
		return err
	}
	was, is := s.Predicate, now.Predicate
	for _, part := range []struct {
		name    string
		was, is any
	}{
		{"result", was.Result, is.Result},
		{"tests that passed", was.Passed, is.Passed},
		{"tests with a warning", was.Warned, is.Warned},
		{"tests that failed", was.Failed, is.Failed},
		{"undecided tests", was.Terms.Undecided, is.Terms.Undecided},
		{"configuration", was.Configuration, is.Configuration},
		{"terms", was.Terms, is.Terms},
	} {
		if !reflect.DeepEqual(part.was, part.is) {
			return fmt.Errorf("its %s are not what the evidence gives; it was made by mapstack %s, revision %s, whose claims may be others, or it does not say the truth",
				part.name, was.Terms.Suite, revision(s))
		}
	}
	return nil
}

func revision(s Statement) string {
	for _, r := range s.Predicate.Configuration {
		if r.Name == "mapstack" {
			return r.Annotations["revision"]
		}
	}
	return ""
}

// sameSubjects compares what two statements are about.
func (s Statement) sameSubjects(now Statement) error {
	if len(s.Subject) != len(now.Subject) {
		return fmt.Errorf("it is about %d files, and the evidence gives %d", len(s.Subject), len(now.Subject))
	}
	for i, was := range s.Subject {
		if is := now.Subject[i]; !reflect.DeepEqual(was, is) {
			return fmt.Errorf("it is about the %s %s with the SHA-256 %.12s, and here is the %s %s with %.12s; one of them was changed after the certificate was made",
				was.Annotations["role"], was.Name, was.Digest["sha256"], is.Annotations["role"], is.Name, is.Digest["sha256"])
		}
	}
	return nil
}

// Repeatable returns why a run of the file with that name and SHA-256 cannot repeat the first; nil
// if it can.
func (in Inputs) Repeatable(file, sum string) error {
	if len(in.Cells) != 1 || in.Cells[0].Kernel == nil {
		return fmt.Errorf("the certificate is of %d cells; only a run of one cell can be repeated", len(in.Cells))
	}
	if was := in.Cells[0].Kernel.Provenance; was.SHA256 != sum {
		return fmt.Errorf("the certificate is about %s with the SHA-256 %s, and %s has %s; give the same file", was.Filename, was.SHA256, file, sum)
	}
	return nil
}

// Repeats compares the outcomes of a second run with those of the first, and returns what
// differs. It is an error if the second is not of the same files.
func Repeats(first, second Inputs) (differences []Refusal, err error) {
	switch {
	case len(second.Cells) != 1:
		return nil, fmt.Errorf("this run is of %d cells; only a run of one cell repeats another", len(second.Cells))
	case second.Cells[0].Kernel == nil:
		return nil, errors.New("no kernel was found in what was given")
	}
	is := second.Cells[0].Kernel
	if err := first.Repeatable(is.Provenance.Filename, is.Provenance.SHA256); err != nil {
		return nil, err
	}
	if was := first.Cells[0].Kernel; was.ImageSHA256 != is.ImageSHA256 {
		return nil, fmt.Errorf("the certificate is about the kernel image with the SHA-256 %s, and here %s was booted", was.ImageSHA256, is.ImageSHA256)
	}
	again := map[string]verdict.Outcome{}
	for _, o := range second.Outcomes {
		again[o.Claim] = o
	}
	for _, o := range first.Outcomes {
		now, there := again[o.Claim]
		switch {
		case !there:
			differences = append(differences, because("%s was not run again", "%s 没有再次运行", o.Claim).undecided())
		case now.Status != o.Status:
			first, _, _ := strings.Cut(now.Reason, "\n")
			r := because("%s is %s in the certificate and %s here", "%s 在证书中是 %s，在这里是 %s", o.Claim, o.Status, now.Status)
			if first != "" {
				r.Why, r.Chinese = r.Why+": "+first, r.Chinese+"："+first
			}
			r.Incomplete = now.Status == verdict.NotRun || now.Status == verdict.Error
			differences = append(differences, r)
		}
	}
	return differences, nil
}
