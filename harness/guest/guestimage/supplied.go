package guestimage

import (
	"bytes"
	"context"
	"crypto/sha256"
	"debug/elf"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/mapstack/conformance/harness/matrix/arch"
)

// suppliedGo stands for a toolchain version that is not known here. The agent's
// hello names it.
const suppliedGo = "supplied with --guest-agent"

// fromFolder makes an image from programs that somebody else compiled: a file named
// guest, which is the agent and the probes, and any others that are not in it.
func (b *Builder) fromFolder(ctx context.Context, rec arch.Record) (Image, error) {
	entries, err := os.ReadDir(b.Folder)
	if err != nil {
		return Image{}, fmt.Errorf("read the folder of --guest-agent: %w", err)
	}
	h, names := sha256.New(), []string{}
	programs := map[string][]byte{}
	for _, e := range entries { // sorted by name
		text, err := program(filepath.Join(b.Folder, e.Name()), rec)
		if err != nil {
			return Image{}, fmt.Errorf("--guest-agent: %w", err)
		}
		programs[e.Name()] = text
		fmt.Fprintf(h, "%s %x\n", e.Name(), sha256.Sum256(text))
		if len(holds(e.Name())) == 0 {
			return Image{}, fmt.Errorf("--guest-agent: no program is built with the runtime that %s names; remove it from %s", e.Name(), b.Folder)
		}
		if slices.Contains(holds(guest), e.Name()) {
			return Image{}, fmt.Errorf("--guest-agent: %s is in the program guest already; remove the file %[1]s from %s", e.Name(), b.Folder)
		}
		names = append(names, e.Name())
	}
	if programs[guest] == nil {
		return Image{}, fmt.Errorf("--guest-agent: %s holds no file guest; compile ./poc/guest with your Go, for %s", b.Folder, rec.GOARCH)
	}
	early, err := first(rec.GOARCH)
	if err != nil {
		return Image{}, err
	}
	fmt.Fprintf(h, "layout %s for %s, after %x\n", layout, rec.GOARCH, sha256.Sum256(early))
	key := hex.EncodeToString(h.Sum(nil))
	dir, err := b.cache.Dir(ctx, "guest", key, func(_ context.Context, dir string) error {
		bin := filepath.Join(dir, "bin")
		if err := os.Mkdir(bin, 0o755); err != nil {
			return err
		}
		for name, text := range programs { // the bytes that were checked, not the files, which may have changed since
			if err := os.WriteFile(filepath.Join(bin, name), text, 0o755); err != nil {
				return err
			}
		}
		return pack(rec, bin, early, nil, dir)
	})
	if err != nil {
		return Image{}, err
	}
	return imageIn(dir, rec, Image{Key: key, Probes: probesOf(names), Go: suppliedGo}), nil
}

// program reads a file, which must be a static program of the architecture.
func program(path string, rec arch.Record) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxProgram {
		return nil, fmt.Errorf("%s is no file of at most %d MiB", path, maxProgram>>20)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxProgram+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	if err := static(text, rec); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return text, nil
}

// static checks that text is a static program of the architecture. The bytes are
// not trusted.
func static(text []byte, rec arch.Record) error {
	f, err := elf.NewFile(bytes.NewReader(text))
	if err != nil {
		return fmt.Errorf("no ELF file: %w", err)
	}
	defer f.Close()
	if f.Machine != rec.ELF && !slices.Contains(rec.OtherELF, f.Machine) || rec.Big != (f.Data == elf.ELFDATA2MSB) {
		return fmt.Errorf("a program of %v (%v), and %s programs are of %v", f.Machine, f.Data, rec.GOARCH, rec.ELF)
	}
	if f.Type != elf.ET_EXEC && f.Type != elf.ET_DYN {
		return fmt.Errorf("%v, not a program", f.Type)
	}
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			return fmt.Errorf("needs a loader, which a guest does not have; compile it with CGO_ENABLED=0")
		}
	}
	return nil
}
