package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/mapstack/conformance/harness/foreign"
)

// triedCases are the cases of diagnose that a guest tried, as its console tells.
type triedCases struct {
	passed         int
	missed, failed []string
	// words are what each case wrote.
	words map[string]string
}

// tried reads what go test -v wrote to the console of a guest.
func tried(console string) triedCases {
	t := triedCases{words: map[string]string{}}
	name := ""
	for line := range strings.Lines(console) {
		if _, begun, found := strings.Cut(line, "=== RUN   "); found {
			_, name, _ = strings.Cut(strings.TrimSpace(begun), "/")
		}
		ended, failed := strings.CutPrefix(line, "    --- FAIL: ")
		switch {
		case failed:
			_, whole, _ := strings.Cut(strings.TrimSpace(ended), "/")
			short, _, _ := strings.Cut(whole, " ")
			t.failed = append(t.failed, short)
		case strings.HasPrefix(line, "    --- PASS: "):
			t.passed++
		default:
			t.words[name] += line
		}
		if strings.Contains(line, ": not run: ") {
			t.missed = append(t.missed, name)
		}
	}
	return t
}

// failures returns what the cases that failed wrote, and how the console ends: CI keeps
// only the beginning of a long message.
func failures(console string) string {
	const each, all, end = 1500, 8000, 1000 // bytes
	done := tried(console)
	var b strings.Builder
	for i, name := range done.failed {
		if b.Len() > all {
			b.WriteString("also: " + strings.Join(done.failed[i:], ", ") + "\n")
			break
		}
		words := done.words[name]
		b.WriteString(words[:min(len(words), each)] + "\n")
	}
	return foreign.Lines(b.String() + "The console ends with:\n" + console[max(0, len(console)-end):])
}

// TestAFailureInAGuestIsShownAlone fails if one must look for the case that failed among
// those that passed.
func TestAFailureInAGuestIsShownAlone(t *testing.T) {
	const test = "TestWhatPeopleMetIsToldRightly"
	var begins, ends strings.Builder
	begins.WriteString("[    0.1] Linux\n=== RUN   " + test + "\n")
	for _, c := range [][2]string{{"one", "PASS"}, {"two", "FAIL"}, {"three", "SKIP"}} {
		begins.WriteString("=== RUN   " + test + "/" + c[0] + "\n    cases_test.go:9: words of " + c[0] + strings.Repeat(".", 3000) + "\n")
		ends.WriteString("    --- " + c[1] + ": " + test + "/" + c[0] + " (0.10s)\n")
	}
	console := begins.String() + "    table_test.go:1: not run: nothing\n--- FAIL: " + test + " (9.00s)\n" + ends.String() + "FAIL\ncases-end 1 <nil>\n"
	done := tried(console)
	if done.passed != 1 || !slices.Equal(done.missed, []string{"three"}) || !slices.Equal(done.failed, []string{"two"}) {
		t.Errorf("%d passed, %q missed, %q failed", done.passed, done.missed, done.failed)
	}
	shown := failures(console)
	if !strings.Contains(shown, "words of two") || strings.Contains(shown, "words of one") || !strings.Contains(shown, "cases-end 1") || len(shown) > 3000 {
		t.Errorf("%d bytes: %s", len(shown), shown)
	}
}
