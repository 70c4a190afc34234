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
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	"pault.ag/go/debian/control"

	"github.com/mapstack/conformance/harness/cache"
	"github.com/mapstack/conformance/harness/progress"
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

	raw   []byte            // the InRelease file
	files map[string]listed // by path below dists/<suite>/
	// byHash means that the archive also keeps its indexes by their hashes, for some
	// time after newer ones exist.
	byHash bool
}

// at returns the path of a file of the suite below the mirror's URL. While a mirror
// is being updated, the file of a name may be newer than the InRelease. The file of
// a hash is not.
func (r *Release) at(name string, file listed) string {
	if !r.byHash {
		return "dists/" + r.Suite + "/" + name
	}
	return "dists/" + r.Suite + "/" + path.Dir(name) + "/by-hash/SHA256/" + file.sha256
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

// inRelease returns the path of a suite's signed file below the mirror's URL.
func inRelease(suite string) string { return "dists/" + suite + "/InRelease" }

func (c *Client) readRelease(ctx context.Context, suite string) (*Release, error) {
	var raw bytes.Buffer
	file := inRelease(suite)
	err := c.get(ctx, &download{path: file, what: suite + " InRelease", size: -1, limit: maxInRelease, w: &raw})
	if err != nil {
		return nil, err
	}
	keys, err := readKeyrings(c.keyrings)
	if err != nil {
		return nil, err
	}
	r, until, err := parseInRelease(raw.Bytes(), keys, suite, c.now())
	if err != nil {
		return nil, fmt.Errorf("%s of %s: %w", file, c.mirror.name(), err)
	}
	if until.IsZero() || c.now().Before(until) {
		return r, nil
	}
	expired := fmt.Sprintf("%s of %s is valid only until %s", file, c.mirror.name(), until.UTC().Format(time.DateTime))
	if c.mirror.IgnoreValidUntil == "" {
		return nil, fmt.Errorf("%s: the mirror is out of date or held back; set MAPSTACK_MIRROR to a current mirror, or MAPSTACK_CHECK_VALID_UNTIL=no to accept it", expired)
	}
	r.Expired = expired + ", accepted because of " + c.mirror.IgnoreValidUntil
	c.sink(progress.Event{Stage: progress.Warning, What: r.Expired})
	return r, nil
}

// readKeyrings reads the OpenPGP keyrings at the top of fsys.
func readKeyrings(fsys fs.FS) (openpgp.EntityList, error) {
	names, err := fs.Glob(fsys, "*.gpg")
	if err != nil {
		return nil, fmt.Errorf("list the archive keyrings: %w", err)
	}
	var keys openpgp.EntityList
	for _, name := range names {
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
		return nil, errors.New("no archive keyring was found: fixtures/keyrings must hold at least one *.gpg file")
	}
	return keys, nil
}

// parseInRelease verifies the signature and reads only the signed bytes. It returns
// the time when the file expires; zero means never.
func parseInRelease(raw []byte, keys openpgp.EntityList, suite string, now time.Time) (*Release, time.Time, error) {
	var never time.Time
	// Decode would skip text before the signed message.
	if !bytes.HasPrefix(raw, []byte("-----BEGIN PGP SIGNED MESSAGE-----")) {
		return nil, never, errors.New("it does not begin with a signed message; the address is not that of a Debian archive, or a proxy answers in its place: check MAPSTACK_MIRROR")
	}
	block, rest := clearsign.Decode(raw)
	if block == nil {
		return nil, never, errors.New("the signed message is cut short or damaged; try again, or set MAPSTACK_MIRROR to another mirror")
	}
	if len(bytes.TrimSpace(rest)) > 0 {
		return nil, never, fmt.Errorf("%d bytes follow the signature that it does not cover; set MAPSTACK_MIRROR to a mirror that does not alter files", len(rest))
	}
	signer, err := openpgp.CheckDetachedSignature(keys, bytes.NewReader(block.Bytes), block.ArmoredSignature.Body,
		&packet.Config{Time: func() time.Time { return now }})
	if err != nil {
		return nil, never, fmt.Errorf("its signature is not one of the Debian archive's keys in fixtures/keyrings: %w; set MAPSTACK_MIRROR to a mirror of Debian, or add the keyring of the archive", err)
	}
	sum := sha256.Sum256(raw)
	r := &Release{
		Suite: suite, raw: raw, SHA256: hex.EncodeToString(sum[:]),
		Signer: strings.ToUpper(hex.EncodeToString(signer.PrimaryKey.Fingerprint)),
	}
	until, err := r.parse(block.Bytes)
	return r, until, err
}

// parse reads the fields of a Release file.
func (r *Release) parse(text []byte) (until time.Time, err error) {
	paragraphs, err := control.NewParagraphReader(bytes.NewReader(text), nil)
	if err != nil {
		return until, fmt.Errorf("read the Release fields: %w", err)
	}
	p, err := paragraphs.Next()
	if err != nil {
		return until, fmt.Errorf("read the Release fields: %w", err)
	}
	r.Codename = p.Values["Codename"]
	if r.Suite != r.Codename && r.Suite != p.Values["Suite"] {
		return until, fmt.Errorf("it is signed for suite %q, codename %q, not for %q; the mirror serves one suite in place of another: set MAPSTACK_MIRROR to another mirror",
			p.Values["Suite"], r.Codename, r.Suite)
	}
	if r.Date, err = releaseTime(p.Values["Date"]); err != nil {
		return until, fmt.Errorf("its Date: %w", err)
	}
	if v := p.Values["Valid-Until"]; v != "" {
		if until, err = releaseTime(v); err != nil {
			return until, fmt.Errorf("its Valid-Until: %w", err)
		}
	}
	r.byHash = p.Values["Acquire-By-Hash"] == "yes"
	r.Architectures = strings.Fields(p.Values["Architectures"])
	r.files, err = parseHashes(p.Values["SHA256"])
	return until, err
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
		size, err := strconv.ParseInt(f[1], 10, 64)
		if err != nil || size < 0 || !cache.ValidSHA256(f[0]) || !fs.ValidPath(f[2]) {
			return nil, fmt.Errorf("its SHA256 field has the line %.80q, expected a hash, a size and a path", line)
		}
		files[f[2]] = listed{size: size, sha256: f[0]}
	}
	return files, nil
}
