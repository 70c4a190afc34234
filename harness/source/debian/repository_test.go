package debian

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"github.com/mapstack/conformance/harness/cache"
	"github.com/mapstack/conformance/harness/progress"
)

// vendor is an apt repository of a vendor's: a synthetic archive with other names than Debian's.
type vendor struct{ *archive }

func newVendor(t *testing.T) vendor { return vendor{newArchive(t)} }

// list puts a list of packages below a suite and returns its line in Release.
func (v vendor) list(t *testing.T, suite, name, packages string) string {
	t.Helper()
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	if _, err := z.Write([]byte(packages)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	v.files[dists(suite)+name+".gz"] = zipped.Bytes()
	return fmt.Sprintf(" %s %d ./%s.gz\n", sumOf(zipped.Bytes()), zipped.Len(), name)
}

// text is a Release with lists of packages.
func (v vendor) text(head string, lists ...string) string {
	return head + "Date: " + today.Format(time.RFC1123) + "\nSHA256:\n" + strings.Join(lists, "")
}

// seal puts the Release of a suite with a signature in a file of its own.
func (v vendor) seal(t *testing.T, suite, text string, ascii bool) {
	t.Helper()
	var made bytes.Buffer
	sign := openpgp.DetachSign
	if ascii {
		sign = openpgp.ArmoredDetachSign
	}
	if err := sign(&made, v.key, strings.NewReader(text), &packet.Config{Time: func() time.Time { return today }}); err != nil {
		t.Fatal(err)
	}
	v.files[dists(suite)+"Release"], v.files[dists(suite)+"Release.gpg"] = []byte(text), made.Bytes()
}

// open returns the repository. Without signed, nobody vouches for it.
func (v vendor) open(t *testing.T, c *cache.Cache, signed bool) *Repository {
	t.Helper()
	if c == nil {
		var err error
		if c, err = cache.Open(t.TempDir()); err != nil {
			t.Fatal(err)
		}
	}
	u, err := url.Parse(v.url)
	if err != nil {
		t.Fatal(err)
	}
	var keyring []byte
	if signed {
		var public bytes.Buffer
		if err := v.key.Serialize(&public); err != nil {
			t.Fatal(err)
		}
		keyring = public.Bytes()
	}
	r, err := NewRepository(c, Mirror{URL: u, Source: "test"}, keyring, progress.Discard)
	if err != nil {
		t.Fatal(err)
	}
	r.client.now, r.client.patience.pause = func() time.Time { return today }, time.Microsecond
	return r
}

// of returns a paragraph for an architecture.
func of(arch, paragraph string) string {
	return strings.Replace(paragraph, "Architecture: amd64", "Architecture: "+arch, 1)
}

// desktop are the packages of a vendor: two kernels with a metapackage, and what must not be
// taken for a kernel.
func desktop(v vendor) string {
	return v.add("linux-image-desktop", "5.10.2", "Depends: linux-image-5.10.0-2-desktop (= 5.10.2) | linux-image-none\n", []byte("meta")) +
		v.add("linux-image-5.10.0-1-desktop", "5.10.1", "", []byte("one")) +
		v.add("linux-image-5.10.0-2-desktop", "5.10.2", "Depends: kmod, linux-modules-5.10.0-2-desktop\n", []byte("two")) +
		v.add("linux-modules-5.10.0-2-desktop", "5.10.2", "", []byte("modules")) +
		v.add("linux-image-5.10.0-3-desktop-dbg", "5.10.9", "", []byte("symbols")) +
		of("arm64", v.add("linux-image-5.10.0-4-desktop", "5.10.4", "", []byte("other"))) +
		v.add("kernel-vendor", "6.1~rc1-1", "", []byte("odd"))
}

func TestTheNewestKernelThatIsWantedIsFound(t *testing.T) {
	for name, publish := range map[string]func(t *testing.T, v vendor, suite, text string){
		"InRelease":   func(t *testing.T, v vendor, suite, text string) { v.files[dists(suite)+"InRelease"] = v.sign(t, text) },
		"Release.gpg": func(t *testing.T, v vendor, suite, text string) { v.seal(t, suite, text, false) },
		"in ASCII":    func(t *testing.T, v vendor, suite, text string) { v.seal(t, suite, text, true) },
	} {
		for suite, components := range map[string][]string{"v10/sp1": {"extra", "main"}, "./": nil, "debs/": nil} {
			t.Run(name+" of "+suite, func(t *testing.T) {
				v := newVendor(t)
				file, more := "Packages", ""
				if components != nil {
					file = "main/binary-amd64/Packages"
					more = v.list(t, suite, "extra/binary-amd64/Packages", "")
				}
				publish(t, v, suite, v.text("Suite: something\n", v.list(t, suite, file, desktop(v)), more))
				r := v.open(t, nil, true)
				for glob, want := range map[string]string{
					"linux-image-desktop":   "linux-image-desktop 5.10.2 linux-image-5.10.0-2-desktop linux-modules-5.10.0-2-desktop",
					"linux-image-5*desktop": "linux-image-5.10.0-2-desktop 5.10.2 linux-image-5.10.0-2-desktop linux-modules-5.10.0-2-desktop",
					"kernel-*":              "kernel-vendor 6.1~rc1-1 kernel-vendor",
				} {
					found, err := r.Find(t.Context(), Wanted{Suite: suite, Components: components, Package: glob, Architectures: []string{"amd64", "x86_64"}})
					if err != nil {
						t.Fatal(err)
					}
					got := found.Asked.Name + " " + found.Asked.Version + " " + found.Image.Name
					if found.Beside != nil {
						got += " " + found.Beside.Name
					}
					if got != want {
						t.Errorf("%s: %s, want %s", glob, got, want)
					}
					if file, err := r.Fetch(t.Context(), found.Image); err != nil {
						t.Errorf("%s: %s, %v", glob, file, err)
					}
				}
			})
		}
	}
}

// TestTheSmallerPackageHasTheConfiguration fails if the modules of a kernel are downloaded for a
// configuration that is elsewhere.
func TestTheSmallerPackageHasTheConfiguration(t *testing.T) {
	v := newVendor(t)
	packages := v.add("linux-image-7.2.1-amd64", "1", "Depends: linux-modules-7.2.1-amd64, linux-base-7.2.1-amd64, linux-binary-7.2.1-amd64, linux-base\n", []byte("image"))
	for _, name := range []string{"linux-modules-7.2.1-amd64", "linux-base-7.2.1-amd64", "linux-binary-7.2.1-amd64", "linux-base"} {
		packages += v.add(name, "1", "", []byte(name))
	}
	v.files["InRelease"] = v.sign(t, v.text("", v.list(t, "./", "Packages", packages)))
	found, err := v.open(t, nil, true).Find(t.Context(), Wanted{Suite: "./", Package: "linux-image-*", Architectures: []string{"amd64"}})
	if err != nil || found.Image.Name != "linux-binary-7.2.1-amd64" || found.Beside == nil || found.Beside.Name != "linux-base-7.2.1-amd64" {
		t.Errorf("%+v, %v", found, err)
	}
}

// TestAVendorsNameOfAnArchitectureIsKnown fails if the packages of a port that Debian calls
// otherwise are not seen.
func TestAVendorsNameOfAnArchitectureIsKnown(t *testing.T) {
	v := newVendor(t)
	list := v.list(t, "x", "main/binary-sw_64/Packages", of("sw_64", v.add("linux-image-5.10.0-1", "1", "", []byte("sw"))))
	v.files["dists/x/InRelease"] = v.sign(t, v.text("Suite: x\n", list))
	w := Wanted{Suite: "x", Components: []string{"main"}, Package: "linux-image-*", Architectures: []string{"sw64", "sw_64"}}
	if found, err := v.open(t, nil, true).Find(t.Context(), w); err != nil || found.Image.Arch != "sw_64" {
		t.Errorf("%+v, %v", found, err)
	}
}

func TestARepositoryThatNobodyVouchesForIsRefused(t *testing.T) {
	stranger, err := openpgp.NewEntity("stranger", "", "", &packet.Config{Algorithm: packet.PubKeyAlgoEdDSA, Time: func() time.Time { return today.AddDate(-1, 0, 0) }})
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		spoil func(t *testing.T, v vendor)
		want  Wanted
		says  []string
	}{
		"no signature": {func(_ *testing.T, v vendor) { delete(v.files, "dists/x/Release.gpg") }, Wanted{}, []string{"it is not signed: it has neither InRelease nor Release.gpg", "sha256"}},
		"a stranger": {func(t *testing.T, v vendor) {
			v.key = stranger
			v.seal(t, "x", string(v.files["dists/x/Release"]), true)
		}, Wanted{}, []string{"not signed by a key of keyring"}},
		"a changed text":   {func(_ *testing.T, v vendor) { v.files["dists/x/Release"] = append(v.files["dists/x/Release"], '\n') }, Wanted{}, []string{"not signed by a key of keyring"}},
		"a web page":       {func(_ *testing.T, v vendor) { v.files["dists/x/InRelease"] = []byte("<html>") }, Wanted{}, []string{"no signed message"}},
		"a changed list":   {func(t *testing.T, v vendor) { v.list(t, "x", "main/binary-amd64/Packages", "Package: evil\n\n") }, Wanted{}, []string{"the signed index says"}},
		"another part":     {nil, Wanted{Components: []string{"main", "contrib"}}, []string{`component "contrib": suite x has no packages for architecture "amd64"`}},
		"no such package":  {nil, Wanted{Package: "linux-image-rt*"}, []string{`suite x has no package "linux-image-rt*" for amd64`}},
		"several packages": {nil, Wanted{Package: "linux-*5.10.0-2-desktop"}, []string{"several packages of version 5.10.2: linux-image-5.10.0-2-desktop, linux-modules-5.10.0-2-desktop", "narrow package"}},
		"another hash":     {nil, Wanted{SHA256: strings.Repeat("0", 64)}, []string{"no package with the SHA-256 000000000000..."}},
		"no repository":    {func(_ *testing.T, v vendor) { clear(v.files) }, Wanted{}, []string{"404", "correct the repository in the matrix file"}},
	} {
		t.Run(name, func(t *testing.T) {
			v := newVendor(t)
			v.seal(t, "x", v.text("Suite: x\n", v.list(t, "x", "main/binary-amd64/Packages", desktop(v))), true)
			if tc.spoil != nil {
				tc.spoil(t, v)
			}
			w := Wanted{Suite: "x", Components: []string{"main"}, Package: "linux-image-desktop", Architectures: []string{"amd64", "x86_64"}, SHA256: tc.want.SHA256}
			if tc.want.Package != "" {
				w.Package = tc.want.Package
			}
			if tc.want.Components != nil {
				w.Components = tc.want.Components
			}
			keyring := vendor{&archive{files: v.files, requests: v.requests, url: v.url, key: newVendor(t).key}}
			_, err := keyring.open(t, nil, true).Find(t.Context(), w)
			said(t, err, tc.says...)
			if strings.Contains(err.Error(), "MAPSTACK_MIRROR") {
				t.Errorf("%v speaks of Debian's mirror", err)
			}
		})
	}
}

