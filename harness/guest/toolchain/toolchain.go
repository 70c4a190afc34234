// Package toolchain compiles guest programs for an architecture. The compiler is
// the installed Go, a supplied Go or gccgo. Its Key identifies everything that the
// compiled programs depend on.
package toolchain

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"go/version"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"

	"github.com/mapstack/conformance/harness/matrix/arch"
	"github.com/mapstack/conformance/harness/source/compiler"
)

// Go is a Go toolchain and the source tree from which it compiles guest programs.
type Go struct {
	root    string // the module's folder
	version string // what `go version` prints after "go version"
	private string // GOROOT; "" means the go command in PATH
	gnu     *compiler.Tools
	offline bool // the go command downloads nothing

	hashing sync.Once
	hash    string
	hashErr error
}

// Open finds the module that dir lies in and asks the go command for its version.
// Offline, the go command downloads no module.
func Open(ctx context.Context, dir string, offline bool) (*Go, error) {
	root, err := moduleRoot(dir)
	if err != nil {
		return nil, err
	}
	out, err := command(ctx, root, "go", nil, "env", "GOVERSION")
	if err != nil {
		return nil, fmt.Errorf("ask the Go toolchain for its version, which needs Go in PATH: %w", err)
	}
	return &Go{root: root, version: strings.TrimSpace(out), offline: offline}, nil
}

// Supplied returns the toolchain below goroot, such as a vendor's port, for the
// same sources.
func (g *Go) Supplied(ctx context.Context, goroot string) (*Go, error) {
	tool := filepath.Join(goroot, "bin", "go")
	out, err := command(ctx, g.root, tool, rooted(goroot), "version")
	if err != nil {
		return nil, fmt.Errorf("ask the Go toolchain in %s for its version: %w", goroot, err)
	}
	// The output is "go version go1.16.4 linux/amd64".
	words := strings.Fields(out)
	if len(words) < 3 || !strings.HasPrefix(words[2], "go") {
		return nil, fmt.Errorf("%s says %.80q, which names no Go version", tool, out)
	}
	return &Go{root: g.root, version: words[2], private: goroot, offline: g.offline}, nil
}

// GNU returns a toolchain that compiles the same sources with gccgo.
func (g *Go) GNU(tools compiler.Tools) *Go {
	return &Go{root: g.root, version: g.version, gnu: &tools, offline: g.offline}
}

// rooted returns the environment for a toolchain that is not in PATH. It prevents a
// switch to the version that go.mod asks for.
func rooted(goroot string) []string { return []string{"GOROOT=" + goroot, "GOTOOLCHAIN=local"} }

// Version returns the toolchain's version, such as "go1.26.8" or "gccgo 12.2.0".
func (g *Go) Version() string {
	if g.gnu != nil {
		return "gccgo " + g.gnu.Version
	}
	return g.version
}

// Hosted reports whether BuildHosted can be used.
func (g *Go) Hosted() bool { return g.private == "" && g.gnu == nil }

// Root returns the module's folder.
func (g *Go) Root() string { return g.root }

// module is the first line of this project's go.mod.
const module = "module github.com/mapstack/conformance"

func moduleRoot(dir string) (string, error) {
	at, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	for {
		b, err := os.ReadFile(filepath.Join(at, "go.mod"))
		if err == nil && strings.HasPrefix(string(b), module) {
			return at, nil
		}
		if at == filepath.Dir(at) {
			return "", fmt.Errorf("%s is not inside a checkout of mapstack, whose sources the guest programs are compiled from; run in one, or use a program of make dist, which has them inside", dir)
		}
		at = filepath.Dir(at)
	}
}

// Key returns a hash that changes when the result of Build may change. It covers
// the toolchain, the architecture, the sources and the caller's own parts.
func (g *Go) Key(rec arch.Record, parts ...string) (string, error) {
	g.hashing.Do(func() { g.hash, g.hashErr = hashSources(g.root) })
	if g.hashErr != nil {
		return "", g.hashErr
	}
	all := slices.Concat([]string{g.version, g.Version(), g.hash}, g.flags(), environment(rec), parts)
	sum := sha256.Sum256([]byte(strings.Join(all, "\x00")))
	return hex.EncodeToString(sum[:]), nil
}

