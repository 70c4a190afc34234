// Package toolbox finds a QEMU for an architecture. It takes the one in PATH if it is
// new enough. Else it unpacks Debian packages into the cache and runs QEMU from there,
// with its own loader and libraries. It needs no root and leaves the system as it is.
package toolbox

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"runtime"

	"github.com/mapstack/conformance/harness/cache"
	"github.com/mapstack/conformance/harness/machine/qemu"
	"github.com/mapstack/conformance/harness/matrix/arch"
	"github.com/mapstack/conformance/harness/progress"
	"github.com/mapstack/conformance/harness/source/debian"
)

// QEMU is an emulator that runs on this machine.
type QEMU struct {
	// Argv is the beginning of the command line: the binary, with its loader before it
	// and its firmware paths after it where needed. QEMU's arguments follow.
	Argv    []string
	Version string // as QEMU prints it: "10.0.2 (Debian 1:10.0.2+ds-2)"
	Source  string // "PATH" or "toolbox: " with the package and its version
	Build   string // SHA-256 that identifies the binary and, in the toolbox, all its libraries
	// Confined says how it can be confined on this host.
	Confined qemu.Confinement
}

// Toolbox finds emulators. It is safe for concurrent use, and searches once for each
// architecture.
type Toolbox struct {
	// Supplied returns the emulator that somebody supplied for an architecture, and the
	// folder with its firmware. The folder is empty if the emulator finds its firmware.
	Supplied func(arch.Record) (path, firmware string, err error)

	client *debian.Client
	cache  *cache.Cache
	sink   progress.Sink
	host   string // GOARCH of this machine

	found cache.Memo[QEMU]
}

// New returns a toolbox that downloads with client and unpacks into c.
func New(client *debian.Client, c *cache.Cache, sink progress.Sink) *Toolbox {
	return &Toolbox{client: client, cache: c, sink: sink, host: runtime.GOARCH}
}

// Find returns a QEMU for the architecture.
func (t *Toolbox) Find(ctx context.Context, rec arch.Record) (QEMU, error) {
	return t.found.Get(ctx, "QEMU for "+rec.GOARCH, func() (QEMU, error) {
		q, err := t.search(ctx, rec)
		if err != nil {
			return QEMU{}, err
		}
		var lacks []string
		q.Confined, lacks = qemu.TryConfinement(ctx, q.Argv)
		for _, lack := range lacks {
			t.sink(progress.Event{Stage: progress.Warning, What: fmt.Sprintf("QEMU for %s cannot be confined as it should: %s", rec.GOARCH, lack)})
		}
		return q, nil
	})
}

// Packages returns the packages of the architecture's QEMU, as if none were in PATH,
// and the signed index that lists them.
func (t *Toolbox) Packages(ctx context.Context, rec arch.Record) ([]debian.Package, debian.Signed, error) {
	packages, err := t.resolve(ctx, rec, t.client.Index)
	if err != nil {
		return nil, debian.Signed{}, err
	}
	host, err := arch.Lookup(t.host)
	if err != nil {
		return nil, debian.Signed{}, err
	}
	signed, err := t.client.Signed(ctx, suite, host.Debian)
	return packages, signed, err
}

// Needed returns the packages that Find would take the architecture's QEMU from. There are none
// if PATH has one, or if its owner supplies it.
func (t *Toolbox) Needed(ctx context.Context, rec arch.Record) ([]debian.Package, error) {
	if rec.Supplied {
		return nil, nil
	}
	if _, err := fromPath(ctx, rec); err == nil {
		return nil, nil
	}
	return t.resolve(ctx, rec, t.client.Index)
}

// Programs returns a folder with files of the named packages and their dependencies,
// for this machine. It has the files that wanted accepts, and all libraries.
func (t *Toolbox) Programs(ctx context.Context, names []string, wanted func(name string) bool) (string, error) {
	host, err := arch.Lookup(t.host)
	if err != nil {
		return "", fmt.Errorf("this machine: %w", err)
	}
	x, err := t.client.Index(ctx, suite, host.Debian)
	if err != nil {
		return "", err
	}
	packages, err := debian.Closure(x, names, leftOut...)
	if err != nil {
		return "", err
	}
	h := sha256.New()
	for _, p := range packages {
		fmt.Fprintln(h, p.Name, p.SHA256)
	}
	return t.cache.Dir(ctx, "programs-1", hex.EncodeToString(h.Sum(nil)), func(ctx context.Context, dir string) error {
		for _, p := range packages {
			file, err := t.client.Fetch(ctx, p)
			if err != nil {
				return err
			}
			if err := debian.Unpack(ctx, file, dir, func(name string) bool { return isLibrary(name) || wanted(name) }); err != nil {
				return fmt.Errorf("unpack package %s: %w", p.Name, err)
			}
		}
		return nil
	})
}

func (t *Toolbox) search(ctx context.Context, rec arch.Record) (QEMU, error) {
	if rec.Supplied {
		path, firmware, err := t.Supplied(rec)
		if err != nil {
			return QEMU{}, err
		}
		return supplied(ctx, path, firmware)
	}
	q, reason := fromPath(ctx, rec)
	if reason == nil {
		return q, nil
	}
	q, err := t.fromPackages(ctx, rec)
	if err != nil {
		return QEMU{}, fmt.Errorf("get QEMU for %s from Debian packages, because %w: %w; or install qemu-system-%s %d.%d or later",
			rec.GOARCH, reason, err, rec.QEMU, oldestMajor, oldestMinor)
	}
	return q, nil
}