// TestWithoutASignatureOnlyTheHashCounts fails if the list of a repository that nobody signs
// decides anything but where the package is.
func TestWithoutASignatureOnlyTheHashCounts(t *testing.T) {
	v := newVendor(t)
	v.list(t, "./", "Packages", desktop(v))
	r := v.open(t, nil, false)
	w := Wanted{Suite: "./", Package: "linux-image-*", Architectures: []string{"amd64"}, SHA256: sumOf([]byte("two"))}
	found, err := r.Find(t.Context(), w)
	if err != nil || found.Image.Name != "linux-image-5.10.0-2-desktop" || found.Beside != nil {
		t.Fatalf("%+v, %v", found, err)
	}
	if _, err := r.Fetch(t.Context(), found.Image); err != nil {
		t.Fatal(err)
	}
	v.files[found.Image.Filename] = []byte("owt")
	if _, err := v.open(t, nil, false).Fetch(t.Context(), found.Image); err == nil {
		t.Error("another package is taken")
	}
}

// TestASignedRepositoryIsReadAgainWithoutANetwork fails if what a fetch has brought is not enough,
// or if an older Release is taken for the newest.
func TestASignedRepositoryIsReadAgainWithoutANetwork(t *testing.T) {
	c, err := cache.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	v := newVendor(t)
	v.seal(t, "debs/", v.text("", v.list(t, "debs/", "Packages", desktop(v))), false)
	w := Wanted{Suite: "debs/", Package: "linux-image-desktop", Architectures: []string{"amd64"}}
	first, err := v.open(t, c, true).Find(t.Context(), w)
	if err != nil {
		t.Fatal(err)
	}
	older := strings.Replace(v.text("", v.list(t, "debs/", "Packages", v.add("linux-image-desktop", "1", "", []byte("old")))), today.Format(time.RFC1123), today.Add(-time.Hour).Format(time.RFC1123), 1)
	v.seal(t, "debs/", older, false)
	for _, offline := range []bool{false, true} {
		r := v.open(t, c, true)
		r.client.mirror.Offline = offline
		if again, err := r.Find(t.Context(), w); err != nil || again.Image != first.Image || again.Beside == nil || *again.Beside != *first.Beside {
			t.Errorf("offline %t: %+v, %v", offline, again, err)
		}
	}
	r := v.open(t, nil, true)
	r.client.mirror.Offline = true
	_, err = r.Find(t.Context(), w)
	said(t, err, "downloads are forbidden")
}

