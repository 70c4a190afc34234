package wire

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

// chunks deflates text and returns the data of its chunks.
func chunks(t testing.TB, run int, text ...string) (data [][]byte) {
	t.Helper()
	d := NewDeflater(run, func(payload []byte) error {
		got, part, is := Chunk(payload)
		if got != run || !is || len(payload) > MaxPayload {
			t.Errorf("a payload of %d bytes is a chunk: %v, of run %d", len(payload), is, got)
		}
		data = append(data, append([]byte{}, part...))
		return nil
	})
	for _, s := range text {
		if _, err := d.Write([]byte(s)); err != nil {
			t.Fatal(err)
		}
		if err := d.Flush(); err != nil {
			t.Fatal(err)
		}
		if err := d.Flush(); err != nil { // it sends nothing
			t.Fatal(err)
		}
	}
	return data
}

func TestOutputArrivesAsItWasWritten(t *testing.T) {
	var large strings.Builder
	for i := 0; large.Len() < 20*MaxPayload; i++ {
		fmt.Fprintf(&large, "%x", i*i)
	}
	for _, text := range [][]string{{""}, {"one\n"}, {"one\n", "", "two\n"}, {large.String(), "end"}} {
		data := chunks(t, 7, text...)
		got, err := Inflate(bytes.Join(data, nil))
		if err != nil || string(got) != strings.Join(text, "") {
			t.Errorf("%d chunks, %d bytes, %v", len(data), len(got), err)
		}
	}
}

func TestWhatIsFlushedCanBeReadAlone(t *testing.T) {
	data := chunks(t, 1, "one\n", "two\n")
	if got, err := Inflate(data[0]); err != nil || string(got) != "one\n" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestADeflatedFloodIsRefused(t *testing.T) {
	flood := bytes.Join(chunks(t, 1, strings.Repeat("0", MaxOutput+1)), nil)
	if got, err := Inflate(flood); err == nil || !strings.Contains(err.Error(), "more than the") || got != nil {
		t.Errorf("%d bytes of %d, %v", len(got), len(flood), err)
	}
	if _, err := Inflate([]byte("\xff\xff\xff")); err == nil {
		t.Error("bytes that are not deflated were accepted")
	}
}

func FuzzChunk(f *testing.F) {
	for _, c := range chunks(f, 1, "{\"step\":\"a\"}\n", "x") {
		f.Add(c)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		_, _, _ = Chunk(b)
		if got, err := Inflate(b); err == nil && len(got) > MaxOutput {
			t.Errorf("%d bytes", len(got))
		}
	})
}
