package kernel

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/harness/matrix/arch"
	"github.com/mapstack/conformance/harness/progress"
	"github.com/mapstack/conformance/harness/source/compiler"
	"github.com/mapstack/conformance/harness/source/debian"
	"github.com/mapstack/conformance/harness/source/decompress"
)

// sourceKind is a kernel built here from a source package.
const sourceKind = "built"

// sourceArch is the architecture of source packages.
const sourceArch = "all"

// sourcePackage is the name of the package with the source of one series. Its
// version begins with the version of the kernel.
var sourcePackage = regexp.MustCompile(`^linux-source-[0-9]+\.[0-9]+$`)

// sourceMeta is the metapackage that depends on the newest source of its suite.
const sourceMeta = "linux-source"

// resolveSource finds the package that a kernel is built from.
func resolveSource(ctx context.Context, a Archive, suite, asked string) (Pin, error) {
	if asked != sourceMeta && !sourcePackage.MatchString(asked) {
		return Pin{}, fmt.Errorf("package %s holds no kernel's source; name one such as linux-source-6.1, or %s for the newest", asked, sourceMeta)
	}
	p, err := a.Find(ctx, suite, sourceArch, asked)
	if err == nil && asked == sourceMeta {
		p, err = newestSource(ctx, a, suite, p)
	}
	if err != nil {
		return Pin{}, err
	}
	version, _, _ := strings.Cut(p.Version, "-")
	return Pin{Suite: suite, Arch: sourceArch, Asked: asked, Release: version, Image: fileOf(p)}, nil
}

// newestSource returns the package that the metapackage depends on.
func newestSource(ctx context.Context, a Archive, suite string, meta debian.Package) (debian.Package, error) {
	groups, err := meta.DependsOn()
	if err != nil {
		return debian.Package{}, err
	}
	for _, name := range slices.Concat(groups...) {
		if sourcePackage.MatchString(name) {
			return a.Find(ctx, suite, sourceArch, name)
		}
	}
	return debian.Package{}, fmt.Errorf("package %s %s of %s depends on no kernel's source", meta.Name, meta.Version, suite)
}

// built returns the kernel of a cell that is built from source.
func (r *Resolver) built(ctx context.Context, cell matrix.Cell) (Image, error) {
	rec, err := arch.Lookup(cell.Arch)
	if err != nil {
		return Image{}, err
	}
	tools, err := compiler.ForKernel(ctx, rec)
	if err != nil {
		return Image{}, fmt.Errorf("kernel of cell %s: %w", cell.Name, err)
	}
	config, err := r.config(cell)
	if err != nil {
		return Image{}, err
	}
	return r.obtain(ctx, cell, func(ctx context.Context, pin Pin, warning string, from fetcher) (Image, error) {
		key := sum([]byte(strings.Join([]string{buildVersion, rec.GOARCH, pin.Image.SHA256, sum(config), tools.Version}, "\n")))
		dir, err := r.cache.Dir(ctx, cacheKind, key, func(ctx context.Context, dir string) error {
			source, err := r.fetch(ctx, pin, pin.Image, from)
			if err != nil {
				return err
			}
			select {
			case r.builds <- struct{}{}:
				defer func() { <-r.builds }()
			case <-ctx.Done():
				return context.Cause(ctx)
			}
			what := fmt.Sprintf("Linux %s for %s (minutes)", pin.Release, rec.GOARCH)
			r.sink(progress.Event{Cell: cell.Name, Stage: progress.Build, What: what})
			err = compile(ctx, source, config, rec, tools, dir)
			r.sink(progress.Event{Cell: cell.Name, Stage: progress.Build, What: what, End: true, Err: err})
			return err
		})
		if err != nil {
			return Image{}, fmt.Errorf("kernel of cell %s, from %s %s: %w", cell.Name, pin.Image.Package, pin.Image.Version, err)
		}
		image, err := load(dir)
		if err != nil {
			return Image{}, err
		}
		image.Provenance = pin.provenance(r.locked, warning)
		image.Provenance.Kind = sourceKind
		image.Provenance.Compiler = tools.String()
		return image, nil
	})
}

