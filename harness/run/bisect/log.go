package bisect

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/mapstack/conformance/harness/cache"
	"github.com/mapstack/conformance/harness/judge/verdict"
)

// Subject is what the tests of a log are about. It is the log's first line.
type Subject struct {
	Claim   string `json:"claim"`
	Version string `json:"version"` // of the suite, since another one may decide otherwise
}

// Log is the file of a session: a line of JSON for the subject, and one for each test.
type Log struct{ file *os.File }

// maxLog is the largest log that is read, in bytes. A test has a few hundred.
const maxLog = 16 << 20

// begins is how a log begins.
const begins = `{"claim":"`

// OpenLog opens the log of a session, and returns the tests that it has, by the SHA-256 of the
// kernel. It makes the log if there is none. It refuses a log about something else.
func OpenLog(path string, about Subject) (*Log, map[string]Test, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, nil, fmt.Errorf("open the log: %w", err)
	}
	l := &Log{file}
	refuse := func(err error) (*Log, map[string]Test, error) { return nil, nil, errors.Join(err, l.Close()) }
	b, err := io.ReadAll(io.LimitReader(file, maxLog+1))
	if err == nil && len(b) > maxLog {
		err = fmt.Errorf("it is larger than %d MiB", maxLog>>20)
	}
	if err != nil {
		return refuse(fmt.Errorf("read the log %s: %w", path, err))
	}
	// A session that was killed leaves half a line, which is cut off. A file without a line that
	// does not begin as a log does is somebody's, and keeps its bytes.
	whole := b[:bytes.LastIndexByte(b, '\n')+1]
	if half := b[:min(len(b), len(begins))]; len(whole) == 0 && !strings.HasPrefix(begins, string(half)) {
		return refuse(fmt.Errorf("the file %s is no log of bisect; name another one with --log", path))
	}
	known, err := parseLog(whole, about)
	if err != nil {
		return refuse(fmt.Errorf("the log %s, %w; name another one with --log", path, err))
	}
	if err := errors.Join(file.Truncate(int64(len(whole))), seekEnd(file)); err != nil {
		return refuse(fmt.Errorf("write the log: %w", err))
	}
	if len(whole) == 0 {
		if err := l.line(about); err != nil {
			return refuse(err)
		}
	}
	return l, known, nil
}

func seekEnd(f *os.File) error {
	_, err := f.Seek(0, io.SeekEnd)
	return err
}

// statuses are those that a claim can have.
var statuses = map[verdict.Status]bool{verdict.Pass: true, verdict.Fail: true, verdict.Error: true, verdict.Unsupported: true, verdict.NotRun: true}

// parseLog reads whole lines.
func parseLog(b []byte, about Subject) (map[string]Test, error) {
	known := map[string]Test{}
	for n, line := range bytes.Split(bytes.TrimSuffix(b, []byte("\n")), []byte("\n")) {
		if len(b) == 0 {
			break
		}
		into := func(v any) error {
			d := json.NewDecoder(bytes.NewReader(line))
			d.DisallowUnknownFields()
			if err := d.Decode(v); err != nil {
				return fmt.Errorf("line %d: it is no line of a bisect log: %w", n+1, err)
			}
			return nil
		}
		if n == 0 {
			var s Subject
			if err := into(&s); err != nil {
				return nil, err
			}
			if s != about {
				return nil, fmt.Errorf("line 1: it is about %q as version %q decides it, and not about %s of version %s", s.Claim, s.Version, about.Claim, about.Version)
			}
			continue
		}
		var t Test
		if err := into(&t); err != nil {
			return nil, err
		}
		if !cache.ValidSHA256(t.SHA256) || !statuses[t.Status] {
			return nil, fmt.Errorf("line %d: it has no SHA-256 of a kernel, or no status of a claim", n+1)
		}
		known[t.SHA256] = t
	}
	return known, nil
}

// Add writes a test. It is on disk when Add returns.
func (l *Log) Add(t Test) error { return l.line(t) }

func (l *Log) line(v any) error {
	b, err := json.Marshal(v)
	if err == nil {
		_, err = l.file.Write(append(b, '\n'))
	}
	if err == nil {
		err = l.file.Sync()
	}
	if err != nil {
		return fmt.Errorf("write the log: %w", err)
	}
	return nil
}

// Close closes the log.
func (l *Log) Close() error { return l.file.Close() }
