package intake

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestAnImageThatNeedsMoreThanItselfIsRefused fails if QEMU would open a file that an
// image names, or an image would be read without a feature that it needs.
func TestAnImageThatNeedsMoreThanItselfIsRefused(t *testing.T) {
	header := func(change func([]byte)) string {
		b := make([]byte, headLen)
		copy(b, "QFI\xfb\x00\x00\x00\x03")
		b[23] = 16 // bits of a cluster
		b[103] = 104
		change(b)
		path := filepath.Join(t.TempDir(), "x.qcow2")
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	feature := func(bit int) func([]byte) {
		return func(b []byte) { b[79-bit/8] |= 1 << (bit % 8) }
	}
	refused := map[string]func([]byte){
		"layer above another file":   func(b []byte) { b[15] = 1 },
		"keeps its data in another":  feature(2),
		"is encrypted":               func(b []byte) { b[35] = 1 },
		"is of version 1":            func(b []byte) { b[7] = 1 },
		"is of version 4":            func(b []byte) { b[7] = 4 },
		"incompatible features 0x2)": feature(1), // QEMU found the image damaged
	}
	for bit := 4; bit < 64; bit++ {
		check := feature(bit)
		if err := refusal(t, header(check)); err == nil || !strings.Contains(err.Error(), "features that are unknown here") {
			t.Errorf("feature %d: %v", bit, err)
		}
	}
	for want, change := range refused {
		if err := refusal(t, header(change)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	for _, bit := range []int{0, 3} {
		if _, err := AsDisk(t.Context(), header(feature(bit))); err != nil {
			t.Errorf("feature %d, which no reader needs: %v", bit, err)
		}
	}
}

// refusal returns why an image is refused, which must not depend on what it is for.
func refusal(t *testing.T, path string) error {
	t.Helper()
	_, asDisk := AsDisk(t.Context(), path)
	_, opened := Opener{}.Open(t.Context(), path, t.TempDir())
	if asDisk == nil || opened == nil {
		t.Errorf("%s: to boot it: %v; to read it: %v", path, asDisk, opened)
		return nil
	}
	const image = "its qcow2 image"
	_, a, okA := strings.Cut(asDisk.Error(), image)
	_, b, okB := strings.Cut(opened.Error(), image)
	if !okA || !okB || a != b {
		t.Errorf("to boot it: %v; to read it: %v", asDisk, opened)
	}
	return asDisk
}

// TestAPipeIsNotWaitedFor fails if a file that nobody writes to holds the run up.
func TestAPipeIsNotWaitedFor(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o644); err != nil {
		t.Fatal(err)
	}
	repository := filepath.Join(t.TempDir(), "repodata")
	if err := os.Mkdir(repository, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(repository, "repomd.xml"), 0o644); err != nil {
		t.Fatal(err)
	}
	_, asDisk := AsDisk(t.Context(), pipe)
	_, opened := Opener{}.Open(t.Context(), pipe, t.TempDir())
	_, listed := Repository{Where: filepath.Dir(repository)}.Open(t.Context(), t.TempDir())
	for _, err := range []error{asDisk, opened, listed} {
		if err == nil || !strings.Contains(err.Error(), "no regular file") {
			t.Errorf("%v", err)
		}
	}
}
