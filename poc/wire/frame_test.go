package wire

import (
	"bytes"
	"errors"
	"testing"
)

func encode(t *testing.T, seq uint32, payload string) []byte {
	t.Helper()
	line, err := Encode(GuestPrefix, Frame{Seq: seq, Payload: []byte(payload)})
	if err != nil {
		t.Fatal(err)
	}
	return line
}

func TestFrameSurvivesWhatAConsoleAddsAroundIt(t *testing.T) {
	line := encode(t, 7, `{"kind":"hello"}`)
	for name, got := range map[string][]byte{
		"as sent":               line,
		"tty turned LF to CRLF": append(bytes.TrimRight(line, "\n"), "\r\n"...),
		"printk before it":      append([]byte("[    1.234567] random: crng init done "), line...),
		"a cut frame before it": append(append([]byte{}, line[:20]...), line...),
	} {
		f, err := Decode(GuestPrefix, got)
		if err != nil || f.Seq != 7 || string(f.Payload) != `{"kind":"hello"}` {
			t.Errorf("%s: got seq %d, payload %q, error %v", name, f.Seq, f.Payload, err)
		}
	}
}

func TestEveryChangedByteIsNoticed(t *testing.T) {
	line := encode(t, 41, `{"kind":"observation"}`)
	body := line[len(GuestPrefix) : len(line)-1]
	for i := range body {
		for _, b := range []byte{'A', 'z', '0', '9', ' ', '=', 0} {
			if body[i] == b {
				continue
			}
			changed := append([]byte{}, line...)
			changed[len(GuestPrefix)+i] = b
			if f, err := Decode(GuestPrefix, changed); err == nil {
				t.Errorf("byte %d changed from %q to %q went unnoticed: %d %q", i, body[i], b, f.Seq, f.Payload)
			}
		}
	}
}

func TestPrintkInsideAFrameIsDamageNotData(t *testing.T) {
	line := encode(t, 1, `{"kind":"observation","run":1}`)
	for cut := len(GuestPrefix); cut < len(line); cut++ {
		mixed := append(append(append([]byte{}, line[:cut]...), "[   12.000001] usb 1-1: new device\n"...), line[cut:]...)
		for _, part := range bytes.SplitAfter(mixed, []byte("\n")) {
			if f, err := Decode(GuestPrefix, part); err == nil {
				t.Fatalf("cut at %d: %q decoded as %d %q", cut, part, f.Seq, f.Payload)
			}
		}
	}
}

func TestALineWithoutAFrameIsNotCalledDamaged(t *testing.T) {
	for _, line := range []string{"", "\n", "Run /init as init process\n", "@MSh2 0 2 00000000 e30=\n"} {
		if _, err := Decode(GuestPrefix, []byte(line)); !errors.Is(err, ErrNoFrame) {
			t.Errorf("%q: %v", line, err)
		}
	}
}

func TestAPayloadTooLargeIsRefusedBeforeItIsSent(t *testing.T) {
	if _, err := Encode(GuestPrefix, Frame{Payload: make([]byte, MaxPayload+1)}); err == nil {
		t.Error("no error")
	}
	line, err := Encode(GuestPrefix, Frame{Seq: 1<<32 - 1, Payload: make([]byte, MaxPayload)})
	if err != nil || len(line) > MaxLine {
		t.Errorf("largest frame: %d bytes, MaxLine %d, error %v", len(line), MaxLine, err)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte("@MSg2 0 2 4ad8c4bd e30=\n"))
	f.Add([]byte("@MSg2 @MSg2 1 2 3 4"))
	f.Add([]byte("[ 0.1] x @MSg2 4294967296 99999 zzzzzzzz ===\r\n"))
	f.Fuzz(func(t *testing.T, line []byte) {
		frame, err := Decode(GuestPrefix, line)
		if err != nil {
			return
		}
		again, err := Encode(GuestPrefix, frame)
		if err != nil {
			t.Fatalf("decoded frame cannot be encoded: %v", err)
		}
		back, err := Decode(GuestPrefix, again)
		if err != nil || back.Seq != frame.Seq || !bytes.Equal(back.Payload, frame.Payload) {
			t.Fatalf("round trip of %q: %v", line, err)
		}
	})
}
