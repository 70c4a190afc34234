package kernel

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/mapstack/conformance/harness/matrix/arch"
	"github.com/mapstack/conformance/harness/source/decompress"
)

// Format is the format of the file for QEMU's -kernel.
type Format string

const (
	ELF       Format = "elf"        // a vmlinux
	RawImage  Format = "image"      // Image of arm64, riscv64 and loong64
	S390Image Format = "s390-image" // decompresses itself; QEMU loads it as it is
	// BzImage is loaded as a boot loader does it, and decompresses itself. It is for
	// amd64 kernels that QEMU cannot start directly.
	BzImage Format = "bzimage"
)

// maxPlain bounds the output of a layer, in bytes. The largest image of Debian has
// 66 MiB; a vendor's debug build had twice as much.
const maxPlain = 256 << 20

// maxLayers bounds nesting. A zboot image of an Image that is compressed again with
// gzip has three layers.
const maxLayers = 4

// unwrapVersion is part of the cache key. Raise it when the output changes.
const unwrapVersion = "3"

// Plain is a kernel without its containers and compressions.
type Plain struct {
	Data   []byte
	Format Format
	Layers []string // what was removed, outermost first
	GOARCH string
	// Machine is the board in package arch that the kernel was built for, or "" if the
	// kernel does not say.
	Machine string
	Banner  string // the "Linux version ..." line, or ""
}

// Unwrap turns a kernel file as distributions ship it (bzImage, EFI zboot,
// compressed or plain Image, vmlinux) into the image that QEMU boots: without its
// wrappings wherever it starts so, else as a boot loader would load it. file may be
// hostile. If the kernel is for another architecture than want, the error is a
// *WrongArchError.
func Unwrap(ctx context.Context, file []byte, want arch.Record) (Plain, error) {
	return unwrap(ctx, file, want, maxPlain)
}

func unwrap(ctx context.Context, file []byte, want arch.Record, limit int64) (Plain, error) {
	p, err := unwrapAny(ctx, file, limit)
	if err == nil && p.GOARCH != want.GOARCH {
		return Plain{}, &WrongArchError{Want: want.GOARCH, Got: p.GOARCH}
	}
	return p, err
}

// unwrapAny is unwrap for every architecture.
func unwrapAny(ctx context.Context, file []byte, limit int64) (Plain, error) {
	var p Plain
	var loadable Plain // the bzImage on the way, if there is one
	data := file
	for range maxLayers + 1 {
		c, err := identify(data)
		if err != nil {
			return Plain{}, inLayers(p.Layers, err)
		}
		if c.wrapped == nil {
			p.Data, p.Format, p.GOARCH, p.Machine, p.Banner = data, c.format, c.goarch, c.machine, banner(data)
			if c.indirect {
				return loadable.instead(p)
			}
			return p, nil
		}
		if c.wrapped.layer == bzImageLayer {
			loadable = Plain{Data: data, Format: BzImage, Layers: slices.Clone(p.Layers)}
		}
		if c.wrapped.layer != "" {
			p.Layers = append(p.Layers, c.wrapped.layer)
		}
		if c.wrapped.format != decompress.None {
			p.Layers = append(p.Layers, string(c.wrapped.format))
		}
		if data, err = c.wrapped.open(ctx, limit); err != nil {
			return Plain{}, inLayers(p.Layers, err)
		}
	}
	return Plain{}, fmt.Errorf("the kernel is wrapped in more than %d layers", maxLayers)
}

// instead returns the bzImage that held a vmlinux which QEMU cannot start directly.
func (p Plain) instead(vmlinux Plain) (Plain, error) {
	if p.Data == nil {
		return Plain{}, inLayers(vmlinux.Layers, errors.New("this vmlinux has no PVH entry (CONFIG_PVH), so nothing can start it directly; give the bzImage that was built with it, as /boot has it under the name vmlinuz"))
	}
	p.GOARCH, p.Banner = vmlinux.GOARCH, vmlinux.Banner
	return p, nil
}

func inLayers(layers []string, err error) error {
	if len(layers) == 0 {
		return fmt.Errorf("unwrap kernel: %w", err)
	}
	return fmt.Errorf("unwrap kernel, inside %s: %w", layers, err)
}

// WrongArchError reports that a kernel is for another architecture than the cell.
type WrongArchError struct {
	Want string // GOARCH
	Got  string // GOARCH, or the name in the file if this project does not know it
}

func (e *WrongArchError) Error() string {
	return fmt.Sprintf("the kernel is for %s, the cell is for %s; correct the cell's arch or its kernel", e.Got, e.Want)
}

// content is a plain kernel, or a compressed one.
type content struct {
	format  Format
	goarch  string
	machine string // as in Plain
	wrapped *payload
	// indirect means that QEMU cannot start the kernel directly: a boot loader's format
	// must be kept.
	indirect bool
}

// payload is a kernel inside a file, mostly compressed.
type payload struct {
	layer  string // the container around it, "" for a bare stream
	format decompress.Format
	data   []byte
	size   int64 // plain size that the container states, in bytes; -1 for unknown
}

// open decompresses the payload. More than limit bytes are an error, whatever its
// header says.
func (p *payload) open(ctx context.Context, limit int64) ([]byte, error) {
	data, err := p.decompress(ctx, limit)
	if err == nil || ctx.Err() != nil {
		return data, err
	}
	if shorter, ok := p.withoutSize(limit); ok {
		if data, again := shorter.decompress(ctx, limit); again == nil {
			return data, nil
		}
	}
	return nil, err
}

// withoutSize returns a bare stream without its last four bytes, if these can be its
// plain size. Up to Linux 5.16 the kernel's build appended the size to every stream
// except gzip, also to an Image.bz2, whose reader does not expect it (size_append in
// scripts/Makefile.lib).
func (p *payload) withoutSize(limit int64) (payload, bool) {
	const tail = 4
	if p.layer != "" || p.size >= 0 || p.format == decompress.Gzip || len(p.data) <= tail {
		return payload{}, false
	}
	end := len(p.data) - tail
	size := int64(binary.LittleEndian.Uint32(p.data[end:]))
	return payload{format: p.format, data: p.data[:end], size: size}, size > 0 && size <= limit
}

func (p *payload) decompress(ctx context.Context, limit int64) ([]byte, error) {
	tooLarge := fmt.Errorf("its %s payload unpacks to more than the %d bytes allowed for a kernel", p.format, limit)
	if p.size > limit {
		return nil, tooLarge
	}
	z, err := decompress.Reader(ctx, bytes.NewReader(p.data), p.format)
	if err != nil {
		return nil, err
	}
	defer z.Close()
	var out bytes.Buffer
	// Believing the size saves copying. Its use is bounded by what a payload of this
	// length could plausibly hold.
	out.Grow(int(min(max(p.size, 0), 16*int64(len(p.data)))) + bytes.MinRead)
	n, err := io.Copy(&out, io.LimitReader(z, limit+1))
	switch {
	case err != nil:
		return nil, err
	case n > limit:
		return nil, tooLarge
	case p.size >= 0 && n != p.size:
		return nil, fmt.Errorf("its %s payload unpacks to %d bytes, its header says %d; the file is truncated or damaged", p.format, n, p.size)
	case n == 0:
		return nil, errors.New("its payload is empty")
	}
	return out.Bytes(), nil
}
