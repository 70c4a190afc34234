// Package guestimage makes the initramfs of a guest. It holds stage 0, the agent
// that stage 0 becomes as PID 1, and every probe. Agent and probes are one program
// with several names. The same programs give the same bytes.
package guestimage

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/u-root/u-root/pkg/cpio"

	"github.com/mapstack/conformance/harness/cache"
	"github.com/mapstack/conformance/harness/guest/assembler"
	"github.com/mapstack/conformance/harness/guest/runtimevariant"
	"github.com/mapstack/conformance/harness/guest/toolchain"
	"github.com/mapstack/conformance/harness/matrix/arch"
	"github.com/mapstack/conformance/harness/progress"
	"github.com/mapstack/conformance/harness/source/compiler"
	"github.com/mapstack/conformance/poc/catalog"
	"github.com/mapstack/conformance/poc/stage0"
)

const (
	// guest is the folder below poc/ of the program that is the agent and the probes.
	guest = "guest"
	// agent is the agent's name among the programs.
	agent = "agent"
)

// inImage returns the names of the programs below poc that guest images have and for
// which is returns true, sorted.
func inImage(is func(catalog.Program) bool) (names []string) {
	for _, p := range catalog.Programs() {
		if !p.Assembled && is(p) {
			names = append(names, p.Name)
		}
	}
	return names
}

func plain(p catalog.Program) bool  { return !p.Hosted }
func hosted(p catalog.Program) bool { return p.Hosted }

// varied selects the programs that are built with another runtime too.
func varied(v catalog.Variant) func(catalog.Program) bool {
	return func(p catalog.Program) bool { return slices.Contains(p.Variants, v) }
}

// holds returns the programs that a compiled file is. The file of a runtime variant
// is the programs that are built with that runtime too.
func holds(file string) (names []string) {
	stem, variant, varies := strings.Cut(file, "-")
	switch {
	case stem != guest:
		return []string{file}
	case !varies:
		return append(inImage(plain), agent)
	}
	for _, name := range inImage(varied(catalog.Variant(variant))) {
		names = append(names, name+"-"+variant)
	}
	return names
}

// probesOf returns the names of the probes in compiled files, sorted.
func probesOf(files []string) (probes []string) {
	for _, file := range files {
		probes = append(probes, holds(file)...)
	}
	probes = slices.DeleteFunc(probes, func(name string) bool { return name == agent })
	slices.Sort(probes)
	return probes
}

// Image is a guest image in the cache.
type Image struct {
	Path   string // the initramfs, an uncompressed cpio archive
	Disk   string // the same files as an ext4 file system, if a machine of the architecture takes a disk
	Key    string // changes when the contents may change
	Bare   bool   // the image has stage 0 but no agent, because there was no toolchain
	Probes []string
	Go     string // version of the toolchain
}

// Builder makes guest images, each architecture's once.
type Builder struct {
	// Folder holds programs that somebody else compiled; they are used instead of
	// compiling. Empty for none.
	Folder string
	// Prebuilt holds images that Export wrote; they are used instead of compiling.
	// Nil for none.
	Prebuilt fs.FS
	// Supplied returns the GOROOT that somebody supplied for an architecture, "" for
	// none.
	Supplied func(arch.Record) (string, error)

	cache *cache.Cache
	tools *toolchain.Go
	sink  progress.Sink

	built cache.Memo[Image]
}

// NewBuilder returns a builder that compiles with tools and keeps images in c. With
// Folder or Prebuilt set, tools may be nil.
func NewBuilder(c *cache.Cache, tools *toolchain.Go, sink progress.Sink) *Builder {
	return &Builder{cache: c, tools: tools, sink: sink}
}

