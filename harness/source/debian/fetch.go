package debian

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mapstack/conformance/harness/progress"
)

// timeouts are the waits of a download.
type timeouts struct {
	stall    time.Duration // without one byte, before the connection is given up
	pause    time.Duration // before the second attempt; doubles with each further one
	attempts int           // in a row without one byte of progress
	requests int           // in all
	// A connection that sends fewer than least bytes in a window is given up, for a server
	// that sends a byte at a time.
	window time.Duration
	least  int64
}

// patience is for a mirror behind a slow link: a modem is fast enough.
var patience = timeouts{stall: 20 * time.Second, pause: 500 * time.Millisecond, attempts: 3, requests: 40, window: time.Minute, least: 60 << 10}

// Events of one download are at least this far apart, so that a fast mirror
// does not flood the display.
const (
	eventBytes = 1 << 20
	eventPause = 200 * time.Millisecond
)

// ErrUnreachable is wrapped when no mirror is known, or when the mirror is out of
// order or cannot be reached. A later attempt or a cache may help.
var ErrUnreachable = errors.New("the mirror cannot be reached")

// ErrGone is wrapped when the mirror answers that it does not have a file.
var ErrGone = errors.New("the mirror does not have it")

// errSlow is the error of a connection that is slower than timeouts.least.
var errSlow = errors.New("data arrives too slowly")

// errStalled is the cause when a request is given up because no data came.
var errStalled = errors.New("no data arrived for too long")

// idleConns is the number of connections kept open, for the next of many small
// packages.
const idleConns = 16

// newHTTP returns a client that uses the proxies of the environment and of apt. It reads file: URLs
// only if the mirror itself is one, so no server can redirect to this machine's
// files.
func newHTTP(mirror Mirror) *http.Client {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConnsPerHost = idleConns
	t.DisableCompression = true // sizes and hashes are those of the stored file
	isFile := func(u *url.URL) bool { return u != nil && u.Scheme == "file" }
	if isFile(mirror.URL) || isFile(mirror.Second) || slices.ContainsFunc(mirror.Others, isFile) {
		t.RegisterProtocol("file", http.NewFileTransport(http.Dir("/")))
	}
	t.Proxy = mirror.Network.proxy
	return &http.Client{Transport: authorized{mirror.Network, t}, CheckRedirect: func(r *http.Request, via []*http.Request) error {
		if s := r.URL.Scheme; s != "http" && s != "https" {
			return &finalError{fmt.Errorf("redirected to a %s URL; %s", s, mirror.or(anotherMirror))}
		}
		if len(via) > 10 {
			return &finalError{fmt.Errorf("redirected more than 10 times; %s", mirror.or(anotherMirror))}
		}
		return nil
	}}
}

// download is one file on its way from the mirror to w.
type download struct {
	base *url.URL // the mirror's; nil for the client's own
	path string   // below that URL
	what string   // for messages
	size int64    // exact length, or -1 when only limit is known
	// limit is the most bytes to read when size is unknown.
	limit int64
	w     io.Writer
	// unread says which of apt's passwords this user may not read; "" for all being known.
	unread string
	// mirror is the client's, for what to do about it.
	mirror Mirror

	done      int64
	reported  int64
	reportedT time.Time
}

// get runs d, and resumes it after broken connections. Errors name the file and the
// mirror, and say what to do.
func (c *Client) get(ctx context.Context, d *download) (err error) {
	if c.mirror.Bundle != nil {
		return d.unpack(ctx, c.mirror)
	}
	if c.mirror.Offline {
		return fmt.Errorf("download %s, which the cache lacks: downloads are forbidden (--offline or "+OfflineVariable+"=1), so %w; run once without --offline where there is a network, and bring the cache along", d.what, ErrUnreachable)
	}
	if d.mirror = c.mirror; d.base == nil {
		d.base = c.mirror.URL
	}
	if files := c.mirror.Network.unread; len(files) > 0 {
		d.unread = " (" + strings.Join(files, ", ") + " cannot be read by this user)"
	}
	if d.base == nil {
		return fmt.Errorf("download %s: %w: none is known; set MAPSTACK_MIRROR to the URL of a Debian archive", d.what, ErrUnreachable)
	}
	defer func() {
		c.sink(progress.Event{Stage: progress.Download, What: d.what, Done: d.done, Total: max(d.size, 0), End: true, Err: err})
	}()
	err = c.from(ctx, d)
	if d.base != c.mirror.URL {
		return err
	}
	for _, other := range c.mirror.Others {
		// Of a file whose size and hash are not known, the parts of two mirrors may not fit.
		if err == nil || ctx.Err() != nil || d.size < 0 && d.done > 0 || !errors.Is(err, ErrUnreachable) && !errors.Is(err, ErrGone) {
			break
		}
		d.base = other
		err = c.from(ctx, d)
	}
	return err
}

