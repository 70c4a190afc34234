// Package workbench joins cache, mirror, toolbox, toolchain and kernels into an engine. The
// command line and the suites use the same one.
package workbench

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"runtime/debug"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mapstack/conformance/harness/bundle"
	"github.com/mapstack/conformance/harness/cache"
	"github.com/mapstack/conformance/harness/guest/guestimage"
	"github.com/mapstack/conformance/harness/guest/prebuilt"
	"github.com/mapstack/conformance/harness/guest/toolchain"
	"github.com/mapstack/conformance/harness/judge/evidence"
	"github.com/mapstack/conformance/harness/machine/diskreader"
	"github.com/mapstack/conformance/harness/machine/toolbox"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/harness/matrix/arch"
	"github.com/mapstack/conformance/harness/matrix/local"
	"github.com/mapstack/conformance/harness/progress"
	"github.com/mapstack/conformance/harness/run"
	"github.com/mapstack/conformance/harness/source/debian"
	"github.com/mapstack/conformance/harness/source/intake"
	"github.com/mapstack/conformance/harness/source/kernel"
	"github.com/mapstack/conformance/harness/source/quarantine"
	"github.com/mapstack/conformance/harness/source/remote"
)

// Options holds what a command line asks for. It is fixed once a bench is open.
type Options struct {
	// Dir is a folder inside the checkout. It is not used if this program has the guest
	// programs inside.
	Dir string
	// Data holds the fixtures.
	Data fs.FS
	Sink progress.Sink
	// Locked refuses every kernel but the pinned ones.
	Locked bool
	// Offline downloads nothing. A file that the cache lacks is an error that names it. It
	// implies Locked. MAPSTACK_OFFLINE=1 sets it, too.
	Offline bool
	// Guestless goes on without a checkout of which the guest programs could be compiled, for
	// commands that need no guest. Bench.ToolsProblem then says what is missing.
	Guestless bool
	// Supplied are NAME=VALUE pairs of parts that no archive has. They override the
	// environment.
	Supplied []string
	// Programs is a folder of guest programs that the user compiled; "" for ours.
	Programs string
	// Defect is the defect model to inject; "" for none.
	Defect string
	// Product is what the systems are, for the evidence; nil if nobody says.
	Product *evidence.Product
	// Params are kernel parameters besides those that every guest gets.
	Params []arch.Param
	// Fresh boots guests instead of restoring them.
	Fresh bool
	// Isolate gives every probe a guest of its own.
	Isolate bool
	// Quarantined means that this program's main calls quarantine.Serve: files that may be
	// hostile are read in a process of their own.
	Quarantined bool
	// Verdict says what a cell's evidence decides, for progress; nil for nothing.
	Verdict func(evidence.CellRun) string
	// Undecided says which probes are run once more, as that of run.Engine does; nil for none.
	Undecided func(evidence.CellRun) map[string]string
}

// Bench holds everything that a run needs from this machine.
type Bench struct {
	Cache   *cache.Cache
	Client  *debian.Client
	Toolbox *toolbox.Toolbox
	Kernels *kernel.Resolver
	Guests  *guestimage.Builder
	// Tools compiles the guest programs; nil if they are inside this program.
	Tools *toolchain.Go
	Host  evidence.Host
	// Getenv reads Options.Supplied, and then the environment.
	Getenv func(string) string
	Sink   progress.Sink
	// ToolsProblem says why guest programs cannot be compiled; nil if they can, or need not be.
	ToolsProblem error
	// MirrorProblem says why no mirror is known; nil if one is. It matters only if something
	// must be downloaded.
	MirrorProblem error

	asked    Options
	warnings *warnings
	packed   fs.FS // the files of this bundle; nil for none
}

// lockFile is the name of the kernel lock in the fixtures and in a bundle.
const lockFile = "kernels.lock"