// Image returns the guest image of an architecture. A failure is not kept: the next
// caller tries again.
func (b *Builder) Image(ctx context.Context, rec arch.Record) (Image, error) {
	what := "guest image for " + rec.GOARCH
	return b.built.Get(ctx, what, func() (Image, error) {
		have := b.image
		switch {
		case b.Folder != "":
			have = b.fromFolder
		case b.Prebuilt != nil:
			have = b.prebuilt
		}
		image, err := have(ctx, rec)
		if err != nil {
			return Image{}, fmt.Errorf("%s: %w", what, err)
		}
		return image, nil
	})
}

// layout is the version of the image format. It must change when contents or write
// make other files of the same programs.
const layout = "4"

func (b *Builder) image(ctx context.Context, rec arch.Record) (Image, error) {
	first, err := first(rec.GOARCH)
	if err != nil {
		return Image{}, err
	}
	tools, libraries, err := b.toolchain(ctx, rec)
	if errors.Is(err, errNoToolchain) && first != nil {
		return b.bare(ctx, rec, first)
	}
	if err != nil {
		return Image{}, err
	}
	files := []string{guest}
	if tools.Hosted() {
		// Elsewhere their modules do not know the architecture.
		files = append(files, inImage(hosted)...)
	}
	runtimes, err := variants(ctx, tools, rec)
	if err != nil {
		return Image{}, err
	}
	for _, variant := range runtimes {
		files = append(files, guest+"-"+string(variant))
	}
	probes := probesOf(files)
	parts := append([]string{layout, fmt.Sprintf("%x", sha256.Sum256(first))}, probes...)
	key, err := tools.Key(rec, parts...)
	if err != nil {
		return Image{}, err
	}
	dir, err := b.cache.Dir(ctx, "guest", key, func(ctx context.Context, dir string) error {
		what := "guest programs for " + rec.GOARCH
		b.sink(progress.Event{Stage: progress.Build, What: what})
		err := build(ctx, tools, libraries, rec, runtimes, first, dir)
		b.sink(progress.Event{Stage: progress.Build, What: what, End: true, Err: err})
		return err
	})
	if err != nil {
		return Image{}, err
	}
	return imageIn(dir, rec, Image{Key: key, Probes: probes, Go: tools.Version()}), nil
}

// imageIn fills in the paths of an image's files in dir.
func imageIn(dir string, rec arch.Record, image Image) Image {
	image.Path = filepath.Join(dir, archive)
	if disked(rec) {
		image.Disk = filepath.Join(dir, disk)
	}
	return image
}

// first returns the stage 0 program of an architecture. It is nil if there is none:
// PID 1 is then the agent.
func first(goarch string) ([]byte, error) {
	if stage0.Unassembled(goarch) != "" {
		return nil, nil
	}
	return assembler.Program(goarch)
}

// toolchain returns the compiler of an architecture's programs. The second result
// finds the shared libraries that they load, and is nil for static programs.
func (b *Builder) toolchain(ctx context.Context, rec arch.Record) (*toolchain.Go, *compiler.Tools, error) {
	switch {
	case rec.Supplied:
		goroot, err := b.Supplied(rec)
		if err != nil {
			return nil, nil, err
		}
		if goroot == "" {
			return nil, nil, errNoToolchain
		}
		tools, err := b.tools.Supplied(ctx, goroot)
		return tools, nil, err
	case rec.GNU != "":
		found, err := compiler.Find(ctx, rec)
		if err != nil {
			return nil, nil, err
		}
		return b.tools.GNU(found), &found, nil
	}
	return b.tools, nil, nil
}

// errNoToolchain means that the architecture needs a supplied toolchain and nobody
// supplied one.
var errNoToolchain = errors.New("no Go toolchain was supplied")

