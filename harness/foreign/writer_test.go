package foreign

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode"
)

// TestNothingThatIsWrittenMovesTheCursor fails if a guest, a target or evidence can draw
// what mapstack did not say.
func TestNothingThatIsWrittenMovesTheCursor(t *testing.T) {
	for in, want := range map[string]string{
		"a table\n\tof ─ 名字\n":      "a table\n\tof ─ 名字\n",
		"\x1b[2J\x1b[32mCONFORMANT": `\u001b[2J\u001b[32mCONFORMANT`,
		"\u009b31m\u202e\r":         `\u009b31m\u202e\u000d`,
		"\x9b8m":                    "\ufffd8m",
		"cut \xe5\x90":              "cut ",
	} {
		for size := 1; size <= len(in); size++ {
			var out strings.Builder
			w := Writer(&out)
			for p := in; p != ""; p = p[min(size, len(p)):] {
				if n, err := w.Write([]byte(p[:min(size, len(p))])); err != nil || n != min(size, len(p)) {
					t.Fatalf("%d, %v", n, err)
				}
			}
			if out.String() != want {
				t.Errorf("%q in pieces of %d: %q, want %q", in, size, out.String(), want)
			}
		}
	}
}

func FuzzLines(f *testing.F) {
	for _, w := range hostile {
		f.Add(w)
	}
	f.Fuzz(func(t *testing.T, s string) {
		shown := Lines(s)
		if strings.ContainsFunc(shown, func(r rune) bool { return !unicode.IsPrint(r) && r != '\n' && r != '\t' }) {
			t.Errorf("%q is shown as %q", s, shown)
		}
		text, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		if !json.Valid([]byte(Lines(string(text)))) {
			t.Errorf("%q is JSON no more", text)
		}
	})
}
