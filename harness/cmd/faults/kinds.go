package main

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// kind is a kind of fault.
type kind struct {
	name  string
	about string
	// arm prepares the fault before the run.
	arm func(*trial) error
	// strike injects the fault beside the run; nil if arm did all.
	strike   func(*trial, *process)
	kills    bool // the run may be killed
	starves  bool // the run may lack what a Go program needs to run at all
	harmless bool // the run must end well
}

// kinds are the faults. A trial's number decides its kind.
var kinds = []kind{
	{name: "SIGKILL of the run", about: "at a random time", arm: maybeCold, strike: signalRun(syscall.SIGKILL), kills: true},
	{name: "SIGTERM of the run", about: "at a random time", arm: maybeCold, strike: signalRun(syscall.SIGTERM)},
	{name: "SIGKILL of QEMU", about: "one, at a random time after its start", arm: maybeCold, strike: signalQEMU(unix.SIGKILL), harmless: true},
	{name: "SIGSTOP of QEMU", about: "one, at a random time after its start", arm: maybeCold, strike: signalQEMU(unix.SIGSTOP), harmless: true},
	{name: "disk of the cache full", about: "a few KiB to 100 MiB are left", arm: fillCache},
	{name: "disk of the evidence full", about: "up to 512 KiB are left", arm: fillOut},
	{name: "cache read-only", about: "the file system refuses writes", arm: readOnlyCache},
	{name: "bytes of the cache changed", about: "in 1 to 20 of its files", arm: flipCache, harmless: true},
	{name: "snapshot truncated", about: "one of its files, anywhere", arm: truncateSnapshot, harmless: true},
	{name: "two runs at once", about: "on one cache, one in two without snapshots", arm: severalRuns(2), harmless: true},
	{name: "four runs at once", about: "on one cache, one in two without snapshots", arm: severalRuns(4), harmless: true},
	{name: "mirror stalls", about: "after half of the first answers", arm: mirrorStalls, harmless: true},
	{name: "mirror breaks off", about: "after a third of each answer, or sends half", arm: misbehave(truncate, shorten)},
	{name: "mirror redirects", about: "in a circle, to a file, or to nowhere", arm: misbehave(redirectTo(""), redirectTo("file:///etc/hostname"), redirectTo("/debian/nowhere"))},
	{name: "mirror sends wrong bytes", about: "in the middle of each file", arm: misbehave(alter)},
	{name: "mirror's signature wrong", about: "a changed Release, or one of a stranger that has expired", arm: badRelease},
	{name: "mirror answers with errors", about: "404, 500 or 503", arm: misbehave(refuse(http.StatusNotFound), refuse(http.StatusInternalServerError), refuse(http.StatusServiceUnavailable))},
	{name: "little memory", about: "64 to 700 MiB for the run and its QEMUs", arm: limit("memory"), kills: true, starves: true},
	{name: "few tasks", about: "4 to 80 for the run and its QEMUs", arm: limit("pids"), kills: true, starves: true},
	{name: "files limited", about: "RLIMIT_FSIZE of 1 KiB to 300 MiB", arm: limitFiles},
	{name: "no /dev/kvm", about: "it is absent, or no KVM", arm: withoutKVM, harmless: true},
	{name: "/dev/kvm hangs", about: "it answers nothing, and in one of two trials does not even open", arm: hangingKVM, harmless: true},
	{name: "TMPDIR missing", about: "", arm: withoutTmp},
}

// clockJumps is a kind that every program of the machine suffers from.
func clockJumps(most time.Duration) kind {
	return kind{name: "clock jumps", about: fmt.Sprintf("forth or back by up to %v, and back again", most), arm: maybeCold, strike: jumpClock(most), harmless: true}
}

// parts are parts of the cache that a run makes again: what it takes from other parts, and
// what it downloads.
var parts = []struct {
	name    string
	folders []string
}{
	{"snapshots", []string{"snapshot-3"}},
	{"kernels", []string{"kernel"}},
	{"toolbox", []string{"toolbox-1"}},
	{"guest images", []string{"guest"}},
	{"package lists", []string{"packages", "blob"}},
	{"kernels and downloads", []string{"kernel", "blob"}},
}

// drop removes a part of the cache.
func (t *trial) drop(n int) error {
	t.note += " without " + parts[n].name
	var err error
	for _, f := range parts[n].folders {
		err = errors.Join(err, os.RemoveAll(filepath.Join(t.rig.cache(), f)))
	}
	return err
}

// maybeCold removes a part of the cache in one of three trials.
func maybeCold(t *trial) error {
	if t.random.IntN(3) > 0 {
		return nil
	}
	return t.drop(t.random.IntN(4))
}

