package debian

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"net/url"
	"os"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"

	"github.com/mapstack/conformance/harness/cache"
	"github.com/mapstack/conformance/harness/progress"
)

// said fails unless err contains every one of the parts.
func said(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one that says %q", parts)
	}
	for _, p := range parts {
		if !strings.Contains(err.Error(), p) {
			t.Errorf("error %q does not say %q", err, p)
		}
	}
}

func TestReleaseThatIsNotVouchedForIsRefused(t *testing.T) {
	for _, tc := range []struct {
		name   string
		spoil  func(t *testing.T, a *archive, signed []byte) []byte
		saying string
	}{
		{"content changed after signing", func(_ *testing.T, _ *archive, s []byte) []byte {
			return bytes.Replace(s, []byte("Origin: Debian"), []byte("Origin: Nobody"), 1)
		}, "signature is not one of"},
		{"text after the signature", func(_ *testing.T, _ *archive, s []byte) []byte {
			return append(s, "SHA256:\n 00 1 evil\n"...)
		}, "follow the signature"},
		{"text before the signed message", func(_ *testing.T, _ *archive, s []byte) []byte {
			return append([]byte("Suite: trixie\n"), s...)
		}, "does not begin with a signed message"},
		{"a web page instead", func(*testing.T, *archive, []byte) []byte {
			return []byte("<html>log in to this network</html>")
		}, "does not begin with a signed message"},
		{"truncated", func(_ *testing.T, _ *archive, s []byte) []byte { return s[:len(s)-40] }, "cut short"},
		{"not signed", func(_ *testing.T, _ *archive, s []byte) []byte {
			head, _, _ := bytes.Cut(s, []byte("-----BEGIN PGP SIGNATURE-----"))
			return head
		}, "cut short"},
		{"signed by a stranger", func(t *testing.T, a *archive, s []byte) []byte {
			stranger, err := openpgp.NewEntity("stranger", "", "", nil)
			if err != nil {
				t.Fatal(err)
			}
			return signWith(t, stranger, steady.text(a.files["dists/trixie/main/binary-amd64/Packages.gz"]))
		}, "signature is not one of"},
		{"of another suite", func(t *testing.T, a *archive, s []byte) []byte {
			return a.sign(t, release{suite: "oldstable", codename: "bookworm"}.text(nil))
		}, `signed for suite "oldstable"`},
		{"with a hash that is none", func(t *testing.T, a *archive, s []byte) []byte {
			return a.sign(t, strings.Replace(steady.text(nil), "SHA256:\n ", "SHA256:\n x", 1))
		}, "expected a hash, a size and a path"},
		{"with a path that leaves the suite", func(t *testing.T, a *archive, s []byte) []byte {
			return a.sign(t, strings.Replace(steady.text(nil), "main/", "../../", 1))
		}, "expected a hash, a size and a path"},
		{"without a date", func(t *testing.T, a *archive, s []byte) []byte {
			return a.sign(t, strings.Replace(steady.text(nil), "Date:", "Update:", 1))
		}, "is not a time"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a := newArchive(t)
			a.publish(t, steady, "")
			const file = "dists/trixie/InRelease"
			a.files[file] = tc.spoil(t, a, a.files[file])
			_, err := a.client(t, nil).Release(t.Context(), "trixie")
			said(t, err, tc.saying, file, a.url)
		})
	}
}

func TestSuiteIsFoundByEitherOfItsNames(t *testing.T) {
	a := newArchive(t)
	a.publish(t, steady, "")
	a.files["dists/stable/InRelease"] = a.files["dists/trixie/InRelease"]
	for _, suite := range []string{"trixie", "stable"} {
		r, err := a.client(t, nil).Release(t.Context(), suite)
		if err != nil {
			t.Fatal(err)
		}
		if r.Codename != "trixie" || r.Suite != suite || r.SHA256 != sumOf(a.files["dists/trixie/InRelease"]) || !r.Date.Equal(today) || r.Signer == "" {
			t.Errorf("release of %s is %+v", suite, r)
		}
	}
}

