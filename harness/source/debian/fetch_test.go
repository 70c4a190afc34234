package debian

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/mapstack/conformance/harness/cache"
	"github.com/mapstack/conformance/harness/progress"
)

// bigFile needs several reads, and a byte out of place shows.
func bigFile() []byte {
	var b bytes.Buffer
	for i := range 60_000 {
		fmt.Fprintf(&b, "%08d", i)
	}
	return b.Bytes()
}

func pin(data []byte) Package {
	return Package{Name: "linux-image-x", Version: "6.1-1", Filename: "pool/x+y~1.deb", Size: int64(len(data)), SHA256: sumOf(data)}
}

// serve returns a client of a server that answers with h.
func serve(t *testing.T, h http.HandlerFunc) *Client {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return (&archive{url: s.URL}).client(t, nil)
}

func TestBrokenConnectionIsResumed(t *testing.T) {
	data := bigFile()
	for _, ranges := range []bool{true, false} {
		t.Run("server with ranges "+strconv.FormatBool(ranges), func(t *testing.T) {
			var asked []string
			c := serve(t, func(w http.ResponseWriter, r *http.Request) {
				asked = append(asked, r.Header.Get("Range"))
				if !ranges {
					r.Header.Del("Range")
				}
				if len(asked) <= 2 {
					w = &cutShort{ResponseWriter: w, left: len(data) / 4}
				}
				http.ServeContent(w, r, "", today, bytes.NewReader(data))
			})
			path, err := c.Fetch(t.Context(), pin(data))
			if err != nil {
				t.Fatal(err)
			}
			if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, data) {
				t.Errorf("%d bytes arrived, %v; want the %d of the file", len(got), err, len(data))
			}
			if len(asked) != 3 || asked[0] != "" || asked[1] == "" {
				t.Errorf("ranges asked for are %q, want three, the later ones resuming", asked)
			}
		})
	}
}

// cutShort drops the connection after some bytes of the body.
type cutShort struct {
	http.ResponseWriter
	left int
}

func (w *cutShort) Write(p []byte) (int, error) {
	if len(p) > w.left {
		_, _ = w.ResponseWriter.Write(p[:w.left])
		_ = http.NewResponseController(w.ResponseWriter).Flush()
		panic(http.ErrAbortHandler)
	}
	w.left -= len(p)
	return w.ResponseWriter.Write(p)
}

func TestDownloadThatCannotBeRightIsRefusedAndSaysWhatToDo(t *testing.T) {
	data := bigFile()
	body := func(b []byte) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write(b) }
	}
	for _, tc := range []struct {
		name   string
		serve  http.HandlerFunc
		saying string
		kind   error
	}{
		{"other content", body(bytes.ToUpper(append([]byte("a"), data[1:]...))), "SHA-256 is", cache.ErrContent},
		{"truncated", body(data[:1000]), "1000 bytes", nil},
		{"too long", body(append(data[:len(data):len(data)], 'x')), "bytes", nil},
		{"endless", func(w http.ResponseWriter, r *http.Request) {
			for {
				if _, err := w.Write(data); err != nil {
					return
				}
			}
		}, "more than", nil},
		{"gone", http.NotFound, "404", nil},
		{"forbidden", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusForbidden) }, "403", nil},
		{"down", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusBadGateway) }, "502", nil},
		{"redirected to this machine's files", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "file:///etc/passwd", http.StatusFound)
		}, "redirected to a file URL", nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := serve(t, tc.serve)
			var last progress.Event
			c.sink = func(e progress.Event) { last = e }
			_, err := c.Fetch(t.Context(), pin(data))
			said(t, err, tc.saying, "linux-image-x 6.1-1", "pool/x+y~1.deb", c.mirror.URL.String(), "MAPSTACK_MIRROR")
			if tc.kind != nil && !errors.Is(err, tc.kind) {
				t.Errorf("error %v is not %v", err, tc.kind)
			}
			if gone := tc.name == "down"; errors.Is(err, ErrUnreachable) != gone {
				t.Errorf("error %v: is ErrUnreachable %v, want %v", err, !gone, gone)
			}
			if !last.End {
				t.Errorf("the last event is %+v, want one with End", last)
			}
		})
	}
}

func TestUnreachableMirrorSaysSo(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := (&archive{url: "http://" + l.Addr().String()}).client(t, nil)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	_, err = c.Fetch(t.Context(), pin([]byte("x")))
	said(t, err, "linux-image-x", "refused", "MAPSTACK_MIRROR")
	if !errors.Is(err, ErrUnreachable) {
		t.Errorf("error %v is not ErrUnreachable", err)
	}
}

func TestPinnedPackageNeedsNoNetworkOnceCached(t *testing.T) {
	a := newArchive(t)
	data := bigFile()
	a.files["pool/x+y~1.deb"] = data
	store, err := cache.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.client(t, store).Fetch(t.Context(), pin(data)); err != nil {
		t.Fatal(err)
	}
	offline := NewClient(store, Mirror{}, nil, progress.Discard)
	if _, err := offline.Fetch(t.Context(), pin(data)); err != nil {
		t.Errorf("from the cache: %v", err)
	}
	_, err = offline.Fetch(t.Context(), pin([]byte("something else")))
	said(t, err, "none is known", "MAPSTACK_MIRROR")
}

// TestOfflineAsksNoServer fails if a forbidden download is tried, or if the error
// does not name the missing file.
func TestOfflineAsksNoServer(t *testing.T) {
	m, err := FindMirror(t.Context(), Host{Getenv: func(name string) string {
		return map[string]string{OfflineVariable: "1", "MAPSTACK_MIRROR": "http://192.0.2.1/x"}[name]
	}})
	if err != nil || !m.Offline {
		t.Fatalf("%+v, %v", m, err)
	}
	asked := false
	c := serve(t, func(http.ResponseWriter, *http.Request) { asked = true })
	c.mirror.Offline = true
	_, err = c.Fetch(t.Context(), pin([]byte("x")))
	said(t, err, "--offline", "linux-image-x")
	if asked || !errors.Is(err, ErrUnreachable) {
		t.Errorf("asked: %v, %v", asked, err)
	}
}

