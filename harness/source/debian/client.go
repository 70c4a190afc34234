// Package debian finds, downloads and verifies a package by suite, architecture and
// name: mirror, signed Release, Packages index, download by SHA-256. It also reads
// the content of a .deb.
package debian

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"

	"github.com/mapstack/conformance/harness/cache"
	"github.com/mapstack/conformance/harness/progress"
)

// Client downloads from one mirror. It is safe for concurrent use. It reads each
// Release and Index once.
type Client struct {
	cache    *cache.Cache
	mirror   Mirror
	keyrings fs.FS
	keys     openpgp.EntityList // of a Repository, instead of keyrings; nil for Debian's archive
	sink     progress.Sink
	http     *http.Client
	patience timeouts
	now      func() time.Time

	releases cache.Memo[*Release]
	indexes  cache.Memo[*Index]
}

// anotherMirror is what to do about most faults of a mirror.
const anotherMirror = "set MAPSTACK_MIRROR to another mirror"

// NewClient returns a client of mirror that trusts every key in the *.gpg files at
// the top of keyrings. With the zero Mirror, Fetch returns what the cache holds, and
// a download is an error.
func NewClient(c *cache.Cache, mirror Mirror, keyrings fs.FS, sink progress.Sink) *Client {
	return &Client{
		cache: c, mirror: mirror, keyrings: keyrings, sink: sink,
		http: newHTTP(mirror), patience: patience, now: time.Now,
	}
}

// CloseIdle closes the connections that were kept for the next download.
func (c *Client) CloseIdle() { c.http.CloseIdleConnections() }

// Mirror returns the mirror that the client downloads from.
func (c *Client) Mirror() Mirror { return c.mirror }

// Fetch returns the path of the package's file in the cache. It downloads the file
// if the cache lacks it. Only Filename, Size and SHA256 of p are needed, so a pinned
// package needs no index; if the cache holds it, it needs no network. Callers must
// not write to the file.
//
// If the mirror does not have the file, Fetch asks the second mirror, if there is one.
func (c *Client) Fetch(ctx context.Context, p Package) (string, error) {
	file, err := c.FetchHere(ctx, p)
	if !errors.Is(err, ErrGone) || c.mirror.Second == nil {
		return file, err
	}
	if file, secondErr := c.FetchSecond(ctx, p); secondErr == nil {
		return file, nil
	} else if ctx.Err() != nil {
		return "", secondErr
	}
	return "", err
}

// ErrNoSecond means that there is no second mirror.
var ErrNoSecond = errors.New(SnapshotVariable + " names no mirror that keeps old versions")

// FetchSecond is Fetch from the second mirror alone.
func (c *Client) FetchSecond(ctx context.Context, p Package) (string, error) {
	if c.mirror.Second == nil {
		return "", ErrNoSecond
	}
	if err := p.CheckFile(); err != nil {
		return "", err
	}
	file, err := c.blob(ctx, c.mirror.Second, p.Filename, p.label(), p.SHA256, p.Size)
	if err == nil {
		c.sink(progress.Event{Stage: progress.Warning, What: fmt.Sprintf("%s comes from %s (%s)", p.label(), c.mirror.Second.Redacted(), SnapshotVariable)})
	}
	return file, err
}

// FetchHere is Fetch without a second mirror.
func (c *Client) FetchHere(ctx context.Context, p Package) (string, error) {
	if err := p.CheckFile(); err != nil {
		return "", err
	}
	return c.blob(ctx, nil, p.Filename, p.label(), p.SHA256, p.Size)
}

// blob returns a file by its hash. base is the URL of a mirror; nil for the client's own.
func (c *Client) blob(ctx context.Context, base *url.URL, path, what, sum string, size int64) (string, error) {
	file, err := c.cache.Resumed(ctx, sum, size, func(ctx context.Context, w io.Writer, have int64) error {
		return c.get(ctx, &download{base: base, path: path, what: what, size: size, w: w, done: have})
	})
	if err != nil {
		return "", blame(c.mirror, path, what, err)
	}
	return file, nil
}

// blame adds to an ErrContent which mirror and path the bytes came from.
func blame(mirror Mirror, path, what string, err error) error {
	if !errors.Is(err, cache.ErrContent) {
		return err
	}
	return fmt.Errorf("download %s (%s of %s): %w; the mirror is being updated or serves damaged files: try again later, or %s",
		what, path, mirror.Name(), err, mirror.or(anotherMirror))
}
