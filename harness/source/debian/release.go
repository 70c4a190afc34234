package debian

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/clearsign"
	"pault.ag/go/debian/control"

	"github.com/mapstack/conformance/harness/cache"
	"github.com/mapstack/conformance/harness/progress"
	"github.com/mapstack/conformance/harness/source/signature"
)

// Release is the content of a verified InRelease.
type Release struct {
	Suite    string    // as it was asked for
	Codename string    // the archive's own name
	Date     time.Time // when the archive signed it
	SHA256   string    // of the InRelease file
	Signer   string    // fingerprint of the key that signed it
	// Expired says why an InRelease past its Valid-Until was accepted. It is empty if
	// the InRelease is valid.
	Expired       string
	Architectures []string

	called string            // the suite by its own name
	until  time.Time         // when the file expires; zero means never
	raw    []byte            // the InRelease file; or Release, and its signature in ASCII
	files  map[string]listed // by path below dists/<suite>/
	// byHash means that the archive also keeps its indexes by their hashes, for some
	// time after newer ones exist.
	byHash bool
}

// at returns the path of a file of the suite below the mirror's URL. While a mirror
// is being updated, the file of a name may be newer than the InRelease. The file of
// a hash is not.
func (r *Release) at(name string, file listed) string {
	if !r.byHash {
		return dists(r.Suite) + name
	}
	return path.Join(dists(r.Suite), path.Dir(name), "by-hash/SHA256", file.sha256)
}

type listed struct {
	size   int64
	sha256 string
}

// maxInRelease is 40 times the largest InRelease of Debian, in bytes.
const maxInRelease = 8 << 20

// Release returns the verified InRelease of a suite.
func (c *Client) Release(ctx context.Context, suite string) (*Release, error) {
	if !ValidSuite(suite) {
		return nil, fmt.Errorf("%q is not the name of a Debian suite", suite)
	}
	return c.releases.Get(ctx, "InRelease of "+suite, func() (*Release, error) {
		return c.readRelease(ctx, suite)
	})
}

// dists returns the folder of a suite below the mirror's URL, with a slash at its end. A suite
// that ends in a slash is the folder itself, as in sources.list(5).
func dists(suite string) string {
	if !strings.HasSuffix(suite, "/") {
		return "dists/" + suite + "/"
	}
	return strings.TrimPrefix(path.Join(".", suite)+"/", "./")
}

// inRelease returns the path of a suite's signed file below the mirror's URL.
func inRelease(suite string) string { return dists(suite) + "InRelease" }

func (c *Client) readRelease(ctx context.Context, suite string) (*Release, error) {
	if c.keys != nil && c.mirror.Offline {
		if r := c.kept(suite, c.keptFile(suite, newest)); r != nil {
			return r, c.current(r)
		}
	}
	raw, err := c.small(ctx, inRelease(suite), suite+" InRelease")
	if c.keys != nil && errors.Is(err, ErrGone) {
		raw, err = c.detached(ctx, suite)
	}
	if err != nil {
		return nil, err
	}
	r, err := c.verify(raw, suite)
	if err != nil {
		return nil, err
	}
	if c.mirror.Bundle == nil {
		r = c.latest(r)
	}
	return r, c.current(r)
}

// small downloads a file of which nothing is known before.
func (c *Client) small(ctx context.Context, file, what string) ([]byte, error) {
	var raw bytes.Buffer
	err := c.get(ctx, &download{path: file, what: what, size: -1, limit: maxInRelease, w: &raw})
	return raw.Bytes(), err
}

// maxAhead is how far the clock of this host may be behind that of an archive.
const maxAhead = 24 * time.Hour

// verify returns what an InRelease says, if the archive's keys vouch for it.
func (c *Client) verify(raw []byte, suite string) (*Release, error) {
	keys, parse := c.keys, parseRepository
	if keys == nil {
		var err error
		if keys, err = readKeyrings(c.keyrings, suite); err != nil {
			return nil, err
		}
		parse = parseInRelease
	}
	r, err := parse(raw, keys, suite, c.now())
	switch {
	case err != nil:
	case r.Date.After(c.now().Add(maxAhead)):
		err = fmt.Errorf("it is of %s, which is in the future; set this host's clock, or %s", r.Date.UTC().Format(time.DateTime), c.mirror.or(anotherMirror))
	case c.keys == nil:
		err = r.misnamed()
	}
	if err != nil {
		return nil, fmt.Errorf("%s of %s: %w", inRelease(suite), c.mirror.Name(), err)
	}
	return r, nil
}

// current returns an error if the file has expired, unless somebody accepts that.
func (c *Client) current(r *Release) error {
	if r.until.IsZero() || c.now().Before(r.until) {
		return nil
	}
	expired := fmt.Sprintf("%s of %s is valid only until %s", inRelease(r.Suite), c.mirror.Name(), r.until.UTC().Format(time.DateTime))
	if c.mirror.IgnoreValidUntil == "" {
		return fmt.Errorf("%s: the mirror is out of date or held back; %s, or MAPSTACK_CHECK_VALID_UNTIL=no to accept it", expired, c.mirror.or("set MAPSTACK_MIRROR to a current mirror"))
	}
	r.Expired = expired + ", accepted because of " + c.mirror.IgnoreValidUntil
	c.sink(progress.Event{Stage: progress.Warning, What: r.Expired})
	return nil
}

