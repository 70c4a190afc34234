// Package remote downloads a file that somebody names by its URL, hash and size. The cache
// keeps it. A broken connection is resumed where it broke.
package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/mapstack/conformance/harness/cache"
	"github.com/mapstack/conformance/harness/progress"
)

// File is a file on a server.
type File struct {
	URL    string // http or https
	SHA256 string // lower-case hexadecimal
	Size   int64  // bytes
}

// Fetcher downloads files.
type Fetcher struct {
	Cache *cache.Cache
	Sink  progress.Sink
	// Offline downloads nothing. A file that the cache lacks is an error.
	Offline bool
	// Packed holds files that need no download, by PackedName; nil for none.
	Packed fs.FS

	wait waits // the zero value is for patience
}

// waits are the waits of a download.
type waits struct {
	stall    time.Duration // without one byte, before a connection is given up
	pause    time.Duration // before another attempt
	attempts int           // in a row without one byte
}

// patience is for a server behind a slow link.
var patience = waits{stall: 30 * time.Second, pause: time.Second, attempts: 4}

// events of one download are this many bytes apart.
const eventBytes = 4 << 20

// Fetch returns the path of the file in the cache. It downloads the file if the cache lacks it.
// Callers must not write to it.
func (f Fetcher) Fetch(ctx context.Context, file File) (string, error) {
	if f.wait == (waits{}) {
		f.wait = patience
	}
	name := file.name()
	at, err := f.Cache.Resumed(ctx, file.SHA256, file.Size, func(ctx context.Context, w io.Writer, have int64) error {
		if found, err := f.unpack(file, w, have); found || err != nil {
			return err
		}
		if f.Offline {
			return errors.New("the cache lacks it, and downloads are forbidden (--offline or MAPSTACK_OFFLINE=1); run once without --offline where there is a network, and bring the cache along")
		}
		d := &download{File: file, fetcher: f, w: w, done: have, reported: have}
		err := d.run(ctx)
		f.Sink(progress.Event{Stage: progress.Download, What: name, Done: d.done, Total: file.Size, End: true, Err: err})
		return err
	})
	switch {
	case errors.Is(err, cache.ErrContent):
		return "", fmt.Errorf("download %s: %w; the server has another file, or sha256 and size are of another one", name, err)
	case err != nil:
		return "", fmt.Errorf("download %s: %w", name, err)
	}
	return at, nil
}

// PackedName is the name of a file in Fetcher.Packed.
func PackedName(sha256 string) string { return "files/" + sha256 }

// unpack writes a file from Packed, from byte have on. found is false if it is not there.
func (f Fetcher) unpack(file File, w io.Writer, have int64) (found bool, err error) {
	if f.Packed == nil {
		return false, nil
	}
	in, err := f.Packed.Open(PackedName(file.SHA256))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer in.Close()
	if _, err := io.CopyN(io.Discard, in, have); err != nil {
		return false, err
	}
	_, err = io.Copy(w, io.LimitReader(in, file.Size-have+1)) // one byte more shows a file that is too long
	return err == nil, err
}

// name names the file without its server: reports and logs need not tell where somebody keeps
// files.
func (f File) name() string {
	u, err := url.Parse(f.URL)
	if err != nil {
		return "a file"
	}
	return path.Base(u.Path)
}

// download is one file on its way.
type download struct {
	File
	fetcher  Fetcher
	w        io.Writer
	done     int64
	reported int64
}

// final is an error that another attempt would not repair.
type final struct{ error }

func (e final) Unwrap() error { return e.error }

// run makes requests until the file is there, or nothing comes any more.
func (d *download) run(ctx context.Context) error {
	for idle := 0; ; {
		before := d.done
		err := d.attempt(ctx)
		var fatal final
		if err == nil || errors.As(err, &fatal) || ctx.Err() != nil {
			return err
		}
		if idle++; d.done > before {
			idle = 0
		}
		if idle >= d.fetcher.wait.attempts {
			return fmt.Errorf("%w; check the network and the URL", err)
		}
		select {
		case <-time.After(d.fetcher.wait.pause):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// attempt makes one request for the bytes that are missing.
func (d *download) attempt(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stall := time.AfterFunc(d.fetcher.wait.stall, func() { cancel(errors.New("no data came for too long")) })
	defer stall.Stop()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, d.URL, nil)
	if err != nil {
		return final{errors.New("the URL cannot be used")}
	}
	request.Header.Set("Accept-Encoding", "identity") // hash and size are those of the stored file
	if d.done > 0 {
		request.Header.Set("Range", "bytes="+strconv.FormatInt(d.done, 10)+"-")
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return d.stalled(ctx, err)
	}
	defer answer.Body.Close()
	skip, err := d.accept(answer)
	if err != nil {
		return err
	}
	body := &counted{Reader: answer.Body, read: func() { stall.Reset(d.fetcher.wait.stall) }}
	if _, err := io.CopyN(io.Discard, body, skip); err != nil {
		return d.stalled(ctx, err)
	}
	if _, err := io.Copy(d, body); err != nil {
		return d.stalled(ctx, err)
	}
	if d.done < d.Size {
		return fmt.Errorf("the connection ended after %d of %d bytes", d.done, d.Size)
	}
	return nil
}

// accept checks the head of an answer. It returns how many bytes of the body are known already.
func (d *download) accept(answer *http.Response) (skip int64, err error) {
	switch {
	case answer.StatusCode == http.StatusOK:
		if answer.ContentLength >= 0 && answer.ContentLength != d.Size {
			return 0, final{fmt.Errorf("the server's file has %d bytes, and size says %d", answer.ContentLength, d.Size)}
		}
		return d.done, nil
	case answer.StatusCode == http.StatusPartialContent && strings.HasPrefix(answer.Header.Get("Content-Range"), "bytes "+strconv.FormatInt(d.done, 10)+"-"):
		return 0, nil
	case answer.StatusCode >= 500 || answer.StatusCode == http.StatusTooManyRequests:
		return 0, fmt.Errorf("the server says %s", answer.Status)
	}
	return 0, final{fmt.Errorf("the server says %s; correct the URL", answer.Status)}
}

// Write passes bytes on and counts them.
func (d *download) Write(b []byte) (int, error) {
	n, err := d.w.Write(b)
	d.done += int64(n)
	if d.done-d.reported >= eventBytes {
		d.reported = d.done
		d.fetcher.Sink(progress.Event{Stage: progress.Download, What: d.name(), Done: d.done, Total: d.Size})
	}
	if err != nil {
		return n, final{err}
	}
	return n, nil
}

// stalled returns why a connection was given up, else the error. Errors of net/http name the
// URL, which is left out.
func (d *download) stalled(ctx context.Context, err error) error {
	var of *url.Error
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.As(err, &of):
		return of.Err
	}
	return err
}

// counted calls read after each read.
type counted struct {
	io.Reader
	read func()
}

func (c *counted) Read(b []byte) (int, error) {
	n, err := c.Reader.Read(b)
	if n > 0 {
		c.read()
	}
	return n, err
}