// Open prepares a bench.
func Open(ctx context.Context, o Options) (*Bench, error) {
	getenv, err := environment(o.Supplied, os.Getenv)
	if err != nil {
		return nil, err
	}
	o.Offline = o.Offline || getenv(debian.OfflineVariable) == "1"
	b := &Bench{asked: o, Getenv: getenv, warnings: &warnings{next: o.Sink}}
	b.Sink = b.warnings.sink
	if b.Host, err = run.MeasureHost(); err != nil {
		return nil, err
	}
	if b.Cache, err = cache.Open(""); err != nil {
		return nil, err
	}
	images := prebuilt.Images()
	var packages fs.FS
	if images == nil {
		if b.Tools, err = toolchain.Open(ctx, o.Dir, o.Offline); err != nil && (o.Guestless || o.Programs != "") {
			b.ToolsProblem, err = err, nil
		}
	} else {
		packages, err = bundle.Own()
	}
	if err != nil {
		return nil, err
	}
	b.packed = packages
	var mirror debian.Mirror
	if packages != nil {
		mirror = debian.Mirror{Bundle: packages, Source: "this bundle", IgnoreValidUntil: "the bundle, which keeps what was valid when it was made"}
	} else if o.Offline {
		mirror = debian.Mirror{Source: "--offline", Offline: true}
	} else if mirror, err = debian.FindMirror(ctx, debian.ThisHost()); err != nil {
		b.MirrorProblem = err
		b.Sink(progress.Event{Stage: progress.Warning, What: "nothing can be downloaded: " + err.Error(), End: true})
	}
	keyrings, err := fs.Sub(o.Data, "keyrings")
	if err != nil {
		return nil, fmt.Errorf("read the fixtures: %w", err)
	}
	b.Client = debian.NewClient(b.Cache, mirror, keyrings, b.Sink)
	b.Toolbox = toolbox.New(b.Client, b.Cache, b.Sink)
	b.Guests = guestimage.NewBuilder(b.Cache, b.Tools, b.Sink)
	b.Guests.Prebuilt, b.Guests.Folder = images, o.Programs
	lock, err := readLock(o.Data, packages)
	if err != nil {
		return nil, err
	}
	b.Kernels = kernel.NewResolver(kernel.FromDebian(b.Client), b.Cache, lock, o.Locked || o.Offline || packages != nil, b.Sink)
	if o.Quarantined {
		b.Kernels.Quarantine = quarantine.Self(func(lack string) { b.Sink(progress.Event{Stage: progress.Warning, What: lack, End: true}) })
	}
	b.Kernels.Supplied = func(rec arch.Record) (string, error) {
		p, err := b.Parts(rec, false)
		return p.Kernel, err
	}
	b.Kernels.Config = func(name string) ([]byte, error) { return fs.ReadFile(o.Data, name+".config") }
	b.Toolbox.Supplied = func(rec arch.Record) (string, string, error) {
		p, err := b.Parts(rec, true) // whoever needs the kernel too asks for it
		return p.QEMU, p.Firmware, err
	}
	b.Guests.Supplied = func(rec arch.Record) (string, error) {
		// Other missing parts do not matter: programs do not run in guests only.
		p, err := local.Find(rec, b.Getenv, b.root())
		return p.GOROOT, err
	}
	return b, nil
}

// Close lets others prune the cache, and closes idle connections. The end of the process does the
// same. No machine may run from the cache any more.
func (b *Bench) Close() error {
	b.Client.CloseIdle()
	return b.Cache.Close()
}

// readLock reads the kernel lock. A bundle has a lock of its own.
func readLock(data, packages fs.FS) (kernel.Lock, error) {
	from, name := data, "fixtures/"+lockFile
	if packages != nil {
		from, name = packages, "this bundle's "+lockFile
	}
	text, err := fs.ReadFile(from, lockFile)
	if err != nil {
		return kernel.Lock{}, fmt.Errorf("read %s: %w", name, err)
	}
	return kernel.ParseLock(name, text)
}

// root returns the checkout, in which the file of local parts is searched; "" for a program
// without one. That file names programs to run, and the current folder may be anybody's.
func (b *Bench) root() string {
	if b.Tools == nil {
		return ""
	}
	return b.Tools.Root()
}