// from runs d from its mirror, and resumes it after broken connections.
func (c *Client) from(ctx context.Context, d *download) error {
	pause, idle := c.patience.pause, 0
	for requests := 1; ; requests++ {
		before := d.done
		err := c.attempt(ctx, d)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			// Not the cause: that may be the failure of another download.
			return fmt.Errorf("download %s: %w", d.what, ctx.Err())
		}
		if d.done > before && !errors.Is(err, errSlow) {
			idle, pause = 0, c.patience.pause
		}
		idle++
		var fatal *finalError
		if errors.As(err, &fatal) || idle >= c.patience.attempts || requests >= c.patience.requests {
			return fmt.Errorf("download %s (%s of %s): %w", d.what, d.path, d.base.Redacted(), d.advise(err))
		}
		select {
		case <-time.After(pause):
			pause *= 2
		case <-ctx.Done():
			return fmt.Errorf("download %s: %w", d.what, ctx.Err())
		}
	}
}

// unpack reads the file from a bundle. Its hash or its signature is checked by the
// caller.
func (d *download) unpack(ctx context.Context, m Mirror) error {
	f, err := m.Bundle.Open(d.path)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s is not in %s: %w; make a bundle that has the cell", d.what, m.Name(), ErrUnreachable)
	}
	if err != nil {
		return fmt.Errorf("read %s from %s: %w; the bundle is damaged: copy it again", d.what, m.Name(), err)
	}
	defer f.Close()
	limit := d.size
	if limit < 0 {
		limit = d.limit
	}
	if _, err := io.CopyN(io.Discard, f, d.done); err != nil { // what an earlier run has read
		return fmt.Errorf("read %s from %s: %w; the bundle is damaged: copy it again", d.what, m.Name(), err)
	}
	limit -= d.done
	// One byte more, so that the caller detects a file that is too long.
	if _, err := io.Copy(d.w, &untilDone{ctx, io.LimitReader(f, limit+1)}); err != nil {
		return fmt.Errorf("read %s from %s: %w; the bundle is damaged: copy it again", d.what, m.Name(), err)
	}
	return nil
}

// untilDone ends reads when the context does.
type untilDone struct {
	ctx context.Context
	r   io.Reader
}

func (r *untilDone) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}

// finalError is an error that another attempt would not repair.
type finalError struct{ err error }

func (e *finalError) Error() string { return e.err.Error() }
func (e *finalError) Unwrap() error { return e.err }

func (d *download) advise(err error) error {
	var fatal *finalError
	if errors.As(err, &fatal) {
		return err
	}
	return fmt.Errorf("%w: %w; check the network, or %s", ErrUnreachable, err, d.mirror.or("set MAPSTACK_MIRROR to a mirror that can be reached"))
}

// attempt makes one request for the missing bytes.
func (c *Client) attempt(ctx context.Context, d *download) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stall := time.AfterFunc(c.patience.stall, func() { cancel(errStalled) })
	defer stall.Stop()

	u := *d.base
	u.Path, u.RawPath = strings.TrimRight(u.Path, "/")+"/"+d.path, ""
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return &finalError{err}
	}
	if d.size < 0 || strings.HasPrefix(d.path, "dists/") {
		// These files change under the same name. An old copy of a proxy would not fit
		// the present archive. apt asks in the same way.
		req.Header.Set("Cache-Control", "max-age=0")
	}
	if d.done > 0 {
		req.Header.Set("Range", "bytes="+strconv.FormatInt(d.done, 10)+"-")
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return stalledOr(ctx, err)
	}
	defer resp.Body.Close()
	skip, err := d.accept(resp)
	if err != nil {
		return err
	}
	return c.copyBody(ctx, d, resp.Body, skip, stall)
}

