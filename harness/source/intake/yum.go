package intake

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/google/renameio/v2"

	"github.com/mapstack/conformance/harness/source/decompress"
	archivesig "github.com/mapstack/conformance/harness/source/signature"
)

// Repository is a yum repository: a local folder, or one on a server, that holds
// repodata/repomd.xml.
type Repository struct {
	Where   string // a path, or an http or https URL
	Keyring []byte // the public keys that may sign it, armored or not
	Arch    string // of its packages, as rpm calls it: "x86_64", "sw_64"
	// Opener opens the package.
	Opener Opener
	// Seen is a folder that keeps the newest revision of each repository; empty for none. An
	// older one is refused, unless AcceptOlder.
	Seen        string
	AcceptOlder bool
	// Pause is the wait before another attempt of a download; 0 for two seconds.
	Pause time.Duration
}

// Bounds of the files of a repository, in bytes.
const (
	maxMetadata = 1 << 20
	maxPrimary  = 1 << 30 // uncompressed
	maxRPM      = 1 << 30
)

// transferWait bounds each download.
const transferWait = 10 * time.Minute

// kernelPackages are the packages that hold kernels. The ones that hold nothing else
// come first.
var kernelPackages = []string{"kernel-core", "kernel"}

// Open finds the newest kernel package of the repository, checks it against the
// signed metadata, and finds the kernel in it.
func (r Repository) Open(ctx context.Context, scratch string) (Found, error) {
	found, err := r.open(ctx, scratch)
	if err != nil {
		return Found{}, fmt.Errorf("find a kernel in the repository %s: %w", r.Where, err)
	}
	return found, nil
}

// Newest returns the newest kernel package of the repository: its path there, and its SHA-256. It
// downloads the metadata alone, which it checks as Open does.
func (r Repository) Newest(ctx context.Context) (path, sum string, err error) {
	best, err := r.find(ctx)
	if err != nil {
		return "", "", fmt.Errorf("find a kernel in the repository %s: %w", r.Where, err)
	}
	if best.Checksum.Type != "sha256" {
		return "", "", fmt.Errorf("find a kernel in the repository %s: %s has a checksum of type %q, and sha256 is wanted", r.Where, best.Location.Href, best.Checksum.Type)
	}
	return best.Location.Href, strings.TrimSpace(best.Checksum.Sum), nil
}

func (r Repository) open(ctx context.Context, scratch string) (Found, error) {
	best, err := r.find(ctx)
	if err != nil {
		return Found{}, err
	}
	return r.unpack(ctx, best, scratch)
}

// Package is a kernel package of a repository.
type Package struct {
	Path    string // in the repository
	Version string // with its release, such as 5.10.0-60.18.0.50.oe2203
	SHA256  string
	Size    int64 // bytes

	listed rpmListed
}

// Kernels returns every kernel package of the repository, the oldest first. It downloads the
// metadata alone, which it checks as Open does.
func (r Repository) Kernels(ctx context.Context) ([]Package, error) {
	all, err := r.all(ctx)
	if err != nil {
		return nil, fmt.Errorf("find kernels in the repository %s: %w", r.Where, err)
	}
	slices.SortStableFunc(all, rpmListed.compare)
	var packages []Package
	for _, p := range all {
		if p.Checksum.Type != "sha256" || p.Size.Package <= 0 {
			return nil, fmt.Errorf("find kernels in the repository %s: %s has a checksum of type %q and a size of %d bytes, and sha256 and a size are wanted", r.Where, p.Location.Href, p.Checksum.Type, p.Size.Package)
		}
		packages = append(packages, Package{p.Location.Href, p.Version.Version + "-" + p.Version.Release, strings.TrimSpace(p.Checksum.Sum), p.Size.Package, p})
	}
	return packages, nil
}

// Read returns the content of a kernel package, which it checks as Open does.
func (r Repository) Read(ctx context.Context, p Package) ([]byte, error) {
	b, _, err := r.read(ctx, p.listed)
	if err != nil {
		return nil, fmt.Errorf("read the repository %s: %w", r.Where, err)
	}
	return b, nil
}

