package toolbox

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/mapstack/conformance/harness/matrix/arch"
)

// The oldest QEMU that the cells were tried with.
const (
	oldestMajor = 10
	oldestMinor = 0
)

// versionWait is how long a QEMU may take to print its version. It may have to be
// read from a slow disk first.
const versionWait = 30 * time.Second

// fromPath returns the QEMU in PATH. The error is the reason why it cannot be used.
func fromPath(ctx context.Context, rec arch.Record) (QEMU, error) {
	name := "qemu-system-" + rec.QEMU
	path, err := exec.LookPath(name)
	if err != nil {
		return QEMU{}, fmt.Errorf("%s is not in PATH", name)
	}
	version, err := askVersion(ctx, []string{path})
	if err != nil {
		return QEMU{}, fmt.Errorf("the QEMU in PATH does not work: %w", err)
	}
	ok, err := newEnough(version)
	if err != nil {
		return QEMU{}, fmt.Errorf("%s: %w", path, err)
	}
	if !ok {
		return QEMU{}, fmt.Errorf("%s is version %s, older than %d.%d", path, version, oldestMajor, oldestMinor)
	}
	build, err := hashOf(path)
	if err != nil {
		return QEMU{}, err
	}
	return QEMU{Argv: []string{path}, Version: version, Source: "PATH", Build: build}, nil
}

// supplied returns the emulator that somebody gave for an architecture. Any version is
// accepted, since there is no other.
func supplied(ctx context.Context, path, firmware string) (QEMU, error) {
	version, err := askVersion(ctx, []string{path})
	if err != nil {
		return QEMU{}, fmt.Errorf("the emulator that was supplied does not work: %w", err)
	}
	build, err := hashOf(path)
	if err != nil {
		return QEMU{}, err
	}
	argv := []string{path}
	if firmware != "" {
		argv = append(argv, "-L", firmware)
	}
	return QEMU{Argv: argv, Version: version, Source: "supplied", Build: build}, nil
}

// UserMode describes a user-mode emulator by its command. The hash is of the program
// that the first word names. The version is "unknown" if the program does not print it.
func UserMode(ctx context.Context, command []string, source string) (QEMU, error) {
	path, err := exec.LookPath(command[0])
	if err != nil {
		return QEMU{}, fmt.Errorf("find the user-mode emulator: %w", err)
	}
	build, err := hashOf(path)
	if err != nil {
		return QEMU{}, err
	}
	version, err := askVersion(ctx, command)
	if ctx.Err() != nil {
		return QEMU{}, ctx.Err()
	}
	if err != nil {
		version = "unknown"
	}
	return QEMU{Argv: command, Version: version, Source: source, Build: build}, nil
}

// versionLine is the first line that `qemu-system-x --version` or `qemu-x --version` prints.
var versionLine = regexp.MustCompile(`^(?:QEMU emulator|qemu-[a-z0-9_]{1,20}) version (\d{1,4}\.\d{1,4}[ -~]{0,200})`)

func askVersion(ctx context.Context, argv []string) (string, error) {
	said, err := ask(ctx, argv, "--version")
	if err != nil {
		return "", err
	}
	m := versionLine.FindStringSubmatch(said)
	if m == nil {
		return "", fmt.Errorf("%s --version prints %.80q, which names no QEMU version; use another QEMU", strings.Join(argv, " "), said)
	}
	return strings.TrimSpace(m[1]), nil
}

// Firmware returns the SHA-256 of the file of a name that the emulator would load as its
// firmware: it asks the emulator for the folders where that looks, in their order.
func (q QEMU) Firmware(ctx context.Context, name string) (string, error) {
	said, err := ask(ctx, q.Argv, "-L", "help")
	if err != nil {
		return "", err
	}
	for folder := range strings.Lines(said) {
		hash, err := hashOf(filepath.Join(strings.TrimSpace(folder), name))
		if !errors.Is(err, fs.ErrNotExist) {
			return hash, err
		}
	}
	return "", fmt.Errorf("none of the folders that %s lists holds %s", strings.Join(q.Argv, " "), name)
}

// machineName is the name of a machine, as the first word of a line of `-machine help`.
var machineName = regexp.MustCompile(`(?m)^([A-Za-z0-9][A-Za-z0-9._-]{0,40})[ \t]`)

// Machines returns the names of the machines that the emulator lists, in its order. They are
// words of letters, digits, dots, dashes and underscores.
func (q QEMU) Machines(ctx context.Context) (names []string, err error) {
	said, err := ask(ctx, q.Argv, "-machine", "help")
	if err != nil {
		return nil, err
	}
	_, said, _ = strings.Cut(said, "\n") // "Supported machines are:"
	for _, m := range machineName.FindAllStringSubmatch(said, -1) {
		names = append(names, m[1])
	}
	if names == nil {
		return nil, fmt.Errorf("%s -machine help lists no machine", strings.Join(q.Argv, " "))
	}
	return names, nil
}

// ask runs an emulator that prints something and ends, and returns the beginning of that. One
// that does not answer in time is asked once more: somebody may have stopped it.
func ask(ctx context.Context, argv []string, question ...string) (string, error) {
	return askFor(ctx, versionWait, slices.Concat(argv, question))
}

func askFor(ctx context.Context, wait time.Duration, argv []string) (said string, err error) {
	for range 2 {
		once, cancel := context.WithTimeout(ctx, wait)
		said, err = answer(once, argv)
		late := once.Err() != nil && ctx.Err() == nil
		cancel()
		if !late {
			return said, err
		}
	}
	return said, err
}

// answer runs a program, and returns the beginning of what it prints.
func answer(ctx context.Context, argv []string) (string, error) {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.WaitDelay = time.Second
	var stdout, stderr headText
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return "", fmt.Errorf("run %s: %w: %s", strings.Join(argv, " "), err, stderr.String())
	}
	return stdout.String(), nil
}

// headText keeps the beginning of what a program prints.
type headText struct{ strings.Builder }

func (h *headText) Write(p []byte) (int, error) {
	const most = 16 << 10
	h.Builder.Write(p[:min(len(p), max(0, most-h.Len()))])
	return len(p), nil
}

func newEnough(version string) (bool, error) {
	major, rest, _ := strings.Cut(version, ".")
	minor := rest
	if i := strings.IndexFunc(rest, func(r rune) bool { return r < '0' || r > '9' }); i >= 0 {
		minor = rest[:i]
	}
	a, errA := strconv.Atoi(major)
	b, errB := strconv.Atoi(minor)
	if errA != nil || errB != nil {
		return false, fmt.Errorf("%q is not a QEMU version", version)
	}
	return a > oldestMajor || a == oldestMajor && b >= oldestMinor, nil
}

func hashOf(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("read a file of QEMU: %w", err)
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", fmt.Errorf("read a file of QEMU: %w", err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
