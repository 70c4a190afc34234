package remote

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/mapstack/conformance/harness/cache"
	"github.com/mapstack/conformance/harness/progress"
)

// server serves content, and breaks the first answers after some bytes.
func server(t *testing.T, content []byte, breaks int) (string, *[]string) {
	t.Helper()
	var ranges []string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ranges = append(ranges, r.Header.Get("Range"))
		if breaks > 0 {
			breaks--
			w.Header().Set("Content-Length", fmt.Sprint(len(content)))
			_, _ = w.Write(content[:len(content)/2])
			panic(http.ErrAbortHandler)
		}
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
	}))
	t.Cleanup(s.Close)
	return s.URL, &ranges
}

func fetcher(t *testing.T) Fetcher {
	t.Helper()
	c, err := cache.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return Fetcher{Cache: c, Sink: progress.Discard, wait: waits{stall: time.Minute, attempts: 2}}
}

func file(at string, content []byte) File {
	return File{URL: at + "/images/system.qcow2", SHA256: fmt.Sprintf("%x", sha256.Sum256(content)), Size: int64(len(content))}
}

func TestABrokenDownloadGoesOnWhereItBroke(t *testing.T) {
	content := bytes.Repeat([]byte("kernel"), 1000)
	at, ranges := server(t, content, 1)
	f := fetcher(t)
	for range 2 { // the second time it is in the cache
		path, err := f.Fetch(t.Context(), file(at, content))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, content) {
			t.Fatalf("%d bytes, %v", len(got), err)
		}
	}
	if len(*ranges) != 2 || (*ranges)[1] != "bytes=3000-" {
		t.Errorf("the requests had the ranges %q", *ranges)
	}
}

func TestWhatIsNotTheFileIsRefused(t *testing.T) {
	content := []byte("another file")
	at, _ := server(t, content, 0)
	right := file(at, content)
	wrong, longer, gone := right, right, right
	wrong.SHA256 = strings.Repeat("0", 64)
	longer.Size++
	gone.URL = "http://127.0.0.1:1/x"
	for name, c := range map[string]struct {
		file    File
		offline bool
		want    string
	}{
		"other bytes":  {wrong, false, "the server has another file"},
		"another size": {longer, false, "and size says 13"},
		"no server":    {gone, false, "check the network and the URL"},
		"no network":   {right, true, "--offline"},
	} {
		f := fetcher(t)
		f.Offline = c.offline
		_, err := f.Fetch(t.Context(), c.file)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
		if err != nil && strings.Contains(err.Error(), "127.0.0.1/") {
			t.Errorf("%s: the error tells the server: %v", name, err)
		}
	}
}

// TestAPackedFileNeedsNoServer fails if a bundle downloads what is inside it, or trusts it without
// its hash.
func TestAPackedFileNeedsNoServer(t *testing.T) {
	content := []byte("an image")
	packed := file("http://127.0.0.1:1", content)
	for text, want := range map[string]string{string(content): "", "another!": "the server has another file", "an image and more": "", "an": ""} {
		f := fetcher(t)
		f.Offline, f.Packed = true, fstest.MapFS{PackedName(packed.SHA256): {Data: []byte(text)}}
		path, err := f.Fetch(t.Context(), packed)
		if text == string(content) {
			if got, readErr := os.ReadFile(path); err != nil || readErr != nil || !bytes.Equal(got, content) {
				t.Errorf("%q, %v, %v", got, err, readErr)
			}
		} else if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is taken for the file: %v", text, err)
		}
	}
	f := fetcher(t)
	f.Offline, f.Packed = true, fstest.MapFS{}
	if _, err := f.Fetch(t.Context(), packed); err == nil || !strings.Contains(err.Error(), "downloads are forbidden") {
		t.Errorf("%v", err)
	}
}

// TestAServerThatBreaksEachTimeIsGivenUp fails if a server without progress is asked for ever.
func TestAServerThatBreaksEachTimeIsGivenUp(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }))
	defer s.Close()
	if _, err := fetcher(t).Fetch(t.Context(), file(s.URL, []byte("x"))); err == nil || !strings.Contains(err.Error(), "502") {
		t.Errorf("%v", err)
	}
}