// find returns the newest kernel package that the checked metadata lists.
func (r Repository) find(ctx context.Context) (rpmListed, error) {
	all, err := r.all(ctx)
	if err != nil {
		return rpmListed{}, err
	}
	return slices.MaxFunc(all, rpmListed.compare), nil
}

// all returns the kernel packages that the checked metadata lists; at least one without an error.
func (r Repository) all(ctx context.Context) ([]rpmListed, error) {
	index, err := r.fetch(ctx, "repodata/repomd.xml", maxMetadata)
	if err != nil {
		return nil, err
	}
	keys, err := r.keys()
	if err != nil {
		return nil, err
	}
	signed, err := r.verify(ctx, keys, index)
	if err != nil {
		return nil, err
	}
	var metadata struct {
		Revision string   `xml:"revision"`
		Data     []listed `xml:"data"`
	}
	if err := xml.Unmarshal(index, &metadata); err != nil {
		return nil, fmt.Errorf("repodata/repomd.xml is damaged: %w", err)
	}
	if signed { // else anybody could have written a revision that no later one reaches
		if err := r.forward(strings.TrimSpace(metadata.Revision)); err != nil {
			return nil, err
		}
	}
	for _, d := range metadata.Data {
		if d.Type != "primary" {
			continue
		}
		text, err := r.checked(ctx, d, maxPrimary)
		if err != nil {
			return nil, err
		}
		all, err := r.kernels(ctx, text)
		for i := range all {
			if !signed {
				all[i].keys = keys
			}
		}
		return all, err
	}
	return nil, errors.New("repodata/repomd.xml lists no primary metadata")
}

// listed is a file of the repository and its checksum.
type listed struct {
	Type     string `xml:"type,attr"`
	Checksum struct {
		Type string `xml:"type,attr"`
		Sum  string `xml:",chardata"`
	} `xml:"checksum"`
	Location struct {
		Href string `xml:"href,attr"`
	} `xml:"location"`
}

// rpmListed is a package in the primary metadata.
type rpmListed struct {
	listed
	Name    string `xml:"name"`
	Arch    string `xml:"arch"`
	Version struct {
		Epoch   string `xml:"epoch,attr"`
		Version string `xml:"ver,attr"`
		Release string `xml:"rel,attr"`
	} `xml:"version"`
	Size struct {
		Package int64 `xml:"package,attr"`
	} `xml:"size"`

	// keys must have signed the package itself, because nobody signed the metadata; nil if
	// somebody did.
	keys openpgp.EntityList
}

// keys returns those that may sign the repository, or its packages.
func (r Repository) keys() (openpgp.EntityList, error) {
	if len(r.Keyring) == 0 {
		return nil, errors.New("nothing says who may sign it; give --keyring with the vendor's public key, often RPM-GPG-KEY-* beside the repository")
	}
	keys, err := openpgp.ReadArmoredKeyRing(bytes.NewReader(r.Keyring))
	if err != nil {
		if keys, err = openpgp.ReadKeyRing(bytes.NewReader(r.Keyring)); err != nil {
			return nil, fmt.Errorf("the keyring cannot be read: %w", err)
		}
	}
	return keys, nil
}

// verify checks the index against its signature. signed is false if there is none: many vendors
// sign their packages alone.
func (r Repository) verify(ctx context.Context, keys openpgp.EntityList, index []byte) (signed bool, err error) {
	signature, err := r.fetch(ctx, "repodata/repomd.xml.asc", maxMetadata)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("its signature: %w", err)
	}
	block, err := armor.Decode(bytes.NewReader(signature))
	if err != nil {
		return false, fmt.Errorf("repodata/repomd.xml.asc is no signature: %w", err)
	}
	if _, err := archivesig.Check(keys, bytes.NewReader(index), block.Body, time.Now()); err != nil {
		return false, fmt.Errorf("repodata/repomd.xml is not signed by a key of the keyring: %w", err)
	}
	return true, nil
}