// readKeyrings reads the OpenPGP keyrings at the top of fsys that vouch for a suite.
func readKeyrings(fsys fs.FS, suite string) (openpgp.EntityList, error) {
	names, err := fs.Glob(fsys, "*.gpg")
	if err != nil {
		return nil, fmt.Errorf("list the archive keyrings: %w", err)
	}
	var keys openpgp.EntityList
	for _, name := range names {
		if !vouches(name, suite) {
			continue
		}
		data, err := fs.ReadFile(fsys, name)
		if err != nil {
			return nil, fmt.Errorf("read archive keyring: %w", err)
		}
		more, err := openpgp.ReadKeyRing(bytes.NewReader(data))
		if err != nil {
			return nil, fmt.Errorf("archive keyring %s holds no OpenPGP keys: %w", path.Base(name), err)
		}
		keys = append(keys, more...)
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("no archive keyring vouches for suite %s: fixtures/keyrings must hold one whose name begins the suite's, or that begins with debian for a suite of Debian", suite)
	}
	return keys, nil
}

// vouches reports whether the keys in a file may sign a suite. Keys of Debian sign its own
// suites alone. Others sign the suites whose names begin with the file's.
func vouches(file, suite string) bool {
	name := strings.TrimSuffix(file, ".gpg")
	if name == "debian" || strings.HasPrefix(name, "debian-") {
		return debianSuite(suite)
	}
	return name != "" && strings.HasPrefix(suite, name)
}

// parseInRelease verifies the signature and reads only the signed bytes.
func parseInRelease(raw []byte, keys openpgp.EntityList, suite string, now time.Time) (*Release, error) {
	// Decode would skip text before the signed message.
	if !bytes.HasPrefix(raw, []byte("-----BEGIN PGP SIGNED MESSAGE-----")) {
		return nil, errors.New("it does not begin with a signed message; the address is not that of a Debian archive, or a proxy answers in its place: check MAPSTACK_MIRROR")
	}
	block, rest := clearsign.Decode(raw)
	if block == nil {
		return nil, errors.New("the signed message is cut short or damaged; try again, or set MAPSTACK_MIRROR to another mirror")
	}
	if len(bytes.TrimSpace(rest)) > 0 {
		return nil, fmt.Errorf("%d bytes follow the signature that it does not cover; set MAPSTACK_MIRROR to a mirror that does not alter files", len(rest))
	}
	signer, err := signature.Check(keys, bytes.NewReader(block.Bytes), block.ArmoredSignature.Body, now)
	if err != nil {
		return nil, fmt.Errorf("its signature is not one of the Debian archive's keys in fixtures/keyrings: %w; set MAPSTACK_MIRROR to a mirror of Debian, or add the keyring of the archive", err)
	}
	sum := sha256.Sum256(raw)
	r := &Release{
		Suite: suite, raw: raw, SHA256: hex.EncodeToString(sum[:]),
		Signer: strings.ToUpper(hex.EncodeToString(signer.PrimaryKey.Fingerprint)),
	}
	return r, r.parse(block.Bytes)
}

// parse reads the fields of a Release file.
func (r *Release) parse(text []byte) error {
	paragraphs, err := control.NewParagraphReader(bytes.NewReader(text), nil)
	if err != nil {
		return fmt.Errorf("read the Release fields: %w", err)
	}
	p, err := paragraphs.Next()
	if err != nil {
		return fmt.Errorf("read the Release fields: %w", err)
	}
	r.Codename, r.called = p.Values["Codename"], p.Values["Suite"]
	if r.Date, err = releaseTime(p.Values["Date"]); err != nil {
		return fmt.Errorf("its Date: %w", err)
	}
	if v := p.Values["Valid-Until"]; v != "" {
		if r.until, err = releaseTime(v); err != nil {
			return fmt.Errorf("its Valid-Until: %w", err)
		}
	}
	r.byHash = p.Values["Acquire-By-Hash"] == "yes"
	r.Architectures = strings.Fields(p.Values["Architectures"])
	r.files, err = parseHashes(p.Values["SHA256"])
	return err
}

// misnamed returns an error if the file was signed for another suite.
func (r *Release) misnamed() error {
	if r.Suite == r.Codename || r.Suite == r.called {
		return nil
	}
	return fmt.Errorf("it is signed for suite %q, codename %q, not for %q; the mirror serves one suite in place of another: set MAPSTACK_MIRROR to another mirror",
		r.called, r.Codename, r.Suite)
}

// releaseTime reads the time format of Release files: RFC 1123 in UTC.
func releaseTime(s string) (time.Time, error) {
	for _, layout := range []string{time.RFC1123, "Mon, _2 Jan 2006 15:04:05 MST"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is not a time as in %q", s, time.RFC1123)
}

// parseHashes reads the SHA256 field. Each line is "hash size path".
func parseHashes(field string) (map[string]listed, error) {
	files := make(map[string]listed)
	for line := range strings.Lines(field) {
		f := strings.Fields(line)
		if len(f) == 0 {
			continue
		}
		if len(f) != 3 {
			return nil, fmt.Errorf("its SHA256 field has the line %.80q, expected a hash, a size and a path", line)
		}
		f[2] = strings.TrimPrefix(f[2], "./") // of a repository without dists/
		size, err := strconv.ParseInt(f[1], 10, 64)
		if err != nil || size < 0 || !cache.ValidSHA256(f[0]) || !fs.ValidPath(f[2]) {
			return nil, fmt.Errorf("its SHA256 field has the line %.80q, expected a hash, a size and a path", line)
		}
		files[f[2]] = listed{size: size, sha256: f[0]}
	}
	return files, nil
}