// Parts returns what this machine's owner supplied for an architecture that no archive has.
// If parts are missing, the error is a *local.MissingError that lists them.
func (b *Bench) Parts(rec arch.Record, given bool) (local.Parts, error) {
	p, err := local.Find(rec, b.Getenv, b.root())
	if err == nil {
		err = p.Missing(rec, given)
	}
	return p, err
}

// Matrix returns the cells that this program can run.
func (b *Bench) Matrix() ([]matrix.Cell, error) {
	all, err := matrix.Load(b.asked.Data)
	if err != nil {
		return nil, err
	}
	return Bundled(all)
}

// Reader returns a helper that reads disks in a guest with the cell's kernel. The cell must
// be of this host's architecture.
func (b *Bench) Reader(cell matrix.Cell) intake.Helper {
	r := &diskreader.Reader{Cell: cell, Kernels: b.Kernels, Client: b.Client, Toolbox: b.Toolbox, Cache: b.Cache, Sink: b.Sink}
	return r.Read
}

// Engine returns an engine that runs bound subjects with this bench.
func (b *Bench) Engine() *run.Engine {
	return &run.Engine{Emulators: b.Toolbox, Images: b.Guests, Supplies: b, Host: b.Host, Sink: b.Sink, Defect: b.asked.Defect,
		Params: b.asked.Params, Snapshots: b.Cache, Fresh: b.asked.Fresh, Isolate: b.asked.Isolate, Verdict: b.asked.Verdict, Undecided: b.asked.Undecided}
}

// Bind binds cells of the matrix to guests that boot their kernels.
func (b *Bench) Bind(cells ...matrix.Cell) []run.Bound {
	bound := make([]run.Bound, len(cells))
	for i, cell := range cells {
		boots := func(ctx context.Context) (kernel.Image, error) { return b.Kernels.Image(ctx, cell) }
		bound[i] = run.Bound{Cell: cell, Where: run.Guests{Kernel: boots}}
	}
	return bound
}

// Programs returns what makes guest images of the programs in a folder, which somebody compiled.
func (b *Bench) Programs(folder string) *guestimage.Builder {
	own := guestimage.NewBuilder(b.Cache, b.Tools, b.Sink)
	own.Folder = folder
	return own
}

// Remote returns what downloads files by their URL.
func (b *Bench) Remote() remote.Fetcher {
	return remote.Fetcher{Cache: b.Cache, Sink: b.Sink, Offline: b.Offline(), Packed: b.packed}
}

// Offline reports whether downloads are forbidden.
func (b *Bench) Offline() bool { return b.asked.Offline || b.Client.Mirror().Offline }

// Revision returns the git revision of the checkout. A program that needs no checkout returns
// the one that it was built from. It ends in "-dirty" if files were changed, and is "unknown"
// if git does not say.
func (b *Bench) Revision(ctx context.Context) string {
	if b.Tools == nil {
		return Stamped()
	}
	git := func(args ...string) (string, error) {
		out, err := exec.CommandContext(ctx, "git", append([]string{"-C", b.Tools.Root()}, args...)...).Output()
		return strings.TrimSpace(string(out)), err
	}
	rev, err := git("rev-parse", "HEAD")
	if err != nil {
		return "unknown"
	}
	if status, err := git("status", "--porcelain"); err != nil || status != "" {
		return rev + "-dirty"
	}
	return rev
}

// Stamped returns the revision that the go command stored in this program: "unknown" if it
// stored none, and with "-dirty" at its end if files were changed.
func Stamped() string {
	info, ok := debug.ReadBuildInfo()
	rev, dirty := "unknown", ""
	if !ok {
		return rev
	}
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			rev = s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			dirty = "-dirty"
		}
	}
	return rev + dirty
}

// ownUsage returns the CPU seconds of this process, and its largest resident memory in bytes.
func ownUsage() (cpu float64, resident int64, err error) {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		return 0, 0, fmt.Errorf("measure this process: %w", err)
	}
	spent := time.Duration(u.Utime.Nano() + u.Stime.Nano())
	return spent.Seconds(), int64(u.Maxrss) << 10, nil // Linux counts KiB
}