// forward refuses a revision that is older than one that was seen before, and keeps a newer
// one. Most revisions are times in seconds; of others the order is not known.
func (r Repository) forward(revision string) error {
	number, err := strconv.ParseUint(revision, 10, 63)
	if r.Seen == "" || err != nil {
		return nil
	}
	where := sha256.Sum256([]byte(r.Where))
	file := filepath.Join(r.Seen, hex.EncodeToString(where[:]))
	text, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read which revision of the repository was seen: %w", err)
	}
	last, err := strconv.ParseUint(string(text), 10, 63)
	switch {
	case err == nil && number < last && !r.AcceptOlder:
		return fmt.Errorf("its revision %d is older than %d, which was seen before; it is behind or held back: use another mirror of it, or MAPSTACK_ACCEPT_OLDER=yes", number, last)
	case err == nil && number <= last:
		return nil
	}
	if err := os.MkdirAll(r.Seen, 0o755); err != nil {
		return fmt.Errorf("keep the revision of the repository: %w", err)
	}
	if err := renameio.WriteFile(file, []byte(revision), 0o644); err != nil {
		return fmt.Errorf("keep the revision of the repository: %w", err)
	}
	return nil
}

// kernels returns the kernel packages of the metadata, at least one without an error.
func (r Repository) kernels(ctx context.Context, primary []byte) ([]rpmListed, error) {
	plain, err := unpacked(ctx, primary)
	if err != nil {
		return nil, fmt.Errorf("the primary metadata is damaged: %w", err)
	}
	defer plain.Close()
	byName := map[string][]rpmListed{}
	decoder := xml.NewDecoder(io.LimitReader(plain, maxPrimary))
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("the primary metadata is damaged: %w", err)
		}
		start, ok := token.(xml.StartElement)
		if !ok || start.Name.Local != "package" {
			continue
		}
		var p rpmListed
		if err := decoder.DecodeElement(&p, &start); err != nil {
			return nil, fmt.Errorf("the primary metadata is damaged: %w", err)
		}
		if p.Arch == r.Arch && slices.Contains(kernelPackages, p.Name) {
			byName[p.Name] = append(byName[p.Name], p)
		}
	}
	for _, name := range kernelPackages {
		if len(byName[name]) > 0 {
			return byName[name], nil
		}
	}
	return nil, fmt.Errorf("it has none of the packages %s for %s", strings.Join(kernelPackages, ", "), r.Arch)
}

// compare orders packages by their versions, as rpm does.
func (p rpmListed) compare(q rpmListed) int {
	return cmp.Or(CompareVersions(p.Version.Epoch, q.Version.Epoch), CompareVersions(p.Version.Version, q.Version.Version),
		CompareVersions(p.Version.Release, q.Version.Release))
}

// read returns the content of a package, and says what vouches for it.
func (r Repository) read(ctx context.Context, p rpmListed) (b []byte, kind string, err error) {
	if b, err = r.checked(ctx, p.listed, maxRPM); err != nil || p.keys == nil {
		return b, "yum repository", err
	}
	if err := signedPackage(p.keys, b, p, time.Now()); err != nil {
		return nil, "", fmt.Errorf("%s: %w", p.Location.Href, err)
	}
	return b, "yum repository with signed packages and unsigned metadata", nil
}

func (r Repository) unpack(ctx context.Context, p rpmListed, scratch string) (Found, error) {
	b, kind, err := r.read(ctx, p)
	if err != nil {
		return Found{}, err
	}
	file := filepath.Join(scratch, "package.rpm")
	if err := os.WriteFile(file, b, 0o600); err != nil {
		return Found{}, fmt.Errorf("keep the package: %w", err)
	}
	defer os.Remove(file)
	found, err := r.Opener.open(ctx, file, scratch)
	if err != nil {
		return Found{}, fmt.Errorf("%s: %w", p.Location.Href, err)
	}
	found.File = r.Where
	found.Chain = append([]string{kind, p.Location.Href}, found.Chain...)
	return found, nil
}

