package foreign

import (
	"encoding/json"
	"os/exec"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// hostile are names that somebody else chose.
var hostile = []string{
	"", "plain", "a b", "it's", "a;b $(c)\x1b[8m", "x`./p`", "#c", "~root", "{a,b}", "!!", "-n", "=ls", "a\nb", "\x9b8m", "\u202egpj", "\u009b31m",
	"back\\slash", "\x1b7", "\xff\xfe", "名字", "a\u200bb", "\U000e0041", "\x00", "\u2028", "\ufffd", "tab\there",
}

// TestAShellReadsBackWhatWasQuoted fails if a pasted command has other words than were
// meant, or runs anything in them.
func TestAShellReadsBackWhatWasQuoted(t *testing.T) {
	shell, err := exec.LookPath("bash")
	if err != nil {
		t.Skip(err)
	}
	for _, w := range hostile {
		if strings.Contains(w, "\x00") {
			continue // no word of a command has one
		}
		out, err := exec.Command(shell, "-c", "printf '<%s>' "+Shell("a", w, "b")).CombinedOutput()
		if want := "<a><" + w + "><b>"; err != nil || string(out) != want {
			t.Errorf("%q as %s: %q, %v", w, Shell(w), out, err)
		}
	}
}

func TestPlainWordsStayPlain(t *testing.T) {
	for word, want := range map[string]bool{
		"/sys/fs/cgroup/system.slice/app@1.service/pids.max": true, "-x=1": true, "": false, "=ls": false, "~": false, "a b": false, "é": false,
	} {
		if Plain(word) != want || (Shell(word) == word) != want {
			t.Errorf("%q: %t, %s", word, Plain(word), Shell(word))
		}
	}
}

func FuzzForeign(f *testing.F) {
	for _, w := range hostile {
		f.Add(w)
	}
	f.Fuzz(func(t *testing.T, w string) {
		for _, shown := range []string{Shell(w), Text(w)} {
			if !utf8.ValidString(shown) || strings.ContainsFunc(shown, func(r rune) bool { return !unicode.IsPrint(r) }) {
				t.Errorf("%q is shown as %q", w, shown)
			}
		}
		if Text(Text(w)) != Text(w) {
			t.Errorf("%q: %q is changed again", w, Text(w))
		}
		text, err := json.MarshalIndent(map[string]string{w: w}, "", "\t")
		if err != nil {
			t.Fatal(err)
		}
		written := JSON(text)
		if strings.ContainsFunc(string(written), func(r rune) bool { return !unicode.IsPrint(r) && r != '\n' && r != '\t' }) {
			t.Errorf("%q is written as %q", w, written)
		}
		var before, after map[string]string
		if json.Unmarshal(text, &before) != nil || json.Unmarshal(written, &after) != nil || len(after) != 1 {
			t.Fatalf("%q is no JSON", written)
		}
		for key := range before {
			if after[key] != before[key] {
				t.Errorf("%q became %q", before, after)
			}
		}
	})
}