func TestAReleaseIsToldFromTheNameOfABoard(t *testing.T) {
	for name, want := range map[string]string{"linux-image-6.1.0-50-5kc-malta": "6.1.0-50-5kc-malta", "linux-image-5kc-malta": "", "linux-image-unsigned-5.15.0-1-generic": "5.15.0-1-generic",
		"linux-image-6.1.0-50-amd64-unsigned": "6.1.0-50-amd64", "linux-image-amd64": "", "linux-modules-6.1": "", "linux-image-": ""} {
		if got := kernelRelease(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func TestAKeyringWithoutAKeyIsRefused(t *testing.T) {
	c, err := cache.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, keyring := range []string{"", "no key"} {
		if _, err := NewRepository(c, Mirror{}, []byte(keyring), progress.Discard); err == nil {
			t.Errorf("%q is accepted", keyring)
		}
	}
}

func FuzzParseRepository(f *testing.F) {
	f.Add([]byte("Suite: x\n" + signatureMark + "\n\niHUE\n-----END PGP SIGNATURE-----\n"))
	f.Add([]byte(signedMessage + "\nHash: SHA512\n\nSuite: x\n" + signatureMark + "\n\niHUE\n-----END PGP SIGNATURE-----\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if r, err := parseRepository(data, nil, "x", today); err == nil {
			t.Errorf("accepted without any key: %+v", r)
		}
	})
}
