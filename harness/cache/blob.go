package cache

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// checked is the modification time of a file whose content was verified. A write
// changes the time, and then the content is hashed again.
var checked = time.Unix(1_000_000_000, 0)

// ErrContent is wrapped when fetched bytes differ from the ones asked for.
var ErrContent = errors.New("content differs from what was asked for")

// Blob returns the path of the file whose SHA-256 is sum (lower-case
// hexadecimal) and whose length is size bytes. A file that is missing or
// damaged is fetched: fetch writes the whole content to w and stops at the
// first error from w. Callers must not write to the file.
func (c *Cache) Blob(ctx context.Context, sum string, size int64, fetch func(ctx context.Context, w io.Writer) error) (string, error) {
	return c.blob(ctx, sum, size, false, func(ctx context.Context, w io.Writer, _ int64) error { return fetch(ctx, w) })
}

// Resumed is Blob for a fetch that can go on where an earlier one ended, also one of a run that
// was killed. fetch is told how many bytes of the content are there already, and writes the rest.
// If these bytes turn out to be others, it is called once more, for the whole content.
func (c *Cache) Resumed(ctx context.Context, sum string, size int64, fetch func(ctx context.Context, w io.Writer, have int64) error) (string, error) {
	return c.blob(ctx, sum, size, true, fetch)
}

func (c *Cache) blob(ctx context.Context, sum string, size int64, resume bool, fetch func(ctx context.Context, w io.Writer, have int64) error) (string, error) {
	if !ValidSHA256(sum) || size < 0 {
		return "", fmt.Errorf("cache blob: %q with %d bytes is not a SHA-256 in lower-case hexadecimal and a size", sum, size)
	}
	entry := "blob-" + sum
	unlock, err := c.lock(ctx, entry)
	if err != nil {
		return "", err
	}
	defer unlock()

	path := c.path("blob", sum[:2], sum)
	whole, err := blobWhole(path, sum, size)
	if err != nil {
		return "", c.explain("check "+entry, err)
	}
	if whole {
		noteUse(path)
		return path, nil
	}
	if err := ctx.Err(); err != nil {
		return "", fmt.Errorf("fetch %s: %w", entry, context.Cause(ctx))
	}
	work := c.path("work", entry)
	have, err := c.fetchBlob(ctx, work, sum, size, resume, fetch)
	if err != nil && have > 0 && ctx.Err() == nil && errors.Is(err, ErrContent) {
		_, err = c.fetchBlob(ctx, work, sum, size, false, fetch)
	}
	if err != nil {
		// What is there stays for the next run, unless it is not what was asked for.
		if !resume || errors.Is(err, ErrContent) {
			_ = os.Remove(work)
		}
		return "", err
	}
	if err := os.MkdirAll(c.path("blob", sum[:2]), 0o755); err != nil {
		return "", c.explain("store "+entry, err)
	}
	if err := os.Rename(work, path); err != nil {
		return "", c.explain("store "+entry, err)
	}
	noteUse(path)
	return path, nil
}

// Holds reports whether Blob has the file already. Its content is checked when it is used.
func (c *Cache) Holds(sum string, size int64) bool {
	if !ValidSHA256(sum) {
		return false
	}
	st, err := os.Lstat(c.path("blob", sum[:2], sum))
	return err == nil && st.Mode().IsRegular() && st.Size() == size
}

// blobWhole reports whether path holds the content. An error is one that fetching
// again would not repair.
func blobWhole(path, sum string, size int64) (bool, error) {
	st, err := os.Lstat(path)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if !st.Mode().IsRegular() {
		return false, os.RemoveAll(path)
	}
	if st.Size() != size {
		return false, nil
	}
	if st.ModTime().Equal(checked) {
		return true, nil
	}
	got, err := hashFile(path)
	if err != nil || got != sum {
		return false, nil
	}
	return true, os.Chtimes(path, checked, checked)
}

// fetchBlob fetches the content into work. have is how many bytes of it were there before.
func (c *Cache) fetchBlob(ctx context.Context, work, sum string, size int64, resume bool, fetch func(context.Context, io.Writer, int64) error) (have int64, err error) {
	w := &blobWriter{hash: sha256.New(), size: size}
	if resume {
		w.file, w.done = begun(work, size, w.hash)
	}
	if w.file == nil {
		// What a killed run left is removed, and nothing is followed.
		if err := os.RemoveAll(work); err != nil {
			return 0, c.explain("store blob "+sum, err)
		}
		if w.file, err = os.OpenFile(work, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644); err != nil {
			return 0, c.explain("store blob "+sum, err)
		}
	}
	have = w.done
	err = fetch(ctx, w, have)
	closeErr := w.file.Close()
	switch {
	case w.err != nil:
		return have, c.explain("store blob "+sum, w.err)
	case err != nil:
		return have, err
	case closeErr != nil:
		return have, c.explain("store blob "+sum, closeErr)
	case w.done != size:
		return have, fmt.Errorf("%w: got %d bytes, expected %d", ErrContent, w.done, size)
	}
	if got := hex.EncodeToString(w.hash.Sum(nil)); got != sum {
		return have, fmt.Errorf("%w: SHA-256 is %s, expected %s", ErrContent, got, sum)
	}
	if err := os.Chtimes(work, checked, checked); err != nil {
		return have, c.explain("store blob "+sum, err)
	}
	return have, nil
}

// begun opens what an earlier run has fetched, at its end, and hashes it. It returns nil if there
// is nothing to go on with. The file must be one of ours: nothing is followed.
func begun(work string, size int64, to hash.Hash) (*os.File, int64) {
	st, err := os.Lstat(work)
	if err != nil || !st.Mode().IsRegular() || st.Size() == 0 || st.Size() >= size {
		return nil, 0
	}
	f, err := os.OpenFile(work, os.O_RDWR|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, 0
	}
	n, err := io.Copy(to, f)
	if err != nil || n != st.Size() {
		_ = f.Close()
		to.Reset()
		return nil, 0
	}
	return f, n
}

// blobWriter counts and hashes. It refuses the first byte too many, so that an
// endless answer cannot fill the disk.
type blobWriter struct {
	file *os.File
	hash hash.Hash
	size int64
	done int64
	err  error // of the disk, kept apart from the fetcher's own
}

func (w *blobWriter) Write(p []byte) (int, error) {
	if w.err != nil {
		return 0, w.err
	}
	if w.done+int64(len(p)) > w.size {
		return 0, fmt.Errorf("%w: more than the expected %d bytes", ErrContent, w.size)
	}
	n, err := w.file.Write(p)
	w.done += int64(n)
	w.hash.Write(p[:n])
	w.err = err
	return n, err
}
