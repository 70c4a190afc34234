package bisect

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mapstack/conformance/harness/judge/verdict"
)

// fake returns a session over kernels that answer as the letters say: g and b pass with other
// words, f fails, u does not apply, e is an error. ran gets the indexes that were run.
func fake(letters string, known map[string]Test, ran *[]int) Session {
	s := Session{Known: known, Note: func(Test, Answer, bool) error { return nil }}
	for i := range letters {
		s.Kernels = append(s.Kernels, Kernel{File: fmt.Sprint(i), SHA256: fmt.Sprintf("%064d", i)})
	}
	s.Run = func(_ context.Context, k Kernel) (Test, error) {
		var i int
		fmt.Sscan(k.File, &i)
		*ran = append(*ran, i)
		t := Test{SHA256: k.SHA256, File: k.File, Status: verdict.Pass, Expected: "false", Observed: "false", Reason: "a reason"}
		switch letters[i] {
		case 'b':
			t.Expected, t.Observed = "true", "true"
		case 'f':
			t.Status = verdict.Fail
		case 'u':
			t.Status = verdict.Unsupported
		case 'e':
			t.Status = verdict.Error
		}
		return t, nil
	}
	return s
}

func TestTheFirstBadKernelIsFound(t *testing.T) {
	for _, tc := range []struct {
		letters, good, bad string
		skipped            int
	}{
		{"gb", "0", "1", 0},
		{"gggggggb", "6", "7", 0},
		{"gbbbbbbb", "0", "1", 0},
		{"ggggbbbb", "3", "4", 0},
		{"gggff", "2", "3", 0},
		{"uuuggg", "2", "3", 0},   // a feature that came
		{"ggeebb", "1", "4", 2},   // the change is among kernels that decide nothing
		{"geggeb", "3", "5", 1},   // some in the way
		{"gggfffbb", "2", "6", 3}, // like neither end
	} {
		var ran []int
		f, err := fake(tc.letters, nil, &ran).Find(t.Context())
		if err != nil || f.Good.File != tc.good || f.Bad.File != tc.bad || len(f.Skipped) != tc.skipped {
			t.Errorf("%s: %s to %s without %v, %v", tc.letters, f.Good.File, f.Bad.File, f.Skipped, err)
		}
		seen := map[int]bool{}
		for _, i := range ran {
			if seen[i] {
				t.Errorf("%s: kernel %d was tested twice: %v", tc.letters, i, ran)
			}
			seen[i] = true
		}
	}
}

// TestAThousandKernelsTakeTwelveTests fails if the list is not halved.
func TestAThousandKernelsTakeTwelveTests(t *testing.T) {
	var ran []int
	if _, err := fake(strings.Repeat("g", 700)+strings.Repeat("b", 300), nil, &ran).Find(t.Context()); err != nil || len(ran) > 12 {
		t.Errorf("%d tests, %v", len(ran), err)
	}
}

func TestEndsThatTellNothingApartAreRefused(t *testing.T) {
	for letters, want := range map[string]string{"ggg": "decide the claim alike", "gge": "2 decides nothing: error: a reason", "egb": "0 decides nothing", "g": "a good and a bad one"} {
		var ran []int
		if _, err := fake(letters, nil, &ran).Find(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", letters, err, want)
		}
	}
}

func TestNumbersTellTestsApartOnlyIfWordsDoNot(t *testing.T) {
	pass := func(e string) Test { return Test{Status: verdict.Pass, Expected: e} }
	for _, tc := range []struct {
		good, bad, other string
		want             Answer
	}{
		{"EINVAL (22)", "EAGAIN (11)", "EAGAIN (35)", Bad},
		{"8", "9", "9", Bad},
		{"8", "9", "10", Skip},
	} {
		answer, err := Between(pass(tc.good), pass(tc.bad))
		if err != nil || answer(pass(tc.other)) != tc.want {
			t.Errorf("%+v: %v", tc, err)
		}
	}
}

// TestAStoppedSearchGoesOn fails if what a log has is tested again, or if half a line, which a
// killed session leaves, ends the next one.
func TestAStoppedSearchGoesOn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	about := Subject{"MS-010", "1"}
	search := func(stopAfter int) (ran []int, f Found, err error) {
		log, known, err := OpenLog(path, about)
		if err != nil {
			t.Fatal(err)
		}
		defer log.Close()
		s := fake("ggggggggggbbbbbb", known, &ran)
		run := s.Run
		s.Run = func(ctx context.Context, k Kernel) (Test, error) {
			if len(ran) == stopAfter {
				return Test{}, errors.New("stopped")
			}
			one, err := run(ctx, k)
			return one, errors.Join(err, log.Add(one))
		}
		f, err = s.Find(t.Context())
		return ran, f, err
	}
	first, _, err := search(3)
	if err == nil {
		t.Fatal("it was not stopped")
	}
	torn, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := torn.WriteString(`{"sha256":"00`); err != nil {
		t.Fatal(err)
	}
	torn.Close()
	second, f, err := search(-1)
	if err != nil || f.Good.File != "9" || f.Bad.File != "10" {
		t.Errorf("%+v, %v", f, err)
	}
	for _, i := range first {
		for _, again := range second {
			if i == again {
				t.Errorf("kernel %d was tested again: %v, then %v", i, first, second)
			}
		}
	}
	if third, _, err := search(0); err != nil || len(third) != 0 {
		t.Errorf("a whole log: %v, %v", third, err)
	}
}

func TestALogOfSomethingElseIsRefused(t *testing.T) {
	for text, want := range map[string]string{
		`{"claim":"MS-001","version":"1"}` + "\n": `about "MS-001"`,
		`{"claim":"MS-010","version":"2"}` + "\n": `version "2"`,
		"# a file of mine\n":                      "line 1: it is no line of a bisect log",
		"a file of mine without an end of line":   "no log of bisect",
		`{"claim":"MS-010","version":"1"}` + "\n{\"sha256\":\"x\",\"file\":\"\",\"status\":\"pass\"}\n": "line 2: it has no SHA-256",
		`{"claim":"MS-010","version":"1"}` + "\n\n":                                                     "line 2: it is no line",
	} {
		path := filepath.Join(t.TempDir(), "log")
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, _, err := OpenLog(path, Subject{"MS-010", "1"}); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "--log") {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
		if left, err := os.ReadFile(path); err != nil || string(left) != text {
			t.Errorf("%q was changed to %q, %v", text, left, err)
		}
	}
}