// bare makes an image with stage 0 alone. It needs no toolchain, and shows whether
// the kernel has the architecture's ABI.
func (b *Builder) bare(ctx context.Context, rec arch.Record, first []byte) (Image, error) {
	key := fmt.Sprintf("bare-%s-%s-%x", layout, rec.GOARCH, sha256.Sum256(first))
	dir, err := b.cache.Dir(ctx, "guest", key, func(_ context.Context, dir string) error {
		bin := filepath.Join(dir, "bin")
		if err := os.Mkdir(bin, 0o755); err != nil {
			return err
		}
		return pack(rec, bin, first, nil, dir)
	})
	if err != nil {
		return Image{}, err
	}
	return imageIn(dir, rec, Image{Key: key, Bare: true}), nil
}

// variants returns the runtimes beside the stock one that an architecture's programs have.
func variants(ctx context.Context, tools *toolchain.Go, rec arch.Record) (made []catalog.Variant, err error) {
	if rec.GNU != "" {
		return nil, nil // gccgo has its own runtime
	}
	for _, v := range catalog.Variants() {
		if !v.Applies(rec.GOARCH) {
			continue
		}
		if rec.Supplied {
			// There are many ports. What one cannot show must not lose all the rest.
			err := tools.Varies(ctx, rec, v)
			if errors.Is(err, runtimevariant.ErrUnknown) {
				continue
			}
			if err != nil {
				return nil, err
			}
		}
		made = append(made, v)
	}
	return made, nil
}

const (
	archive = "initramfs.cpio"
	disk    = "root.ext4"
)

// disked reports whether a machine of the architecture takes a disk.
func disked(rec arch.Record) bool {
	for _, m := range rec.Machines {
		if m.Disk != "" {
			return true
		}
	}
	return false
}

func build(ctx context.Context, tools *toolchain.Go, libraries *compiler.Tools, rec arch.Record, runtimes []catalog.Variant, first []byte, dir string) error {
	// bin is below dir, so that the cache removes what a killed run leaves.
	bin := filepath.Join(dir, "bin")
	if err := tools.Build(ctx, rec, bin, []string{guest}); err != nil {
		return err
	}
	if tools.Hosted() {
		if err := tools.BuildHosted(ctx, rec, bin, inImage(hosted)); err != nil {
			return err
		}
	}
	for _, variant := range runtimes {
		if err := tools.BuildVariant(ctx, rec, variant, bin, []string{guest}); err != nil {
			return err
		}
	}
	var loaded []cpio.Record
	if libraries != nil {
		var err error
		if loaded, err = shared(ctx, *libraries, bin); err != nil {
			return err
		}
	}
	return pack(rec, bin, first, loaded, dir)
}

// pack makes the files of an image in dir from the programs in bin, and then
// removes bin. loaded holds the libraries that the programs load.
func pack(rec arch.Record, bin string, first []byte, loaded []cpio.Record, dir string) error {
	records, err := contents(bin, first)
	if err != nil {
		return err
	}
	records = append(records, loaded...)
	if err := write(filepath.Join(dir, archive), records); err != nil {
		return err
	}
	if disked(rec) {
		if err := writeDisk(filepath.Join(dir, disk), records); err != nil {
			return err
		}
	}
	return os.RemoveAll(bin)
}

// contents returns the files of the image. If first is not nil it is PID 1 and
// becomes the agent; else the agent is PID 1.
func contents(bin string, first []byte) ([]cpio.Record, error) {
	records := []cpio.Record{
		cpio.Directory("dev", 0o755),
		// The kernel opens this for PID 1 before devtmpfs is mounted.
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
	programs := map[string][]byte{}
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(bin, e.Name()))
		if err != nil {
			return nil, err
		}
		for _, name := range holds(e.Name()) {
			programs[place(name, first != nil)] = b
		}
	}
	if first != nil {
		programs["init"] = first
	}
	return append(records, files(programs)...), nil
}

// place returns where a program is in the image. staged reports whether the image has
// a stage 0, which is PID 1 and then executes the agent.
func place(name string, staged bool) string {
	switch {
	case name != agent:
		return "probes/" + name
	case staged:
		return strings.TrimPrefix(stage0.Agent, "/")
	}
	return "init"
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