// unpacked decompresses metadata in any known format.
func unpacked(ctx context.Context, b []byte) (io.ReadCloser, error) {
	format := decompress.Detect(b[:min(len(b), 16)])
	if format == decompress.None {
		return io.NopCloser(bytes.NewReader(b)), nil
	}
	return decompress.Reader(ctx, bytes.NewReader(b), format)
}

// checked fetches a file and verifies its checksum.
func (r Repository) checked(ctx context.Context, f listed, limit int64) ([]byte, error) {
	if f.Checksum.Type != "sha256" {
		return nil, fmt.Errorf("%s has a checksum of type %q, and sha256 is wanted", f.Location.Href, f.Checksum.Type)
	}
	b, err := r.fetch(ctx, f.Location.Href, limit)
	if err != nil {
		return nil, err
	}
	if sum := sha256.Sum256(b); hex.EncodeToString(sum[:]) != strings.TrimSpace(f.Checksum.Sum) {
		return nil, fmt.Errorf("%s is not what the metadata says; it was changed or did not arrive whole", f.Location.Href)
	}
	return b, nil
}

// fetch reads a file of the repository.
func (r Repository) fetch(ctx context.Context, name string, limit int64) ([]byte, error) {
	if !fs.ValidPath(name) {
		return nil, fmt.Errorf("the path %.80q leads out of the repository", name)
	}
	if !strings.Contains(r.Where, "://") {
		f, _, err := openRegular(filepath.Join(r.Where, filepath.FromSlash(name)))
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", name, err)
		}
		defer f.Close()
		return bounded(&stoppable{ctx, f}, limit)
	}
	at, err := url.JoinPath(r.Where, name)
	if err != nil {
		return nil, err
	}
	for tries := 1; ; tries++ {
		b, err := r.download(ctx, at, name, limit)
		var wait passing
		if !errors.As(err, &wait) || tries == maxTries || ctx.Err() != nil {
			return b, err
		}
		select {
		case <-time.After(r.pause()):
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// maxTries is how often a file is asked for before a server is given up.
const maxTries = 4

// passing is an error that another attempt may repair: a connection that broke, or a server that
// is overloaded.
type passing struct{ error }

func (p passing) Unwrap() error { return p.error }

// pause returns how long to wait before another attempt.
func (r Repository) pause() time.Duration {
	if r.Pause > 0 {
		return r.Pause
	}
	return 2 * time.Second
}

// download asks for a file once.
func (r Repository) download(ctx context.Context, at, name string, limit int64) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, transferWait)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
	if err != nil {
		return nil, err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, passing{fmt.Errorf("fetch %s: %w", name, err)}
	}
	defer answer.Body.Close()
	switch status := answer.StatusCode; {
	case status == http.StatusOK:
	case status == http.StatusNotFound, status == http.StatusGone:
		return nil, fmt.Errorf("fetch %s: the server says %s: %w", name, answer.Status, fs.ErrNotExist)
	case status >= 500, status == http.StatusTooManyRequests:
		return nil, passing{fmt.Errorf("fetch %s: the server says %s", name, answer.Status)}
	default:
		return nil, fmt.Errorf("fetch %s: the server says %s", name, answer.Status)
	}
	whole := answer.ContentLength
	b, err := bounded(answer.Body, limit)
	if errors.Is(err, io.ErrUnexpectedEOF) || err == nil && whole >= 0 && int64(len(b)) < whole {
		return nil, passing{fmt.Errorf("fetch %s: the connection ended after %d of %d bytes", name, len(b), whole)}
	}
	return b, err
}

// IsRepository reports whether a path or URL is that of a yum repository.
func IsRepository(where string) bool {
	if strings.HasPrefix(where, "http://") || strings.HasPrefix(where, "https://") {
		return true
	}
	info, err := os.Stat(filepath.Join(where, "repodata", "repomd.xml"))
	return err == nil && info.Mode().IsRegular()
}
