package evidence

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// record is resume.json.
type record struct {
	Schema string `json:"schema"`
	// Flags are those that the run was started with, by name. They name files of this host,
	// as qemu.txt does.
	Flags map[string][]string `json:"flags"`
	// Ended has the hash of the files of each cell that has ended, by the cell's name.
	Ended map[string]string `json:"ended"`
}

// journal keeps resume.json up to date. It holds the folder, so that no second run writes to
// it.
type journal struct {
	folder string
	held   *os.File

	mu sync.Mutex
	record
}

// Begin makes the folder of a new run below out, as Create does, for a run that can be gone on
// with. The caller must close it. flags are those that the run was started with.
func Begin(out string, started time.Time, flags map[string][]string) (Folder, error) {
	f, err := Create(out, started)
	if err != nil {
		return f, err
	}
	held, err := hold(f.path)
	if err != nil {
		return f, err
	}
	f.journal = &journal{folder: f.path, held: held, record: record{Schema: Schema, Flags: flags, Ended: map[string]string{}}}
	return f, f.journal.write()
}

// Close lets others go on with the run.
func (f Folder) Close() error {
	if f.journal == nil {
		return nil
	}
	return f.journal.held.Close()
}

// errHeld means that a run writes to its folder.
var errHeld = errors.New("a run still writes to it; wait until that ends, or stop it")

// hold keeps others from writing to a folder, until the returned file is closed. A process
// that is killed lets go of it.
func hold(folder string) (*os.File, error) {
	dir, err := os.Open(folder)
	if err != nil {
		return nil, unwritten(err)
	}
	// Some network file systems cannot lock a folder. A run there is as good as any other.
	if err := syscall.Flock(int(dir.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, errors.Join(fmt.Errorf("go on with the run in %s: %w", folder, errHeld), dir.Close())
	}
	return dir, nil
}

// note keeps the hash of a cell that has ended.
func (j *journal) note(cell string) error {
	sum, err := cellDigest(os.DirFS(j.folder), cell)
	if err != nil {
		return err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.Ended[cell] = sum
	return j.write()
}

func (j *journal) write() error { return write(filepath.Join(j.folder, resumeFile), j.record) }

// cellPath returns the path of a cell's folder in the folder of a run.
func cellPath(cell string) string { return path.Join("cells", cell) }