func TestExpiredReleaseIsRefusedUnlessTheMachineAcceptsIt(t *testing.T) {
	for _, tc := range []struct {
		name, until, ignore string
		refused, expired    bool
	}{
		{"no end", "", "", false, false},
		{"in time", today.Add(time.Hour).Format(time.RFC1123), "", false, false},
		{"too late", today.Add(-time.Hour).Format(time.RFC1123), "", true, false},
		{"too late but accepted", today.Add(-time.Hour).Format(time.RFC1123), "apt says so", false, true},
		{"in time and would be accepted", today.Add(time.Hour).Format(time.RFC1123), "apt says so", false, false},
		{"unreadable", "tomorrow", "apt says so", true, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a := newArchive(t)
			a.publish(t, release{"stable", "trixie", tc.until}, "")
			c := a.client(t, nil)
			c.mirror.IgnoreValidUntil = tc.ignore
			var warned []string
			c.sink = func(e progress.Event) {
				if e.Stage == progress.Warning {
					warned = append(warned, e.What)
				}
			}
			r, err := c.Release(t.Context(), "trixie")
			if (err != nil) != tc.refused {
				t.Fatalf("error %v, want one: %v", err, tc.refused)
			}
			if tc.refused {
				return
			}
			if (r.Expired != "") != tc.expired || (len(warned) == 1) != tc.expired {
				t.Errorf("Expired is %q, warnings are %q; want them: %v", r.Expired, warned, tc.expired)
			}
		})
	}
}

func TestReleaseIsFetchedOncePerRun(t *testing.T) {
	a := newArchive(t)
	a.publish(t, steady, "")
	c := a.client(t, nil)
	errs := make(chan error)
	for range 8 {
		go func() {
			_, err := c.Release(t.Context(), "trixie")
			errs <- err
		}()
	}
	for range 8 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if n := a.asked("dists/trixie/InRelease"); n != 1 {
		t.Errorf("InRelease was requested %d times, want 1", n)
	}
}

func TestCancelledCallerDoesNotFailTheOthers(t *testing.T) {
	a := newArchive(t)
	a.publish(t, steady, "")
	c := a.client(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Release(ctx, "trixie"); !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v, want context.Canceled", err)
	}
	if _, err := c.Release(t.Context(), "trixie"); err != nil {
		t.Errorf("the next caller got %v", err)
	}
}

func TestMissingKeyringSaysWhereItBelongs(t *testing.T) {
	a := newArchive(t)
	a.publish(t, steady, "")
	a.keyring = fstest.MapFS{}
	_, err := a.client(t, nil).Release(t.Context(), "trixie")
	said(t, err, "fixtures/keyrings")
	a.keyring = fstest.MapFS{"trixie.gpg": {Data: []byte("<html>")}}
	_, err = a.client(t, nil).Release(t.Context(), "trixie")
	said(t, err, "trixie.gpg")
}

func TestShippedKeyringIsReadable(t *testing.T) {
	keys, err := readKeyrings(os.DirFS("../../../fixtures/keyrings"), "trixie")
	if err != nil {
		t.Fatal(err)
	}
	if len(keys) < 6 {
		t.Errorf("it has %d keys, want those of three releases", len(keys))
	}
}

func TestSuiteNameCannotLeaveTheMirror(t *testing.T) {
	a := newArchive(t)
	for _, suite := range []string{"", "..", "../trixie", "a/b", "Trixie", "x?y"} {
		if _, err := a.client(t, nil).Release(t.Context(), suite); err == nil {
			t.Errorf("suite %q was accepted", suite)
		}
	}
}

func TestPasswordOfMirrorStaysOutOfErrors(t *testing.T) {
	a := newArchive(t)
	c := a.client(t, nil)
	c.mirror.URL.User = url.UserPassword("user", "hunter2")
	_, err := c.Release(t.Context(), "trixie")
	said(t, err, "404")
	if strings.Contains(err.Error(), "hunter2") {
		t.Errorf("error %q contains the password", err)
	}
}

func FuzzParseInRelease(f *testing.F) {
	f.Add([]byte("-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\nSuite: trixie\n-----BEGIN PGP SIGNATURE-----\n\niHUE\n-----END PGP SIGNATURE-----\n"))
	f.Add([]byte("-----BEGIN PGP SIGNED MESSAGE-----\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if r, err := parseInRelease(data, nil, "trixie", today); err == nil {
			t.Errorf("accepted without any key: %+v", r)
		}
	})
}

func FuzzParseReleaseFields(f *testing.F) {
	f.Add([]byte(steady.text([]byte("x"))))
	f.Add([]byte(release{"stable", "trixie", "Sat, 09 Aug 2025 09:16:30 UTC"}.text(nil)))
	f.Add([]byte("Suite: trixie\nDate: x\nSHA256:\n a b c\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		r := &Release{Suite: "trixie"}
		if err := r.parse(data); err != nil {
			return
		}
		for name, l := range r.files {
			if l.size < 0 || !cache.ValidSHA256(l.sha256) || !fs.ValidPath(name) {
				t.Errorf("accepted %q: %+v", name, l)
			}
		}
	})
}
