package decompress

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
	"github.com/ulikunitz/xz"
	"github.com/ulikunitz/xz/lzma"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

// plain is longer than the decoders' buffers and not periodic at their size.
var plain = func() []byte {
	var b bytes.Buffer
	for i := range 20_000 {
		b.WriteString(strings.Repeat("kernel", 1+i%7))
		b.WriteByte(byte(i * i >> 3))
		b.WriteByte(byte(i * 31 >> 2))
	}
	return b.Bytes()
}()

// bzip2Hello is "hello, kernel\n" as bzip2(1) writes it; Go has no encoder.
const bzip2Hello = "QlpoOTFBWSZTWStP7j0AAANRgAAQQAQCTZAAIAAxADAgBtRtAjUMdE+LuSKcKEgVp/cegA=="

// compressed returns plain in every format for which Go has an encoder.
func compressed(t testing.TB) map[string]struct {
	format Format
	data   []byte
} {
	t.Helper()
	out := map[string]struct {
		format Format
		data   []byte
	}{}
	add := func(name string, f Format, open func(w io.Writer) (io.WriteCloser, error)) {
		var b bytes.Buffer
		w, err := open(&b)
		if err == nil {
			_, err = w.Write(plain)
		}
		if err == nil {
			err = w.Close()
		}
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		out[name] = struct {
			format Format
			data   []byte
		}{f, b.Bytes()}
	}
	add("gzip", Gzip, func(w io.Writer) (io.WriteCloser, error) { return gzip.NewWriter(w), nil })
	add("xz", XZ, func(w io.Writer) (io.WriteCloser, error) { return xz.NewWriter(w) })
	add("zstd", Zstd, func(w io.Writer) (io.WriteCloser, error) { return zstd.NewWriter(w) })
	add("lzma", LZMA, func(w io.Writer) (io.WriteCloser, error) { return lzma.NewWriter(w) })
	add("lz4", LZ4, func(w io.Writer) (io.WriteCloser, error) { return lz4.NewWriter(w), nil })
	add("lz4-legacy", LZ4, func(w io.Writer) (io.WriteCloser, error) {
		z := lz4.NewWriter(w)
		return z, z.Apply(lz4.LegacyOption(true))
	})
	return out
}

func TestEveryFormatComesBackWhole(t *testing.T) {
	for name, c := range compressed(t) {
		if got := Detect(c.data); got != c.format {
			t.Errorf("%s: Detect says %s", name, got)
		}
		z, err := Reader(t.Context(), bytes.NewReader(c.data), c.format)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got, err := io.ReadAll(z)
		if err != nil || !bytes.Equal(got, plain) {
			t.Errorf("%s: %d bytes (%v), want %d", name, len(got), err, len(plain))
		}
		if err := z.Close(); err != nil {
			t.Errorf("%s: Close: %v", name, err)
		}
	}
}

func TestALegacyLZ4StreamOfSeveralBlocksIsWhole(t *testing.T) {
	want := bytes.Repeat(plain, 40) // blocks are 8 MiB
	var b bytes.Buffer
	w := lz4.NewWriter(&b)
	if err := w.Apply(lz4.LegacyOption(true)); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(want); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	z, err := Reader(t.Context(), &b, LZ4)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(z); err != nil || !bytes.Equal(got, want) {
		t.Fatalf("%d bytes, %v; want %d", len(got), err, len(want))
	}
}

func TestXZWorksWithoutTheProgram(t *testing.T) {
	z, err := xzLibrary(bytes.NewReader(compressed(t)["xz"].data))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(z); err != nil || !bytes.Equal(got, plain) {
		t.Fatalf("%d bytes, %v", len(got), err)
	}
}