// moment returns a time within an undisturbed run.
func (t *trial) moment() time.Duration {
	return time.Duration(t.random.Float64() * float64(t.rig.calm[t.matrix].took))
}

func signalRun(sig syscall.Signal) func(*trial, *process) {
	return func(t *trial, p *process) {
		after := t.moment()
		t.note += fmt.Sprintf(" after %v", after.Round(time.Millisecond))
		select {
		case <-p.ended:
		case <-time.After(after):
			_ = p.cmd.Process.Signal(sig)
		}
	}
}

// signalQEMU waits for a QEMU and sends it a signal some time later. One that has ended by then
// is followed by another.
func signalQEMU(sig unix.Signal) func(*trial, *process) {
	return func(t *trial, p *process) {
		skip, after := t.random.IntN(5), t.moment()/8
		seen := map[int]bool{}
		for {
			select {
			case <-p.ended:
				t.note += " too late"
				return
			case <-time.After(2 * time.Millisecond):
			}
			for _, pid := range t.rig.emulators() {
				seen[pid] = true
				if len(seen) <= skip {
					continue
				}
				time.Sleep(after)
				if unix.Kill(pid, sig) == nil {
					t.note += fmt.Sprintf(" number %d, %v after its start", len(seen), after.Round(time.Millisecond))
					return
				}
			}
		}
	}
}

// squeeze leaves a file system so much room, until the trial is over.
func (t *trial) squeeze(mount string, free int64, whole int) error {
	var fs unix.Statfs_t
	if err := unix.Statfs(mount, &fs); err != nil {
		return err
	}
	used := int64(fs.Blocks-fs.Bfree) * fs.Bsize
	t.note += fmt.Sprintf(" with %d KiB left", free>>10)
	t.mend = append(t.mend, func() error { return resize(mount, int64(whole)) })
	// A tmpfs takes a size of 0 for none, and can be given none afterwards.
	return resize(mount, max(used+free, fs.Bsize))
}

func resize(mount string, size int64) error {
	return unix.Mount("", mount, "", unix.MS_REMOUNT, fmt.Sprintf("size=%d", size))
}

func fillCache(t *trial) error {
	if err := t.drop(t.random.IntN(len(parts))); err != nil {
		return err
	}
	// Small numbers are as likely as large ones.
	return t.squeeze(t.rig.cacheHome(), 4<<10<<t.random.IntN(15), wholeSize)
}

func fillOut(t *trial) error { return t.squeeze(t.rig.out(), int64(t.random.IntN(128))<<12, outSize) }

func readOnlyCache(t *trial) error {
	if err := maybeCold(t); err != nil {
		return err
	}
	t.mend = append(t.mend, func() error { return resize(t.rig.cacheHome(), wholeSize) })
	return unix.Mount("", t.rig.cacheHome(), "", unix.MS_REMOUNT|unix.MS_RDONLY, fmt.Sprintf("size=%d", wholeSize))
}

// files lists the files below a folder of the cache that have bytes.
func (t *trial) files(folder string) (all []string, err error) {
	err = filepath.WalkDir(filepath.Join(t.rig.cache(), folder), func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		if info, err := d.Info(); err != nil || info.Size() == 0 {
			return err
		}
		all = append(all, path)
		return nil
	})
	return all, err
}

func flipCache(t *trial) error {
	all, err := t.files(".")
	if err != nil {
		return err
	}
	n := 1 + t.random.IntN(20)
	t.note += fmt.Sprintf(" in %d files", n)
	for range n {
		if err := flip(all[t.random.IntN(len(all))], t.random.Float64(), byte(1+t.random.IntN(255))); err != nil {
			return err
		}
	}
	return nil
}

// flip changes one byte of a file.
func flip(path string, where float64, by byte) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	at := int64(where * float64(info.Size()))
	b := make([]byte, 1)
	if _, err := f.ReadAt(b, at); err != nil {
		return err
	}
	b[0] ^= by
	_, err = f.WriteAt(b, at)
	return err
}

func truncateSnapshot(t *trial) error {
	all, err := t.files("snapshot-3")
	if err != nil {
		return err
	}
	path := all[t.random.IntN(len(all))]
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	size := t.random.Int64N(info.Size())
	t.note += fmt.Sprintf(" %s to %d of %d bytes", filepath.Base(path), size, info.Size())
	return os.Truncate(path, size)
}

func severalRuns(n int) func(*trial) error {
	return func(t *trial) error {
		t.runs = n
		if t.random.IntN(2) == 0 {
			return t.drop(0)
		}
		return nil
	}
}