// config returns the fragments of a cell's configuration as one.
func (r *Resolver) config(cell matrix.Cell) ([]byte, error) {
	var all []byte
	for _, name := range cell.Kernel.Config {
		text, err := r.Config(name)
		if err != nil {
			return nil, fmt.Errorf("configuration of cell %s: %w", cell.Name, err)
		}
		if err := checkFragment(text); err != nil {
			return nil, fmt.Errorf("configuration of cell %s, fragment %s: %w", cell.Name, name, err)
		}
		all = append(all, text...)
	}
	return all, nil
}

// buildVersion goes into the cache's key: raise it when the output changes.
const buildVersion = "1"

// buildWait bounds a build. On a slow core it takes half an hour. On two cores that ran
// ten other things it was not done after an hour.
const buildWait = 3 * time.Hour

// compile builds a kernel from a source package and stores it in dir.
func compile(ctx context.Context, source string, config []byte, rec arch.Record, tools compiler.Tools, dir string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, buildWait, fmt.Errorf("the build took longer than %v", buildWait))
	defer cancel()
	// Below dir, so that the cache removes it if the run is killed.
	work := filepath.Join(dir, "build")
	for _, sub := range []string{"source", "out"} {
		if err := os.MkdirAll(filepath.Join(work, sub), 0o755); err != nil {
			return err
		}
	}
	tree, err := unpackSource(ctx, source, filepath.Join(work, "source"))
	if err != nil {
		return err
	}
	fragment := filepath.Join(work, "fragment")
	if err := os.WriteFile(fragment, config, 0o644); err != nil {
		return err
	}
	m := maker{tree: tree, out: filepath.Join(work, "out"), fragment: fragment, rec: rec, tools: tools}
	if err := m.run(ctx, "allnoconfig"); err != nil {
		return err
	}
	conf, err := os.ReadFile(filepath.Join(m.out, ".config"))
	if err != nil {
		return err
	}
	if lost := untaken(config, conf); len(lost) > 0 {
		return fmt.Errorf("this kernel's configuration did not take %s; correct the fragment in fixtures", strings.Join(lost, ", "))
	}
	if err := m.run(ctx, fmt.Sprintf("-j%d", runtime.GOMAXPROCS(0)), "vmlinux"); err != nil {
		return err
	}
	image, err := readBounded(filepath.Join(m.out, "vmlinux"), maxPlain)
	if err != nil {
		return fmt.Errorf("read the built kernel: %w", err)
	}
	plain, err := Unwrap(ctx, image, rec)
	if err != nil {
		return err
	}
	if err := store(dir, plain, conf, bannerRelease(plain.Banner)); err != nil {
		return err
	}
	return os.RemoveAll(work)
}

// unpackSource unpacks the archive inside a source package and returns the folder of
// the source tree.
func unpackSource(ctx context.Context, deb, dir string) (string, error) {
	tree := ""
	err := debian.WalkData(ctx, deb, func(hdr *tar.Header, r io.Reader) (bool, error) {
		name := path.Base(hdr.Name)
		if hdr.Typeflag != tar.TypeReg || !strings.HasPrefix(name, "linux-source-") || !strings.HasSuffix(name, ".tar.xz") {
			return false, nil
		}
		plain, err := decompress.Reader(ctx, r, decompress.XZ)
		if err != nil {
			return false, err
		}
		defer plain.Close()
		if err := debian.UnpackTar(ctx, plain, dir, debian.MaxUnpacked, func(string) bool { return true }); err != nil {
			return false, fmt.Errorf("%s: %w", name, err)
		}
		tree = filepath.Join(dir, strings.TrimSuffix(name, ".tar.xz"))
		return true, nil
	})
	if err == nil && tree == "" {
		err = errors.New("the package holds no linux-source-*.tar.xz; it is laid out in a way unknown here")
	}
	return tree, err
}

