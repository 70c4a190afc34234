package debian

import (
	"bytes"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/mapstack/conformance/harness/cache"
	"github.com/mapstack/conformance/harness/progress"
)

// dated is an InRelease of another day, without packages.
func dated(t *testing.T, a *archive, day time.Time) {
	t.Helper()
	text := strings.Replace(steady.text(a.files["dists/trixie/main/binary-amd64/Packages.gz"]), today.Format(time.RFC1123), day.Format(time.RFC1123), 1)
	a.files["dists/trixie/InRelease"] = a.sign(t, text)
}

func newCache(t *testing.T) *cache.Cache {
	t.Helper()
	c, err := cache.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestAMirrorCannotGoBack fails if whoever answers for a mirror can hold this host at old
// packages without a word.
func TestAMirrorCannotGoBack(t *testing.T) {
	a, c := newArchive(t), newCache(t)
	a.publish(t, steady, "")
	if _, err := a.client(t, c).Release(t.Context(), "trixie"); err != nil {
		t.Fatal(err)
	}
	dated(t, a, today.AddDate(-1, 0, 0))
	for accept, want := range map[string]time.Time{"": today, "somebody": today.AddDate(-1, 0, 0)} {
		client := a.client(t, c)
		client.mirror.AcceptOlder = accept
		var warned []string
		client.sink = func(e progress.Event) {
			if e.Stage == progress.Warning {
				warned = append(warned, e.What)
			}
		}
		r, err := client.Release(t.Context(), "trixie")
		if err != nil || !r.Date.Equal(want) || len(warned) != 1 || !strings.Contains(warned[0], "was seen before") {
			t.Errorf("accepted by %q: %v, %q, %v", accept, r.Date, warned, err)
		}
	}
	dated(t, a, today.Add(time.Hour)) // the mirror is well again
	if r, err := a.client(t, c).Release(t.Context(), "trixie"); err != nil || !r.Date.Equal(today.Add(time.Hour)) {
		t.Errorf("%v", err)
	}
}

func TestAReleaseOfTheFutureIsRefused(t *testing.T) {
	a := newArchive(t)
	a.publish(t, steady, "")
	dated(t, a, today.AddDate(10, 0, 0))
	_, err := a.client(t, nil).Release(t.Context(), "trixie")
	said(t, err, "in the future", "clock")
	dated(t, a, today.Add(maxAhead-time.Hour)) // a clock that is a little behind
	if _, err := a.client(t, nil).Release(t.Context(), "trixie"); err != nil {
		t.Error(err)
	}
}

// TestAKeyVouchesForItsOwnArchive fails if the key of another archive can sign Debian's
// suites, or the other way round.
func TestAKeyVouchesForItsOwnArchive(t *testing.T) {
	for file, suites := range map[string]map[string]bool{
		"debian.gpg":                 {"trixie": true, "bookworm-backports": true, "eagle": false, "trixie2": false},
		"debian-archive-keyring.gpg": {"forky": true, "eagle-25": false},
		"eagle.gpg":                  {"eagle": true, "eagle-25": true, "trixie": false},
		".gpg":                       {"trixie": false},
	} {
		for suite, want := range suites {
			if vouches(file, suite) != want {
				t.Errorf("%s vouches for %s: %t", file, suite, !want)
			}
		}
	}
	a := newArchive(t)
	a.publish(t, steady, "")
	keys := a.keyring.(fstest.MapFS)
	a.keyring = fstest.MapFS{"eagle.gpg": keys["debian.gpg"]}
	_, err := a.client(t, nil).Release(t.Context(), "trixie")
	said(t, err, "no archive keyring vouches for suite trixie")
}

// TestAnEarlierIndexIsVerifiedAgain: it is believed for its signature, and not for its place.
func TestAnEarlierIndexIsVerifiedAgain(t *testing.T) {
	a, c := newArchive(t), newCache(t)
	client := a.client(t, c)
	for _, get := range []func() (*Index, error){
		func() (*Index, error) { return client.Kept(t.Context(), "trixie", "amd64") },
		func() (*Index, error) { return client.Previous(t.Context(), "trixie", "amd64") },
	} {
		if _, err := get(); err == nil {
			t.Error("an index from nowhere")
		}
	}
	a.publish(t, steady, a.add("linux-image-x", "1", "", []byte("one")))
	if _, err := client.Index(t.Context(), "trixie", "amd64"); err != nil {
		t.Fatal(err)
	}
	a.publish(t, steady, a.add("linux-image-x", "2", "", []byte("two")))
	dated(t, a, today.Add(time.Hour))
	client = a.client(t, c)
	if _, err := client.Index(t.Context(), "trixie", "amd64"); err != nil {
		t.Fatal(err)
	}
	offline := NewClient(c, Mirror{Source: "--offline", Offline: true}, a.keyring, progress.Discard)
	offline.now = client.now
	for _, tc := range []struct {
		get  func() (*Index, error)
		want string
	}{
		{func() (*Index, error) { return client.Previous(t.Context(), "trixie", "amd64") }, "1"},
		{func() (*Index, error) { return offline.Kept(t.Context(), "trixie", "amd64") }, "2"},
	} {
		x, err := tc.get()
		if err != nil {
			t.Fatal(err)
		}
		if p, err := x.Find("linux-image-x"); err != nil || p.Version != tc.want {
			t.Errorf("version %s, %v; want %s", p.Version, err, tc.want)
		}
	}
	file := client.keptFile("trixie", newest)
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(strings.Replace(string(b), "Origin: Debian", "Origin: Nobody", 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := offline.Kept(t.Context(), "trixie", "amd64"); err == nil {
		t.Error("a changed InRelease is believed")
	}
}

// TestASecondMirrorIsAskedForWhatIsGone, and for nothing else.
func TestASecondMirrorIsAskedForWhatIsGone(t *testing.T) {
	first, second := newArchive(t), newArchive(t)
	data := []byte("a package")
	client := first.client(t, nil)
	_, err := client.FetchSecond(t.Context(), pin(data))
	said(t, err, SnapshotVariable)
	_, err = client.Fetch(t.Context(), pin(data))
	said(t, err, "404", SnapshotVariable)
	u, err := url.Parse(second.url)
	if err != nil {
		t.Fatal(err)
	}
	client.mirror.Second = u
	second.files[pin(data).Filename] = data
	if _, err := client.FetchHere(t.Context(), pin(data)); err == nil {
		t.Error("the second mirror was asked unbidden")
	}
	path, err := client.Fetch(t.Context(), pin(data))
	if err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != string(data) {
		t.Errorf("%q, %v", b, err)
	}
	host := Host{Root: os.DirFS(t.TempDir()), Getenv: func(name string) string {
		return map[string]string{"MAPSTACK_MIRROR": first.url, SnapshotVariable: second.url, "MAPSTACK_ACCEPT_OLDER": "yes"}[name]
	}}
	if m, err := FindMirror(t.Context(), host); err != nil || m.Second == nil || m.Second.String() != second.url || m.AcceptOlder == "" {
		t.Errorf("%+v, %v", m, err)
	}
}

// TestADownloadThatDripsIsGivenUp: a byte now and then is no progress.
func TestADownloadThatDripsIsGivenUp(t *testing.T) {
	data := bigFile()
	asked := 0
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked++
		w.Header().Set("Content-Length", fmt.Sprint(len(data)))
		for _, b := range data {
			if _, err := w.Write([]byte{b}); err != nil || r.Context().Err() != nil {
				return
			}
			_ = http.NewResponseController(w).Flush()
		}
	})
	c.patience.window, c.patience.least = time.Millisecond, 1<<40
	_, err := c.Fetch(t.Context(), pin(data))
	said(t, err, "data arrives too slowly")
	if asked != c.patience.attempts {
		t.Errorf("the server was asked %d times", asked)
	}
	left, err := filepath.Glob(filepath.Join(c.cache.Root(), "work", "*"))
	if err != nil || len(left) != 1 {
		t.Fatalf("left is %v, %v", left, err)
	}
	if begun, err := os.ReadFile(left[0]); err != nil || !bytes.HasPrefix(data, begun) {
		t.Errorf("what a later run goes on with is not the beginning of the file: %d bytes, %v", len(begun), err)
	}
}
