// Package guestimage makes the initramfs of a guest: the agent as PID 1 and
// every probe. The same programs give the same bytes.
package guestimage

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"sync"

	"github.com/u-root/u-root/pkg/cpio"

	"github.com/mapstack/conformance/harness/arch"
	"github.com/mapstack/conformance/harness/cache"
	"github.com/mapstack/conformance/harness/progress"
	"github.com/mapstack/conformance/harness/toolchain"
)

// agent is the folder of PID 1, below poc/.
const agent = "agent"

// Probes are the programs of every guest image, by their folders below poc/.
var (
	guestProbes  = []string{"cloneflags", "facts", "hostile", "mapstack", "mmapabi"}
	hostedProbes = []string{"sysconf"}
)

// Image is a guest image in the cache.
type Image struct {
	Path   string // the initramfs, an uncompressed cpio archive
	Key    string // changes when its contents could
	Probes []string
	Go     string // version of the toolchain
}

// Builder makes guest images, each architecture once.
type Builder struct {
	cache *cache.Cache
	tools *toolchain.Go
	sink  progress.Sink

	mu    sync.Mutex
	built map[string]*once
}

type once struct {
	sync.Once
	image Image
	err   error
}

// NewBuilder returns a builder that compiles with tools and keeps images in c.
func NewBuilder(c *cache.Cache, tools *toolchain.Go, sink progress.Sink) *Builder {
	return &Builder{cache: c, tools: tools, sink: sink, built: map[string]*once{}}
}

// Image returns the guest image of an architecture.
func (b *Builder) Image(ctx context.Context, rec arch.Record) (Image, error) {
	b.mu.Lock()
	o, ok := b.built[rec.GOARCH]
	if !ok {
		o = &once{}
		b.built[rec.GOARCH] = o
	}
	b.mu.Unlock()
	o.Do(func() { o.image, o.err = b.image(ctx, rec) })
	return o.image, o.err
}

func (b *Builder) image(ctx context.Context, rec arch.Record) (Image, error) {
	key, err := b.tools.Key(rec)
	if err != nil {
		return Image{}, err
	}
	dir, err := b.cache.Dir(ctx, "guest", key, func(ctx context.Context, dir string) error {
		what := "guest programs for " + rec.GOARCH
		b.sink(progress.Event{Stage: progress.Build, What: what})
		err := b.build(ctx, rec, dir)
		b.sink(progress.Event{Stage: progress.Build, What: what, End: true, Err: err})
		return err
	})
	if err != nil {
		return Image{}, fmt.Errorf("guest image for %s: %w", rec.GOARCH, err)
	}
	probes := append(append([]string{}, guestProbes...), hostedProbes...)
	sort.Strings(probes)
	return Image{Path: filepath.Join(dir, archive), Key: key, Probes: probes, Go: b.tools.Version()}, nil
}

const archive = "initramfs.cpio"

func (b *Builder) build(ctx context.Context, rec arch.Record, dir string) error {
	bin, err := os.MkdirTemp("", "mapstack-guest-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(bin)
	if err := b.tools.Build(ctx, rec, bin, append([]string{agent}, guestProbes...)); err != nil {
		return err
	}
	if err := b.tools.BuildHosted(ctx, rec, bin, hostedProbes); err != nil {
		return err
	}
	records, err := contents(bin)
	if err != nil {
		return err
	}
	return write(filepath.Join(dir, archive), records)
}

// contents is what the guest finds when it starts.
func contents(bin string) ([]cpio.Record, error) {
	records := []cpio.Record{
		cpio.Directory("dev", 0o755),
		// The kernel opens it for PID 1 before devtmpfs is mounted.
		cpio.CharDev("dev/console", 0o600, 5, 1),
		cpio.CharDev("dev/null", 0o666, 1, 3),
		cpio.Directory("proc", 0o555),
		cpio.Directory("sys", 0o555),
		cpio.Directory("tmp", 0o777),
		cpio.Directory("probes", 0o755),
	}
	entries, err := os.ReadDir(bin)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(bin, e.Name()))
		if err != nil {
			return nil, err
		}
		name := "probes/" + e.Name()
		if e.Name() == agent {
			name = "init"
		}
		records = append(records, cpio.StaticFile(name, string(b), 0o755))
	}
	return records, nil
}

func write(path string, records []cpio.Record) error {
	var buf bytes.Buffer
	w := cpio.Newc.Writer(&buf)
	cpio.MakeAllReproducible(records)
	if err := cpio.WriteRecords(w, records); err != nil {
		return fmt.Errorf("write the initramfs: %w", err)
	}
	if err := cpio.WriteTrailer(w); err != nil {
		return fmt.Errorf("write the initramfs: %w", err)
	}
	return os.WriteFile(path, buf.Bytes(), 0o644)
}