// TestAnotherProgramCalledXZIsLeftAlone fails if BusyBox's xz, which knows other flags, keeps
// anything from being read.
func TestAnotherProgramCalledXZIsLeftAlone(t *testing.T) {
	for name, script := range map[string]string{"BusyBox's": "echo \"xz: unrecognized option '$1'\" >&2; exit 1", "a silent one": "exit 0"} {
		dir := t.TempDir()
		t.Setenv("PATH", dir)
		if err := os.WriteFile(filepath.Join(dir, "xz"), []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		z, err := Reader(t.Context(), bytes.NewReader(compressed(t)["xz"].data), XZ)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got, err := io.ReadAll(z); err != nil || !bytes.Equal(got, plain) {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
	}
}

func TestUncompressedInputPassesThrough(t *testing.T) {
	for _, in := range []string{"", "a", "MZ\x00\x00zimg"} {
		if f := Detect([]byte(in)); f != None {
			t.Errorf("%q is taken for %s", in, f)
		}
		z, err := Reader(t.Context(), strings.NewReader(in), None)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(z); err != nil || string(got) != in {
			t.Errorf("%q became %q, %v", in, got, err)
		}
	}
}

func TestTruncationIsNeverTakenForTheEnd(t *testing.T) {
	for name, c := range compressed(t) {
		if name == "lz4-legacy" {
			continue // has no end mark; whoever knows the length compares it
		}
		z, err := Reader(t.Context(), bytes.NewReader(c.data[:len(c.data)*2/3]), c.format)
		if err != nil {
			continue
		}
		got, err := io.ReadAll(z)
		if err == nil {
			t.Errorf("%s: two thirds of the stream gave %d bytes and no error", name, len(got))
		} else if !strings.Contains(err.Error(), string(c.format)) {
			t.Errorf("%s: error does not name the format: %v", name, err)
		}
		z.Close()
	}
}

func TestABrokenSourceIsNotBlamedOnTheStream(t *testing.T) {
	broken := errors.New("the cable was pulled")
	for name, c := range compressed(t) {
		src := io.MultiReader(bytes.NewReader(c.data[:len(c.data)/2]), iotest.ErrReader(broken))
		z, err := Reader(t.Context(), src, c.format)
		if err == nil {
			_, err = io.Copy(io.Discard, z)
			z.Close()
		}
		if !errors.Is(err, broken) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestClosingEarlyLeavesNothingBehind(t *testing.T) {
	for name, c := range compressed(t) {
		z, err := Reader(t.Context(), bytes.NewReader(c.data), c.format)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(z, make([]byte, 10)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := z.Close(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if s, ok := z.(*stream).ReadCloser.(*process); ok && s.cmd.ProcessState == nil {
			t.Errorf("%s: the process was not waited for", name)
		}
	}
}

func TestACancelledContextEndsTheStream(t *testing.T) {
	for name, c := range compressed(t) {
		ctx, cancel := context.WithCancel(t.Context())
		z, err := Reader(ctx, bytes.NewReader(c.data), c.format)
		if err != nil {
			t.Fatal(err)
		}
		cancel()
		// Buffered bytes may still come out, but the end must not.
		if _, err = io.Copy(io.Discard, z); err == nil && len(c.data) > 64<<10 {
			t.Errorf("%s: read to the end after cancel", name)
		}
		z.Close()
	}
}

func TestAWindowOfGibibytesIsRefused(t *testing.T) {
	// A zstd frame header: no single segment, window descriptor 0xf8 = 2^41.
	hostile := map[Format]string{
		Zstd: "\x28\xb5\x2f\xfd\x00\xf8\x01\x00\x00",
		LZMA: "\x5d\x00\x00\x00\xf0\xff\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x00\x00",
	}
	for f, in := range hostile {
		z, err := Reader(t.Context(), strings.NewReader(in), f)
		if err == nil {
			_, err = z.Read(make([]byte, 1))
			z.Close()
		}
		if err == nil {
			t.Errorf("%s: accepted", f)
		}
	}
}

func TestAnUnknownFormatNamesTheKnownOnes(t *testing.T) {
	_, err := Reader(t.Context(), strings.NewReader(""), "lzo")
	if err == nil || !strings.Contains(err.Error(), "zstd") {
		t.Fatal(err)
	}
}

func TestBzip2IsRead(t *testing.T) {
	data, err := base64.StdEncoding.DecodeString(bzip2Hello)
	if err != nil {
		t.Fatal(err)
	}
	z, err := Reader(t.Context(), bytes.NewReader(data), Detect(data))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(z); err != nil || string(got) != "hello, kernel\n" {
		t.Fatalf("%q, %v", got, err)
	}
}

// FuzzReader reads damaged streams with every decoder that is linked into this program.
func FuzzReader(f *testing.F) {
	f.Setenv("PATH", "") // or xz(1) would read some
	for _, text := range []string{"", "kernel kernel kernel kernel"} {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		if _, err := z.Write([]byte(text)); err != nil {
			f.Fatal(err)
		}
		if err := z.Close(); err != nil {
			f.Fatal(err)
		}
		f.Add(b.Bytes())
	}
	for _, c := range compressed(f) {
		f.Add(c.data[:min(len(c.data), 2000)])
	}
	hello, err := base64.StdEncoding.DecodeString(bzip2Hello)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(hello)
	f.Fuzz(func(t *testing.T, data []byte) {
		z, err := Reader(t.Context(), bytes.NewReader(data), Detect(data))
		if err != nil {
			return
		}
		defer z.Close()
		// A bomb is stopped by whoever reads.
		if _, err := io.Copy(io.Discard, io.LimitReader(z, 16<<20)); err == nil && Detect(data) == None && len(data) > 16<<20 {
			t.Error("the input has no such length")
		}
	})
}
