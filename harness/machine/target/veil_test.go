package target

import (
	"bytes"
	"io"
	"slices"
	"strings"
	"testing"
)

// TestAPasswordIsInNoLog fails if what a terminal echoes becomes evidence.
func TestAPasswordIsInNoLog(t *testing.T) {
	for _, script := range []string{"system is well", "system asks for ever", "system wants another password"} {
		b := system(t, script, "secret", patient())
		var log bytes.Buffer
		_, err := b.Ask(t.Context(), &log, "cat /etc/os-release")
		if script == "system is well" && err != nil {
			t.Fatal(err)
		}
		said := log.String()
		if err != nil {
			said += err.Error()
		}
		if strings.Contains(said, "secret") || !strings.Contains(log.String(), "***") {
			t.Errorf("%s: %q", script, said)
		}
	}
}

func TestAWordIsHiddenHoweverItIsCut(t *testing.T) {
	const text = "a secret, sec, secretsecret and se"
	for size := 1; size <= len(text); size++ {
		d := &dialogue{sink: io.Discard, news: make(chan struct{}, 1)}
		var shown bytes.Buffer
		d.to(&shown)
		d.hide("secret")
		for piece := []byte(text); len(piece) > 0; piece = piece[min(size, len(piece)):] {
			if n, err := d.Write(piece[:min(size, len(piece))]); err != nil || n != min(size, len(piece)) {
				t.Fatalf("%d, %v", n, err)
			}
		}
		d.hide("")
		if _, err := d.Write([]byte(".")); err != nil {
			t.Fatal(err)
		}
		if got := shown.String(); got != "a ***, sec, ****** and se." {
			t.Errorf("in pieces of %d: %q", size, got)
		}
	}
}

// FuzzVeil fails if a password is shown, however the bytes around it are cut.
func FuzzVeil(f *testing.F) {
	f.Add([]byte("Password: hunter2\r\nhunter2: not found"), []byte("hunter2"), 3)
	f.Add([]byte("aaaaab"), []byte("aab"), 1)
	f.Fuzz(func(t *testing.T, said, word []byte, size int) {
		if len(word) == 0 || bytes.Contains(said, []byte("*")) || bytes.Contains(word, []byte("*")) || size < 1 {
			return
		}
		v, shown := veil{word: word}, []byte(nil)
		for piece := range slices.Chunk(said, size) {
			shown = append(shown, v.pass(piece)...)
		}
		if bytes.Contains(shown, word) {
			t.Errorf("%q shows %q", shown, word)
		}
		if want := bytes.ReplaceAll(said, word, []byte("***")); !bytes.HasPrefix(want, shown) || len(want)-len(shown) >= len(word) {
			t.Errorf("%q became %q, want %q", said, shown, want)
		}
	})
}
