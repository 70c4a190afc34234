package console

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/mapstack/conformance/poc/wire"
)

type seen struct {
	frames  []wire.Frame
	damaged int
	log     bytes.Buffer
}

func (s *seen) stream() *Stream {
	return NewStream(&s.log, func(f wire.Frame) { s.frames = append(s.frames, f) }, func() { s.damaged++ }, func(Crash) {})
}

func frame(t testing.TB, seq uint32, payload string) []byte {
	t.Helper()
	line, err := wire.Encode(wire.GuestPrefix, wire.Frame{Seq: seq, Payload: []byte(payload)})
	if err != nil {
		t.Fatal(err)
	}
	return line
}

func TestFramesAreFoundHoweverTheBytesAreCut(t *testing.T) {
	input := append([]byte("[ 0.1] booting\r\n"), frame(t, 0, "hello")...)
	input = append(input, "[ 0.2] chatter "...)
	input = append(input, frame(t, 1, "more")...)
	input = append(input, frame(t, 2, "broken")[:20]...)
	input = append(input, '\n')
	for size := 1; size <= len(input); size++ {
		var s seen
		st := s.stream()
		for at := 0; at < len(input); at += size {
			if _, err := st.Write(input[at:min(at+size, len(input))]); err != nil {
				t.Fatal(err)
			}
		}
		if len(s.frames) != 2 || s.frames[1].Seq != 1 || s.damaged != 1 {
			t.Fatalf("chunks of %d: %d frames, %d damaged", size, len(s.frames), s.damaged)
		}
		if !bytes.Equal(s.log.Bytes(), input) {
			t.Fatalf("chunks of %d: the log is not what the guest wrote", size)
		}
	}
}

func TestAnEndlessLineOrAnEndlessGuestFillsNothing(t *testing.T) {
	var s seen
	st := s.stream()
	chunk := bytes.Repeat([]byte("x"), 1<<20)
	for i := 0; i < 20; i++ {
		_, _ = st.Write(chunk)
	}
	if cap(st.line) > 2*maxLine {
		t.Errorf("the line buffer grew to %d bytes", cap(st.line))
	}
	if s.log.Len() > maxLog+100 || !strings.Contains(s.log.String()[maxLog:], "ends here") {
		t.Errorf("log of %d bytes, want it cut at %d with a note", s.log.Len(), maxLog)
	}
	_, _ = st.Write([]byte("\n"))
	_, _ = st.Write(frame(t, 3, "still heard"))
	if len(s.frames) != 1 {
		t.Error("a frame after the endless line was lost")
	}
}

func TestCrashTable(t *testing.T) {
	corpus, err := os.ReadFile("testdata/crash.txt")
	if err != nil {
		t.Fatal(err)
	}
	for n, row := range strings.Split(strings.TrimSpace(string(corpus)), "\n") {
		want, line, ok := strings.Cut(row, "\t")
		if !ok {
			continue
		}
		if want == "-" {
			want = ""
		}
		var s seen
		st := s.stream()
		_, _ = fmt.Fprintf(st, "%s\n", line)
		if got := st.Crash(); string(got.Kind) != want {
			t.Errorf("testdata/crash.txt:%d: got %q, want %q: %s", n+1, got.Kind, want, line)
		}
	}
}

func TestTheTailHoldsNoControlCharacters(t *testing.T) {
	var s seen
	st := s.stream()
	_, _ = st.Write([]byte("\x1b[31mred\x07\xff\u202e\u200b\u009b\n\x1b]0;title\x07 partial"))
	tail := st.Tail()
	if strings.ContainsAny(tail, "\x1b\x07\ufffd\u202e\u200b\u009b") || !strings.Contains(tail, "[31mred") || !strings.Contains(tail, "partial") {
		t.Errorf("tail %q", tail)
	}
}

// TestTheTailKeepsTheLineOfTheCrash fails if a long stack drives out the line that says
// what the stack is of.
func TestTheTailKeepsTheLineOfTheCrash(t *testing.T) {
	const died = "Kernel panic - not syncing: Fatal exception"
	for name, stack := range map[string]string{
		"short":      "[<900000000022c0a8>] show_stack+0x64/0x188\n",
		"many lines": strings.Repeat("[<900000000022c0a8>] show_stack+0x64/0x188\n", 2*tailLines),
		"long lines": strings.Repeat(strings.Repeat("x", tailBytes/4)+"\n", tailLines),
	} {
		var s seen
		st := s.stream()
		_, _ = fmt.Fprintf(st, "all is well\n%s\n%s", died, stack)
		if tail := st.Tail(); strings.Count(tail, died) != 1 || len(tail) > 2*tailBytes+100 {
			t.Errorf("%s: %d bytes\n%s", name, len(tail), tail)
		}
	}
}

// full is a log on a disk that has room for a few bytes.
type full struct{ room int }

func (f *full) Write(p []byte) (int, error) {
	n := min(f.room, len(p))
	f.room -= n
	if n < len(p) {
		return n, syscall.ENOSPC
	}
	return n, nil
}

func TestALogThatCannotBeKeptIsNoticedAndStopsNothing(t *testing.T) {
	frames := 0
	st := NewStream(&full{room: 10}, func(wire.Frame) { frames++ }, func() {}, func(Crash) {})
	for seq := range uint32(3) {
		if _, err := st.Write(frame(t, seq, "x")); err != nil {
			t.Errorf("the guest's output is held up: %v", err)
		}
	}
	if frames != 3 || !errors.Is(st.Err(), syscall.ENOSPC) {
		t.Errorf("%d frames, error %v", frames, st.Err())
	}
}

func FuzzStream(f *testing.F) {
	f.Add([]byte("@MSg2 0 2 4ad8c4bd e30=\nKernel panic - not syncing\n"), 3)
	f.Add([]byte("\xff\xfe@MSg2 \n\r\n@MSg2 1 1 1 1"), 1)
	f.Fuzz(func(t *testing.T, input []byte, size int) {
		if size < 1 || size > 1<<16 {
			size = 7
		}
		var whole, cut seen
		_, _ = whole.stream().Write(input)
		st := cut.stream()
		for at := 0; at < len(input); at += size {
			_, _ = st.Write(input[at:min(at+size, len(input))])
		}
		if len(whole.frames) != len(cut.frames) || whole.damaged != cut.damaged {
			t.Fatalf("%d frames and %d damaged in one piece, %d and %d in pieces of %d",
				len(whole.frames), whole.damaged, len(cut.frames), cut.damaged, size)
		}
	})
}
