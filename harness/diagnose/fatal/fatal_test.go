package fatal

import (
	"slices"
	"strings"
	"testing"
)

// TestTheRuntimesOwnWordsAreRecognised fails if a text is missed that a Go program
// printed, however the stream is cut.
func TestTheRuntimesOwnWordsAreRecognised(t *testing.T) {
	for _, c := range []struct {
		text string
		want Text
	}{
		{"runtime: failed to create new OS thread (have 14 already; errno=11)\n" +
			"runtime: may need to increase max user processes (ulimit -u)\nfatal error: newosproc\n\n",
			Text{Kind: Thread, Have: 14, Errno: 11, Line: "runtime: failed to create new OS thread (have 14 already; errno=11)"}},
		{"app[7]: 12:00:01 runtime: failed to create new OS thread (have 2 already; errno=35)\r\n",
			Text{Kind: Thread, Have: 2, Errno: 35, Line: "runtime: failed to create new OS thread (have 2 already; errno=35)"}},
		{"runtime/cgo: pthread_create failed: Resource temporarily unavailable\nSIGABRT: abort\n",
			Text{Kind: CgoThread, Reason: "Resource temporarily unavailable", Line: "runtime/cgo: pthread_create failed: Resource temporarily unavailable"}},
		{"runtime: program exceeds 20-thread limit\nfatal error: thread exhaustion\n",
			Text{Kind: TooManyThreads, Have: 20, Line: "runtime: program exceeds 20-thread limit"}},
		{"fatal error: failed to reserve page summary memory\n",
			Text{Kind: Memory, Line: "fatal error: failed to reserve page summary memory"}},
		{"runtime: mmap: access denied\n", Text{Kind: Denied, Line: "runtime: mmap: access denied"}},
		{"runtime: mmap: too much locked memory (check 'ulimit -l').\n",
			Text{Kind: LockedMemory, Line: "runtime: mmap: too much locked memory"}},
		{"fatal error: runtime: cannot allocate memory\n", Text{Kind: Memory, Line: "fatal error: runtime: cannot allocate memory"}},
	} {
		// The runtime writes numbers and words one by one.
		for _, cut := range []int{1, 3, len(c.text)} {
			var r Reader
			for rest := c.text; rest != ""; {
				n := min(cut, len(rest))
				if wrote, err := r.Write([]byte(rest[:n])); wrote != n || err != nil {
					t.Fatal(wrote, err)
				}
				rest = rest[n:]
			}
			if got := r.Take(); len(got) != 1 || got[0] != c.want {
				t.Errorf("%q by %d: %+v", c.text, cut, got)
			}
			if again := r.Take(); len(again) != 0 {
				t.Errorf("%q by %d: %+v is taken twice", c.text, cut, again)
			}
		}
	}
}

func TestOtherTextIsNot(t *testing.T) {
	for _, text := range []string{
		"", "\n\n", "panic: runtime error: index out of range\n", "failed to create new OS thread\n",
		"runtime: failed to create new OS thread (have 14 already; errno=11)", // no end yet
		strings.Repeat("x", 1<<20) + "runtime: program exceeds 20-thread limit\n",
	} {
		var r Reader
		_, _ = r.Write([]byte(text))
		if got := r.Take(); len(got) > 0 {
			t.Errorf("%.40q: %+v", text, got)
		}
	}
}

func FuzzReader(f *testing.F) {
	f.Add([]byte("runtime: failed to create new OS thread (have 14 already; errno=11)\n"), uint8(3))
	f.Fuzz(func(t *testing.T, b []byte, cut uint8) {
		var whole, pieces Reader
		_, _ = whole.Write(b)
		for rest := b; len(rest) > 0; {
			n := min(int(cut)+1, len(rest))
			_, _ = pieces.Write(rest[:n])
			rest = rest[n:]
		}
		if len(whole.line) > maxLine || len(whole.found) > maxTexts {
			t.Errorf("%d bytes and %d texts are kept", len(whole.line), len(whole.found))
		}
		if one, two := whole.Take(), pieces.Take(); !slices.Equal(one, two) {
			t.Errorf("%+v in one piece, %+v in pieces of %d", one, two, int(cut)+1)
		}
	})
}