// TestABundleIsTheOnlyMirror fails if a file that a bundle lacks is looked for
// elsewhere, or if its bytes are used without a check.
func TestABundleIsTheOnlyMirror(t *testing.T) {
	asked := false
	c := serve(t, func(http.ResponseWriter, *http.Request) { asked = true })
	p := pin([]byte("a package"))
	c.mirror.Bundle = fstest.MapFS{p.Filename: {Data: []byte("a package")}}
	file, err := c.Fetch(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(file); err != nil || string(b) != "a package" {
		t.Errorf("%q, %v", b, err)
	}
	other := pin([]byte("another package"))
	for _, bundle := range []fstest.MapFS{
		{other.Filename: {Data: []byte("another packagE")}},
		{other.Filename: {Data: []byte("another package and more")}},
		{other.Filename: {Data: []byte("another")}},
	} {
		c.mirror.Bundle = bundle
		if _, err := c.Fetch(t.Context(), other); !errors.Is(err, cache.ErrContent) {
			t.Errorf("%v", err)
		}
	}
	c.mirror.Bundle = fstest.MapFS{}
	_, err = c.Fetch(t.Context(), other)
	said(t, err, "linux-image-x", "is not in", "make a bundle")
	if asked {
		t.Error("a server was asked")
	}
}

func TestStalledDownloadIsGivenUp(t *testing.T) {
	release := make(chan struct{})
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = w.Write([]byte("x"))
		_ = http.NewResponseController(w).Flush()
		select {
		case <-release:
		case <-r.Context().Done():
		}
	})
	defer close(release)
	c.patience.stall, c.patience.attempts = 20*time.Millisecond, 1
	_, err := c.Fetch(t.Context(), pin(make([]byte, 100)))
	if !errors.Is(err, errStalled) {
		t.Errorf("error is %v, want that the download stalled", err)
	}
}

func TestCancelledDownloadEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	})
	_, err := c.Fetch(ctx, pin([]byte("x")))
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v, want context.Canceled", err)
	}
}

func TestFileMirrorWorksWithOddNames(t *testing.T) {
	dir, data := t.TempDir(), bigFile()
	if err := os.MkdirAll(filepath.Join(dir, "pool"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "pool", "x+y~1.deb"), data, 0o644); err != nil {
		t.Fatal(err)
	}
	store, err := cache.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	c := NewClient(store, Mirror{URL: &url.URL{Scheme: "file", Path: dir}}, nil, progress.Discard)
	if _, err := c.Fetch(t.Context(), pin(data)); err != nil {
		t.Error(err)
	}
}

// A local mirror that is being copied has shorter files than its index says:
// the address is right, so the advice must not be about the address.
func TestFileMirrorWithAShorterFileSaysSo(t *testing.T) {
	dir, data := t.TempDir(), bigFile()
	if err := os.MkdirAll(filepath.Join(dir, "pool"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "pool", "x+y~1.deb"), data[:1000], 0o644); err != nil {
		t.Fatal(err)
	}
	store, err := cache.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	c := NewClient(store, Mirror{URL: &url.URL{Scheme: "file", Path: dir}}, nil, progress.Discard)
	_, err = c.Fetch(t.Context(), pin(data))
	said(t, err, "1000 bytes", "the signed index says")
}

func TestUnsafePinIsRefused(t *testing.T) {
	good := pin([]byte("x"))
	for name, spoil := range map[string]func(*Package){
		"file name that climbs":   func(p *Package) { p.Filename = "../../etc/passwd" },
		"absolute file name":      func(p *Package) { p.Filename = "/etc/passwd" },
		"no file name":            func(p *Package) { p.Filename = "" },
		"hash in capitals":        func(p *Package) { p.SHA256 = strings.ToUpper(p.SHA256) },
		"no hash":                 func(p *Package) { p.SHA256 = "" },
		"no size":                 func(p *Package) { p.Size = 0 },
		"more than a disk can do": func(p *Package) { p.Size = 1 << 50 },
	} {
		p := good
		spoil(&p)
		if _, err := (&archive{url: "http://127.0.0.1:1"}).client(t, nil).Fetch(t.Context(), p); err == nil || strings.Contains(err.Error(), "download") {
			t.Errorf("%s: error is %v, want a refusal before any download", name, err)
		}
	}
}

// TestADownloadGoesOnInAnotherRun fails if what one run has received is asked for again by the
// next, which may be behind a slow link.
func TestADownloadGoesOnInAnotherRun(t *testing.T) {
	data := bigFile()
	broken, asked := true, []string{}
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Header.Get("Range"))
		if broken {
			w.Header().Set("Content-Length", strconv.Itoa(len(data)))
			if r.Header.Get("Range") == "" {
				_, _ = w.Write(data[:len(data)/2])
			}
			return
		}
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
	})
	if _, err := c.Fetch(t.Context(), pin(data)); err == nil {
		t.Fatal("half of a file is taken for the whole")
	}
	broken, asked = false, nil
	path, err := c.Fetch(t.Context(), pin(data))
	if err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(path); err != nil || !bytes.Equal(b, data) {
		t.Errorf("%d bytes, %v", len(b), err)
	}
	if want := fmt.Sprintf("bytes=%d-", len(data)/2); len(asked) != 1 || asked[0] != want {
		t.Errorf("the next run asked for %q, want %q", asked, want)
	}
}