// accept checks the head of the answer. It returns how many bytes of the body were
// received before.
func (d *download) accept(resp *http.Response) (skip int64, err error) {
	switch {
	case resp.StatusCode == http.StatusOK:
		if d.size >= 0 && resp.ContentLength >= 0 && resp.ContentLength != d.size {
			return 0, &finalError{fmt.Errorf("the mirror's file has %d bytes, the signed index says %d; it is being updated or damaged: try again later or %s", resp.ContentLength, d.size, d.mirror.or(anotherMirror))}
		}
		return d.done, nil
	case resp.StatusCode == http.StatusPartialContent && d.done > 0:
		if !strings.HasPrefix(resp.Header.Get("Content-Range"), "bytes "+strconv.FormatInt(d.done, 10)+"-") {
			return 0, &finalError{fmt.Errorf("the mirror answered a request for bytes from %d with %q; %s", d.done, resp.Header.Get("Content-Range"), d.mirror.or(anotherMirror))}
		}
		return 0, nil
	case resp.StatusCode == http.StatusRequestedRangeNotSatisfiable && d.done > 0:
		return 0, &finalError{fmt.Errorf("the mirror's file ends after %d bytes, the signed index says %d; it is being updated or damaged: try again later or %s", d.done, d.size, d.mirror.or(anotherMirror))}
	case resp.StatusCode == http.StatusNotFound, resp.StatusCode == http.StatusGone:
		return 0, &finalError{fmt.Errorf("%w (HTTP %s); %s", ErrGone, resp.Status, d.mirror.or("a pinned version may have been superseded: resolve again, or set MAPSTACK_MIRROR to a mirror that has it, or "+SnapshotVariable+" to one that keeps old versions"))}
	case resp.StatusCode >= 500, resp.StatusCode == http.StatusTooManyRequests, resp.StatusCode == http.StatusRequestTimeout:
		return 0, fmt.Errorf("the mirror answered HTTP %s", resp.Status)
	}
	if resp.StatusCode == http.StatusUnauthorized || resp.StatusCode == http.StatusForbidden {
		return 0, &finalError{fmt.Errorf("the mirror answered HTTP %s; give it a password in apt's auth.conf%s, or %s", resp.Status, d.unread, d.mirror.or(anotherMirror))}
	}
	return 0, &finalError{fmt.Errorf("the mirror answered HTTP %s; check the mirror's address, or %s", resp.Status, d.mirror.or(anotherMirror))}
}

// copyBody copies the body to d.w. Every read restarts the stall timer. A body that comes
// too slowly is given up.
func (c *Client) copyBody(ctx context.Context, d *download, body io.Reader, skip int64, stall *time.Timer) error {
	buf := make([]byte, 64<<10)
	began, inWindow := time.Now(), int64(0)
	for {
		n, err := body.Read(buf)
		if n > 0 {
			stall.Reset(c.patience.stall)
		}
		inWindow += int64(n)
		if inWindow >= c.patience.least {
			began, inWindow = time.Now(), 0
		} else if err == nil && time.Since(began) > c.patience.window {
			return fmt.Errorf("%w: %d bytes in %v", errSlow, inWindow, c.patience.window)
		}
		chunk := buf[:n]
		if drop := min(skip, int64(n)); drop > 0 {
			chunk, skip = chunk[drop:], skip-drop
		}
		if limit := d.most(); d.done+int64(len(chunk)) > limit {
			return &finalError{fmt.Errorf("the mirror sends more than %d bytes; %s", limit, d.mirror.or(anotherMirror))}
		}
		if len(chunk) > 0 {
			if _, err := d.w.Write(chunk); err != nil {
				return &finalError{err}
			}
			d.done += int64(len(chunk))
			c.report(d)
		}
		switch {
		case err == io.EOF && (d.size < 0 || d.done == d.size):
			return nil
		case err == io.EOF:
			return fmt.Errorf("the connection ended after %d of %d bytes", d.done, d.size)
		case err != nil:
			return stalledOr(ctx, err)
		}
	}
}

func (d *download) most() int64 {
	if d.size >= 0 {
		return d.size
	}
	return d.limit
}

func stalledOr(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); errors.Is(cause, errStalled) {
		return cause
	}
	return err
}

func (c *Client) report(d *download) {
	now := time.Now()
	if d.reported > 0 && d.done-d.reported < eventBytes && now.Sub(d.reportedT) < eventPause {
		return
	}
	d.reported, d.reportedT = d.done, now
	c.sink(progress.Event{Stage: progress.Download, What: d.what, Done: d.done, Total: max(d.size, 0)})
}