// The lines of a configuration: an option with a value, or one that is off.
var (
	optionOn  = regexp.MustCompile(`^(CONFIG_[A-Z0-9_]+)=(.+)$`)
	optionOff = regexp.MustCompile(`^# (CONFIG_[A-Z0-9_]+) is not set$`)
)

// checkFragment returns an error for a line that kconfig would ignore, or would take for a
// comment although it names an option.
func checkFragment(text []byte) error {
	n := 0
	for line := range strings.Lines(string(text)) {
		n++
		line = strings.TrimSuffix(line, "\n")
		spaced := line != strings.TrimSpace(line)
		comment := strings.HasPrefix(line, "#") && !strings.HasPrefix(line, "# CONFIG_")
		if spaced || line != "" && !comment && !optionOn.MatchString(line) && !optionOff.MatchString(line) {
			return fmt.Errorf("line %d, %.80q, must be CONFIG_NAME=VALUE, # CONFIG_NAME is not set, or a comment that starts otherwise, without spaces around it", n, line)
		}
	}
	return nil
}

// untaken returns the lines of a fragment that a configuration does not obey. If a
// fragment names an option twice, the later line counts, as kconfig has it.
func untaken(fragment, conf []byte) []string {
	want, names := options(fragment)
	has, _ := options(conf)
	var lost []string
	for _, name := range names {
		switch {
		case has[name] == want[name]:
		case want[name] == "":
			lost = append(lost, "# "+name+" is not set")
		default:
			lost = append(lost, name+"="+want[name])
		}
	}
	return lost
}

// options returns the options that a configuration names, and their names in the order in
// which they come first. The value of an option that is off is empty.
func options(conf []byte) (values map[string]string, names []string) {
	values = map[string]string{}
	for line := range strings.Lines(string(conf)) {
		line = strings.TrimSpace(line)
		name, value := "", ""
		if m := optionOn.FindStringSubmatch(line); m != nil {
			name, value = m[1], m[2]
		} else if m := optionOff.FindStringSubmatch(line); m != nil {
			name = m[1]
		} else {
			continue
		}
		if _, again := values[name]; !again {
			names = append(names, name)
		}
		values[name] = value
	}
	return values, names
}

// maker runs the kernel's make.
type maker struct {
	tree, out, fragment string
	rec                 arch.Record
	tools               compiler.Tools
}

func (m maker) run(ctx context.Context, args ...string) error {
	args = slices.Concat([]string{"-C", m.tree, "O=" + m.out, "ARCH=" + m.rec.Kbuild}, m.tools.Make(), args)
	cmd := exec.CommandContext(ctx, "make", args...)
	// The same source and compiler give the same bytes.
	cmd.Env = append(os.Environ(), "MAKEFLAGS=", "MFLAGS=", "KCONFIG_ALLCONFIG="+m.fragment, "LC_ALL=C",
		"KBUILD_BUILD_TIMESTAMP=1970-01-01", "KBUILD_BUILD_USER=mapstack", "KBUILD_BUILD_HOST=mapstack", "KBUILD_BUILD_VERSION=1")
	var out tailText
	cmd.Stdout, cmd.Stderr = &out, &out
	// make starts compilers: the whole process group ends with the run.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return fmt.Errorf("make %s: %w\n%s", strings.Join(args[len(args)-1:], " "), err, out.text)
	}
	return nil
}

// tailText keeps the end of what a program prints.
type tailText struct{ text []byte }

func (t *tailText) Write(p []byte) (int, error) {
	const most = 4 << 10
	t.text = append(t.text, p...)
	if over := len(t.text) - most; over > 0 {
		t.text = append(t.text[:0], t.text[over:]...)
	}
	return len(p), nil
}