// downloads makes the run need more of the mirror than the signed Release files, which every run
// asks for, in one of two trials.
func (t *trial) downloads() error {
	switch t.random.IntN(4) {
	case 0:
		return t.drop(4)
	case 1:
		return t.drop(5)
	}
	return nil
}

func misbehave(all ...misbehaviour) func(*trial) error {
	return func(t *trial) error {
		n := t.random.IntN(len(all))
		t.note += fmt.Sprintf(" in way %d of %d", n+1, len(all))
		t.rig.mirror.serve(all[n])
		return t.downloads()
	}
}

func mirrorStalls(t *trial) error {
	err := t.downloads()
	t.rig.mirror.serve(once(t.rig.mirror.stall))
	return err
}

func badRelease(t *trial) error {
	answer := releases(alter)
	if t.random.IntN(2) == 0 {
		var err error
		if answer, err = stranger(); err != nil {
			return err
		}
		t.note += " of a stranger"
	}
	t.rig.mirror.serve(answer)
	return t.downloads()
}

// limit puts the run into a control group.
func limit(controller string) func(*trial) error {
	return func(t *trial) error {
		amount, unit := int64(64+t.random.IntN(636))<<20, "MiB"
		shown := amount >> 20
		if controller == "pids" {
			amount, unit = int64(4+t.random.IntN(77)), "tasks"
			shown = amount
		}
		t.note += fmt.Sprintf(" %d %s", shown, unit)
		group, err := makeGroup(controller, amount)
		if err != nil {
			return err
		}
		t.limits = []string{"sh", "-c", `echo 0 > "$0/cgroup.procs" && exec "$@"`, group}
		t.mend = append(t.mend, func() error { return t.rig.removeGroup(group) })
		return maybeCold(t)
	}
}

// limitFiles lets no file of the run grow beyond a size. Small sizes are as likely as large ones.
func limitFiles(t *trial) error {
	size := int64(float64(1<<10) * math.Pow(300<<10, t.random.Float64()))
	t.note += fmt.Sprintf(" %d KiB", size>>10)
	t.limits = []string{"prlimit", fmt.Sprintf("--fsize=%d", size)}
	return maybeCold(t)
}

// groups is where control groups are mounted. Its folders are those of version 1, or it is one
// of version 2 itself.
const groups = "/sys/fs/cgroup"

// makeGroup makes a control group that has a limit.
func makeGroup(controller string, amount int64) (string, error) {
	parent, file := filepath.Join(groups, controller), map[string]string{"memory": "memory.limit_in_bytes", "pids": "pids.max"}[controller]
	if _, err := os.Stat(parent); errors.Is(err, fs.ErrNotExist) {
		parent, file = groups, controller+".max"
		if err := os.WriteFile(filepath.Join(groups, "cgroup.subtree_control"), []byte("+"+controller), 0); err != nil {
			return "", err
		}
	}
	group := filepath.Join(parent, "mapstack-faults")
	if err := os.Mkdir(group, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", err
	}
	return group, os.WriteFile(filepath.Join(group, file), fmt.Append(nil, amount), 0)
}

// removeGroup removes a control group. Its last processes may be about to end.
func (r *rig) removeGroup(group string) (err error) {
	for deadline := time.Now().Add(endWait); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if err = os.Remove(group); err == nil || errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		r.others() // collects processes that have ended, which the group still has
	}
	return err
}

func withoutKVM(t *trial) error {
	const kvm = "/dev/kvm"
	if _, err := os.Stat(kvm); err != nil {
		t.note += " as on this host"
		return nil
	}
	if t.random.IntN(2) == 0 {
		t.note += " but another device"
		t.mend = append(t.mend, func() error { return unix.Unmount(kvm, unix.MNT_DETACH) })
		return unix.Mount("/dev/null", kvm, "", unix.MS_BIND, "")
	}
	t.mend = append(t.mend, func() error { return unix.Unmount("/dev", unix.MNT_DETACH) })
	if err := unix.Mount("tmpfs", "/dev", "tmpfs", 0, "mode=0755"); err != nil {
		return err
	}
	var err error
	for minor, name := range map[uint32]string{3: "null", 5: "zero", 7: "full", 8: "random", 9: "urandom"} {
		path := "/dev/" + name
		err = errors.Join(err, unix.Mknod(path, unix.S_IFCHR, int(unix.Mkdev(1, minor))), os.Chmod(path, 0o666))
	}
	return err
}

func withoutTmp(t *trial) error {
	t.noTmp = true
	return maybeCold(t)
}
