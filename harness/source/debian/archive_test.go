package debian

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/clearsign"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	"go.uber.org/goleak"

	"github.com/mapstack/conformance/harness/cache"
	"github.com/mapstack/conformance/harness/progress"
)

func TestMain(m *testing.M) {
	// A real archive keeps its connections open for the next file.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("net/http.(*persistConn).readLoop"), goleak.IgnoreAnyFunction("net/http.(*persistConn).writeLoop"))
}

// today is when the synthetic archive is signed and read.
var today = time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC)

// signer is one key for all tests: making one is slow.
var signer = sync.OnceValues(func() (*openpgp.Entity, error) {
	return openpgp.NewEntity("test archive", "", "archive@example.org", &packet.Config{
		Algorithm: packet.PubKeyAlgoEdDSA, Time: func() time.Time { return today.AddDate(-1, 0, 0) },
	})
})

// archive is a synthetic Debian archive: the files a mirror would serve.
type archive struct {
	mu       sync.Mutex
	files    map[string][]byte
	requests map[string]int
	keyring  fs.FS
	key      *openpgp.Entity
	url      string
}

// release is the fields of an InRelease.
type release struct {
	suite, codename, validUntil string
}

var steady = release{suite: "stable", codename: "trixie"}

func newArchive(t *testing.T) *archive {
	t.Helper()
	key, err := signer()
	if err != nil {
		t.Fatal(err)
	}
	var public bytes.Buffer
	if err := key.Serialize(&public); err != nil {
		t.Fatal(err)
	}
	a := &archive{
		files: make(map[string][]byte), requests: make(map[string]int), key: key,
		keyring: fstest.MapFS{"debian.gpg": {Data: public.Bytes()}},
	}
	server := httptest.NewServer(a)
	t.Cleanup(server.Close)
	a.url = server.URL
	return a
}

func (a *archive) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	a.requests[r.URL.Path]++
	data, ok := a.files[strings.TrimPrefix(r.URL.Path, "/")]
	a.mu.Unlock()
	if !ok {
		http.NotFound(w, r)
		return
	}
	http.ServeContent(w, r, "", today, bytes.NewReader(data))
}

// asked returns how often a file was requested.
func (a *archive) asked(path string) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.requests["/"+path]
}

// client returns a client with a cache of its own, or the given one.
func (a *archive) client(t *testing.T, c *cache.Cache) *Client {
	t.Helper()
	if c == nil {
		var err error
		if c, err = cache.Open(t.TempDir()); err != nil {
			t.Fatal(err)
		}
	}
	u, err := url.Parse(a.url)
	if err != nil {
		t.Fatal(err)
	}
	client := NewClient(c, Mirror{URL: u, Source: "test"}, a.keyring, progress.Discard)
	client.now = func() time.Time { return today }
	client.patience.pause = time.Microsecond
	return client
}

// publish writes Packages.gz and a signed InRelease for trixie amd64.
func (a *archive) publish(t *testing.T, r release, packages string) {
	t.Helper()
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	if _, err := z.Write([]byte(packages)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	a.files["dists/trixie/main/binary-amd64/Packages.gz"] = zipped.Bytes()
	a.files["dists/trixie/InRelease"] = a.sign(t, r.text(zipped.Bytes()))
}

func (r release) text(packagesGz []byte) string {
	s := fmt.Sprintf("Origin: Debian\nSuite: %s\nCodename: %s\nDate: %s\n", r.suite, r.codename, today.Format(time.RFC1123))
	if r.validUntil != "" {
		s += "Valid-Until: " + r.validUntil + "\n"
	}
	return s + fmt.Sprintf("Architectures: all amd64 arm64\nSHA256:\n %s %16d main/binary-amd64/Packages.gz\n", sumOf(packagesGz), len(packagesGz))
}

func (a *archive) sign(t *testing.T, text string) []byte {
	t.Helper()
	return signWith(t, a.key, text)
}

func signWith(t *testing.T, key *openpgp.Entity, text string) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := clearsign.Encode(&out, key.PrivateKey, &packet.Config{Time: func() time.Time { return today }})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	out.WriteByte('\n')
	return out.Bytes()
}

// add puts a package into the pool and returns its paragraph.
func (a *archive) add(name, version, more string, deb []byte) string {
	file := "pool/main/" + name + "_" + version + "_amd64.deb"
	a.files[file] = deb
	return paragraph(name, version, file, more, deb)
}

func paragraph(name, version, file, more string, deb []byte) string {
	return fmt.Sprintf("Package: %s\nVersion: %s\nArchitecture: amd64\nMaintainer: nobody\n%sDescription: test\n of a kind\nFilename: %s\nSize: %d\nSHA256: %s\n\n",
		name, version, more, file, len(deb), sumOf(deb))
}

func sumOf(b []byte) string {
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:])
}

// entry is one file of a test package.
type entry struct {
	name, content, link string
	kind                byte
}

// makeDeb builds a .deb by hand: the ar format has one line a member.
func makeDeb(t testing.TB, entries ...entry) []byte {
	t.Helper()
	var data bytes.Buffer
	z := gzip.NewWriter(&data)
	w := tar.NewWriter(z)
	for _, e := range entries {
		if e.kind == 0 {
			e.kind = tar.TypeReg
		}
		if err := w.WriteHeader(&tar.Header{Name: e.name, Linkname: e.link, Typeflag: e.kind, Size: int64(len(e.content)), Mode: 0o755}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(e.content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return makeAr(member{"debian-binary", []byte("2.0\n")}, member{"control.tar.gz", nil}, member{"data.tar.gz", data.Bytes()})
}

type member struct {
	name string
	data []byte
}

func makeAr(members ...member) []byte {
	out := []byte("!<arch>\n")
	for _, m := range members {
		out = fmt.Appendf(out, "%-16s%-12d%-6d%-6d%-8s%-10d`\n", m.name, 0, 0, 0, "100644", len(m.data))
		out = append(out, m.data...)
		if len(m.data)%2 == 1 {
			out = append(out, '\n')
		}
	}
	return out
}