// hashSources hashes everything that guest programs are made from: their own
// sources, and the package that edits the runtime of some.
func hashSources(root string) (string, error) {
	files := []string{"go.mod", "go.sum"}
	for _, dir := range []string{"poc", "harness/guest/runtimevariant"} {
		err := filepath.WalkDir(filepath.Join(root, dir), func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.Type().IsRegular() && !strings.HasSuffix(path, "_test.go") {
				rel, _ := filepath.Rel(root, path)
				files = append(files, rel)
			}
			return err
		})
		if err != nil {
			return "", fmt.Errorf("read the guest programs' sources: %w", err)
		}
	}
	slices.Sort(files)
	h := sha256.New()
	for _, f := range files {
		b, err := os.ReadFile(filepath.Join(root, f))
		if err != nil {
			return "", fmt.Errorf("read the guest programs' sources: %w", err)
		}
		fmt.Fprintf(h, "%s %d\n", filepath.ToSlash(f), len(b))
		h.Write(b)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// flags returns options that make static, stripped programs, independent of the
// folder they were built in.
func (g *Go) flags() []string {
	if g.gnu != nil {
		// A static libc crashes (seen on alpha), so only Go's library is linked
		// statically.
		return []string{"-compiler=gccgo", "-trimpath", "-buildvcs=false", "-gccgoflags=-O2 -static-libgo -static-libgcc -Wl,-s"}
	}
	flags := []string{"-trimpath", "-ldflags=-s -w -buildid="}
	if version.Compare(g.version, "go1.18") >= 0 {
		flags = append(flags, "-buildvcs=false") // older versions stamp nothing and do not know the flag
	}
	return flags
}

// guestModule is the module file of programs that vendor toolchains must compile.
// It asks for Go 1.16 and has no requirements.
const guestModule = "poc/guest.mod"

// Build compiles programs, named by their folders below poc/, into dir.
func (g *Go) Build(ctx context.Context, rec arch.Record, dir string, programs []string) error {
	return g.build(ctx, rec, dir, programs, "-modfile="+guestModule)
}

// BuildHosted compiles programs that need more than the standard library, with the
// project's own go.mod. Only architectures of stock Go have such programs.
func (g *Go) BuildHosted(ctx context.Context, rec arch.Record, dir string, programs []string) error {
	return g.build(ctx, rec, dir, programs, "-mod=readonly")
}

func (g *Go) build(ctx context.Context, rec arch.Record, dir string, programs []string, more ...string) error {
	args := slices.Concat([]string{"build"}, more, g.flags())
	args = append(args, "-o", dir+string(filepath.Separator))
	for _, p := range programs {
		args = append(args, "./poc/"+p)
	}
	tool, env := "go", environment(rec)
	if g.private != "" {
		tool = filepath.Join(g.private, "bin", "go")
		env = append(env, rooted(g.private)...)
	}
	if g.gnu != nil {
		env = append(env, "GCCGO="+g.gnu.GCCGo)
	}
	if g.offline {
		env = append(env, "GOPROXY=off")
	}
	work, err := workFolder(dir)
	if err != nil {
		return fmt.Errorf("compile guest programs for %s: %w", rec.GOARCH, err)
	}
	defer os.RemoveAll(work)
	env = append(env, "GOTMPDIR="+work, "TMPDIR="+work)
	if _, err := command(ctx, g.root, tool, env, args...); err != nil {
		return fmt.Errorf("compile guest programs for %s: %w", rec.GOARCH, err)
	}
	return nil
}

// workFolder makes the folder where a go command keeps what it needs for a moment. It lies
// in the folder of the result: a go command that is killed leaves it behind, and whoever
// owns the result removes all of it.
func workFolder(dir string) (string, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	return os.MkdirTemp(dir, "work-")
}

// environment selects the target system and architecture.
func environment(rec arch.Record) []string {
	return append([]string{"GOOS=linux", "GOARCH=" + rec.GOARCH}, rec.GOENV...)
}

// command runs a go command in root. It overrides the caller's settings that could
// change the output. GOFLAGS repeats a flag of build, because an empty GOFLAGS
// would admit the settings of `go env -w`.
func command(ctx context.Context, root, tool string, env []string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, tool, args...)
	cmd.Dir = root
	cmd.Env = append(append(os.Environ(), "GOFLAGS=-trimpath", "GOEXPERIMENT=", "GOWORK=off", "CGO_ENABLED=0"), env...)
	// The go command starts compilers. The whole process group must end with the
	// run. If the run is killed, the go command is, and its compilers end soon.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		return "", fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, strings.TrimSpace(stderr.String()))
	}
	return stdout.String(), nil
}
