package kernel

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

func pin(suite, arch, asked string) Pin {
	f := File{Package: "linux-image-6.1.0-50-" + arch, Version: "6.1.176-1",
		Filename: "pool/main/l/linux/" + asked + ".deb", Size: 1234, SHA256: strings.Repeat("0123456789abcdef", 4)}
	return Pin{Suite: suite, Arch: arch, Asked: asked, Release: "6.1.0-50-" + arch, Image: f}
}

func withConfig(p Pin) Pin {
	c := p.Image
	c.Package, c.SHA256 = "linux-base-"+p.Release, strings.Repeat("f", 64)
	p.Config = &c
	return p
}

func TestALockIsTheSameBytesInAnyOrder(t *testing.T) {
	pins := []Pin{
		pin("bookworm", "amd64", "linux-image-amd64"),
		pin("bookworm", "mips64el", "linux-image-5kc-malta"),
		pin("bookworm", "mips64el", "linux-image-loongson-3"),
		withConfig(pin("forky", "amd64", "linux-image-amd64")),
	}
	want, err := Lock{Kernels: pins}.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	back, err := ParseLock("kernels.lock", want)
	if err != nil {
		t.Fatalf("%v\n%s", err, want)
	}
	var l Lock
	for _, p := range slices.Backward(back.Kernels) {
		l = l.With(p).With(p)
	}
	got, err := l.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if p, ok := back.Find("forky", "amd64", "linux-image-amd64"); !ok || !p.same(pins[3]) {
		t.Errorf("Find: %v, %v", p, ok)
	}
	if p, ok := back.Find("forky", "arm64", "linux-image-amd64"); ok {
		t.Errorf("Find of another architecture gave %v", p)
	}
}

func TestAnEmptyLockIsALock(t *testing.T) {
	text, err := Lock{}.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ParseLock("kernels.lock", text); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
}

func TestABadLockSaysWhereAndWhat(t *testing.T) {
	good, err := Lock{Kernels: []Pin{withConfig(pin("bookworm", "amd64", "linux-image-amd64"))}}.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	entry, _ := strings.CutPrefix(string(good), lockHead+"kernels:\n")
	for _, r := range []struct{ name, old, new, reason string }{
		{"unknown field", "suite: bookworm", "sweet: bookworm", `unknown field "sweet"`},
		{"wrong type", "size: 1234", "size: much", "size"},
		{"negative size", "size: 1234", "size: -1", "size -1 is not between"},
		{"bad suite", "suite: bookworm", "suite: ../etc", "not the name of a suite"},
		{"bad architecture", "arch: amd64", "arch: AMD64", "not Debian's name of an architecture"},
		{"bad package", "asked: linux-image-amd64", "asked: Linux Image", "not the name of a package"},
		{"bad release", "release: 6.1.0-50-amd64", "release: six", "does not begin with numbers"},
		{"path out of the mirror", "pool/main/l/linux", "../../etc", "does not name a file below the mirror"},
		{"absolute path", "filename: pool", "filename: /pool", "does not name a file below the mirror"},
		{"bad hash of the image", "0123456789abcdef", "0123456789ABCDEF", "image: "},
		{"bad hash of the config", strings.Repeat("f", 64), "ff", "config: "},
		{"no version", "version: 6.1.176-1", `version: ""`, "version"},
		{"two entries", entry, entry + entry, "has two entries"},
		{"not YAML", "kernels:", "kernels: [", ""},
	} {
		text := strings.ReplaceAll(string(good), r.old, r.new)
		if text == string(good) {
			t.Fatalf("%s: nothing was changed in\n%s", r.name, good)
		}
		_, err := ParseLock("kernels.lock", []byte(text))
		if err == nil || !strings.Contains(err.Error(), "kernels.lock") || !strings.Contains(err.Error(), r.reason) {
			t.Errorf("%s: %v; want it to name the file and %q", r.name, err, r.reason)
		}
	}
	if _, err := ParseLock("kernels.lock", make([]byte, maxLock+1)); err == nil {
		t.Error("a lock file without bounds was accepted")
	}
}

func FuzzParseLock(f *testing.F) {
	good, err := Lock{Kernels: []Pin{withConfig(pin("forky", "amd64", "linux-image-amd64"))}}.Marshal()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte("kernels: []"))
	f.Add([]byte("a: &a [x]\nb: *a\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		l, err := ParseLock("kernels.lock", text)
		if err != nil {
			return
		}
		again, err := l.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		back, err := ParseLock("kernels.lock", again)
		if err != nil {
			t.Fatalf("what was written cannot be read: %v\n%s", err, again)
		}
		third, err := back.Marshal()
		if err != nil || !bytes.Equal(again, third) {
			t.Fatalf("not stable: %v\n%s\n%s", err, again, third)
		}
	})
}
