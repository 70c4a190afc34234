package debian

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/mapstack/conformance/harness/cache"
)

// index publishes the paragraphs and reads them back.
func index(t *testing.T, a *archive, paragraphs ...string) *Index {
	t.Helper()
	a.publish(t, steady, strings.Join(paragraphs, ""))
	x, err := a.client(t, nil).Index(t.Context(), "trixie", "amd64")
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func TestPackageIsFoundWithAllThatIsNeededToFetchIt(t *testing.T) {
	a := newArchive(t)
	deb := makeDeb(t, entry{name: "./boot/vmlinuz", content: "kernel"})
	x := index(t, a,
		a.add("qemu", "1:10.0", "", []byte("other")),
		a.add("linux-image-6.1", "6.1.9-1", "Pre-Depends: libc6 (>= 2.36)\nDepends: kmod,\n linux-base (>= 4.3~) | initramfs-tools\nProvides: linux-image\n", deb))
	p, err := x.Find("linux-image-6.1")
	if err != nil {
		t.Fatal(err)
	}
	want := Package{
		Suite: "trixie", Name: "linux-image-6.1", Version: "6.1.9-1", Arch: "amd64",
		Filename: "pool/main/linux-image-6.1_6.1.9-1_amd64.deb", Size: int64(len(deb)), SHA256: sumOf(deb),
		Depends: "libc6 (>= 2.36), kmod, linux-base (>= 4.3~) | initramfs-tools", Provides: "linux-image",
	}
	if p != want {
		t.Errorf("found %+v, want %+v", p, want)
	}
	needs, err := p.DependsOn()
	if err != nil || !reflect.DeepEqual(needs, [][]string{{"libc6"}, {"kmod"}, {"linux-base", "initramfs-tools"}}) {
		t.Errorf("it depends on %v, %v", needs, err)
	}
	path, err := a.client(t, nil).Fetch(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := os.ReadFile(path); !bytes.Equal(got, deb) {
		t.Error("the fetched file is not the package")
	}
}

func TestHighestOfSeveralVersionsIsFound(t *testing.T) {
	a := newArchive(t)
	x := index(t, a, a.add("linux-x", "6.1.9-1", "", []byte("a")), a.add("linux-x", "6.1.10-1", "", []byte("b")), a.add("linux-x", "6.1.10-1~bpo1", "", []byte("c")))
	if p, err := x.Find("linux-x"); err != nil || p.Version != "6.1.10-1" {
		t.Errorf("found version %q, %v; want 6.1.10-1", p.Version, err)
	}
}

func TestUnknownNamesSayWhatThereIs(t *testing.T) {
	a := newArchive(t)
	x := index(t, a, a.add("linux-x", "1", "", []byte("a")), a.add("linux-y", "1", "", []byte("b")))
	_, err := x.Find("linux-z")
	said(t, err, `no package "linux-z"`, "trixie", "amd64")
	_, err = a.client(t, nil).Index(t.Context(), "trixie", "sw64")
	said(t, err, `"sw64"`, "all, amd64, arm64")
	_, err = a.client(t, nil).Index(t.Context(), "trixie", "../x")
	said(t, err, "../x")
	if got, err := x.Names("linux-"); err != nil || !reflect.DeepEqual(got, []string{"linux-x", "linux-y"}) {
		t.Errorf("names are %v, %v", got, err)
	}
}

func TestDamagedIndexIsRefused(t *testing.T) {
	a := newArchive(t)
	a.publish(t, steady, a.add("linux-x", "1", "", []byte("a")))
	const file = "dists/trixie/main/binary-amd64/Packages.gz"
	a.files[file][20] ^= 1
	_, err := a.client(t, nil).Index(t.Context(), "trixie", "amd64")
	said(t, err, "trixie amd64 package index", file, a.url, "MAPSTACK_MIRROR")
}

func TestWarmIndexIsNotReadAgain(t *testing.T) {
	a := newArchive(t)
	store, err := cache.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	a.publish(t, steady, a.add("linux-x", "1", "", []byte("a")))
	for range 3 {
		x, err := a.client(t, store).Index(t.Context(), "trixie", "amd64")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := x.Find("linux-x"); err != nil {
			t.Error(err)
		}
	}
	if n := a.asked("dists/trixie/main/binary-amd64/Packages.gz"); n != 1 {
		t.Errorf("the index was downloaded %d times, want 1", n)
	}
}

func TestClosureFollowsAlternativesAndProvides(t *testing.T) {
	a := newArchive(t)
	x := index(t, a,
		a.add("root", "1", "Pre-Depends: first\nDepends: absent | second:any (>= 1), virtual, twice (<< 9) | second\n", []byte("a")),
		a.add("first", "1", "Depends: root\n", []byte("b")), // a cycle
		a.add("second", "1", "Recommends: unwanted\nDepends: versioned-virtual (= 2)\n", []byte("c")),
		a.add("provider-b", "1", "Provides: virtual\n", []byte("d")),
		a.add("provider-a", "1", "Provides: other, virtual (= 3), versioned-virtual (= 2)\n", []byte("e")),
		a.add("unwanted", "1", "", []byte("f")),
		a.add("twice", "1", "", []byte("g")),
	)
	all, err := Closure(x, []string{"root"})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range all {
		got = append(got, p.Name)
	}
	if want := []string{"first", "provider-a", "root", "second"}; !reflect.DeepEqual(got, want) {
		t.Errorf("closure is %v, want %v", got, want)
	}
}

func TestLeftOutPackageIsNotFollowed(t *testing.T) {
	a := newArchive(t)
	x := index(t, a,
		a.add("root", "1", "Depends: heavy | light, needed\n", []byte("a")),
		a.add("heavy", "1", "Depends: heavier\n", []byte("b")),
		a.add("light", "1", "", []byte("c")),
		a.add("needed", "1", "", []byte("d")))
	all, err := Closure(x, []string{"root"}, "heavy")
	if err != nil || len(all) != 2 || all[0].Name != "needed" || all[1].Name != "root" {
		t.Errorf("closure is %+v, %v; want needed and root", all, err)
	}
}

func TestUnsatisfiableDependencyNamesBothSides(t *testing.T) {
	a := newArchive(t)
	x := index(t, a, a.add("root", "1", "Depends: nowhere | neither\n", []byte("a")))
	_, err := Closure(x, []string{"root"})
	said(t, err, "root 1", "nowhere or neither", "trixie")
	_, err = Closure(x, []string{"nothing"})
	said(t, err, `"nothing"`)
}

func TestSpoiltParagraphIsRefusedWhenAskedFor(t *testing.T) {
	const sum = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
	whole := map[string]string{"Package": "linux-x", "Version": "1", "Architecture": "amd64", "Filename": "pool/x.deb", "Size": "5", "SHA256": sum}
	for field, bad := range map[string][]string{
		"Version":  {"", "a b"},
		"Filename": {"", "../x", "/x", "pool/../../x"},
		"Size":     {"", "-1", "0", "9e9", "99999999999999999999"},
		"SHA256":   {"", "abc", "../" + sum},
	} {
		for _, value := range bad {
			text := ""
			for k, v := range whole {
				if k == field {
					v = value
				}
				text += k + ": " + v + "\n"
			}
			x := index(t, newArchive(t), text+"\n")
			if p, err := x.Find("linux-x"); err == nil {
				t.Errorf("%s %q was accepted: %+v", field, value, p)
			}
		}
	}
}

func TestOversizedParagraphIsRefused(t *testing.T) {
	long := io.MultiReader(strings.NewReader("Package: x\n"), repeat("Depends: a\n"))
	if err := reduce(long, io.Discard, io.Discard); err == nil {
		t.Error("an oversized paragraph was accepted")
	}
	if err := reduce(repeat("x"), io.Discard, io.Discard); err == nil {
		t.Error("an oversized line was accepted")
	}
}

// repeat is more than any paragraph may have.
func repeat(s string) io.Reader {
	return strings.NewReader(strings.Repeat(s, 3<<20))
}

func FuzzReduce(f *testing.F) {
	f.Add([]byte("Package: linux-x\nVersion: 1\nArchitecture: amd64\nFilename: pool/x\nSize: 1\nSHA256: 00\nDescription: x\n y\n\nPackage: y\n"))
	f.Add([]byte("\n\n : \nPackage: \n Package: x\nDepends: a,\n b\n"))
	f.Add([]byte(paragraph("linux-a", "1:2~3-4", "pool/a.deb", "Provides: b (= 1), c\n", []byte("x"))))
	f.Fuzz(func(t *testing.T, data []byte) {
		var kernels, others bytes.Buffer
		if reduce(bytes.NewReader(data), &kernels, &others) != nil {
			return
		}
		dir := t.TempDir()
		for name, b := range map[string][]byte{kernelsFile: kernels.Bytes(), othersFile: others.Bytes()} {
			if err := os.WriteFile(filepath.Join(dir, name), b, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		x := openIndex(&Release{Suite: "trixie"}, "amd64", dir)
		names, err := x.Names("")
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range names {
			p, err := x.Find(n)
			if err == nil && p.Name != n {
				t.Errorf("looked for %q, found %q", n, p.Name)
			}
			_, _ = Closure(x, []string{n})
		}
	})
}

func BenchmarkReduce(b *testing.B) {
	var text strings.Builder
	for i := range 10_000 {
		text.WriteString(paragraph(fmt.Sprintf("package-%d", i), "1", "pool/x", "Depends: libc6 (>= 2.36), libgcc-s1\n", []byte("x")))
	}
	b.SetBytes(int64(text.Len()))
	for b.Loop() {
		if err := reduce(strings.NewReader(text.String()), io.Discard, io.Discard); err != nil {
			b.Fatal(err)
		}
	}
}

// While a mirror is being updated the file of a name is newer than the InRelease
// that was read before; the one of its hash is still there.
func TestAnIndexThatIsBeingReplacedIsHadByItsHash(t *testing.T) {
	a := newArchive(t)
	a.publish(t, steady, a.add("linux-x", "1", "", []byte("a")))
	const dir = "dists/trixie/main/binary-amd64/"
	first := a.files[dir+"Packages.gz"]
	a.files["dists/trixie/InRelease"] = a.sign(t, "Acquire-By-Hash: yes\n"+steady.text(first))
	newer := append([]byte("newer"), first...)
	for name, kept := range map[string]map[string][]byte{
		"the name has a newer one":    {dir + "Packages.gz": newer, dir + "by-hash/SHA256/" + sumOf(first): first},
		"the hash is not there":       {dir + "Packages.gz": first},
		"both are there and the same": {dir + "Packages.gz": first, dir + "by-hash/SHA256/" + sumOf(first): first},
	} {
		delete(a.files, dir+"by-hash/SHA256/"+sumOf(first))
		maps.Copy(a.files, kept)
		x, err := a.client(t, nil).Index(t.Context(), "trixie", "amd64")
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if _, err := x.Find("linux-x"); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
