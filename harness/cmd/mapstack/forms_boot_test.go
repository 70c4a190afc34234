//go:build boot

package main

import (
	"bytes"
	"compress/gzip"
	"debug/elf"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/mapstack/conformance/fixtures"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/harness/progress"
	"github.com/mapstack/conformance/harness/run/workbench"
)

// form is a way in which somebody may hold a kernel. make makes it of the file that Debian
// ships.
type form struct {
	name string
	make func(shipped []byte) ([]byte, error)
}

// TestBootEveryFormOfAKernel fails if a form of a real kernel that docs/vendor.md lists does
// not boot to the agent, on the machine that it is for.
func TestBootEveryFormOfAKernel(t *testing.T) {
	bench, err := workbench.Open(t.Context(), workbench.Options{Dir: ".", Data: fixtures.FS(), Sink: progress.Discard})
	if err != nil {
		t.Fatal(err)
	}
	all, err := matrix.Load(fixtures.FS())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		cell  string
		forms []form
	}{
		{"arm64-debian12-6.1", []form{
			{"Image.gz in a uImage", func(b []byte) ([]byte, error) { return uImage(22, 1, squeezed(b)), nil }},
			{"vmlinux", func(b []byte) ([]byte, error) {
				return vmlinux(elf.EM_AARCH64, binary.LittleEndian, 0xffff800008000000, b)
			}},
		}},
		{"riscv64-debian14-newest", []form{
			{"zboot", func(b []byte) ([]byte, error) { return zboot(squeezed(b)), nil }},
			{"vmlinux.gz", func(b []byte) ([]byte, error) {
				v, err := vmlinux(elf.EM_RISCV, binary.LittleEndian, 0, b)
				return squeezed(v), err
			}},
		}},
		{"loong64-debian14-newest", []form{
			{"vmlinuz.efi", func(b []byte) ([]byte, error) { return b, nil }},
			{"vmlinuz.efi.gz", func(b []byte) ([]byte, error) { return squeezed(b), nil }},
		}},
		{"ppc64le-debian14-newest-64k", []form{
			{"vmlinux.gz", func(b []byte) ([]byte, error) { return squeezed(b), nil }},
			{"raw", raw},
		}},
		{"s390x-debian14-newest", []form{
			{"bzImage.gz", func(b []byte) ([]byte, error) { return squeezed(b), nil }},
			{"vmlinux with its boot code", func(b []byte) ([]byte, error) { return vmlinux(elf.EM_S390, binary.BigEndian, 0, b) }},
		}},
		{"mips64le-debian12-6.1-malta", []form{
			{"vmlinuz.gz", func(b []byte) ([]byte, error) { return squeezed(b), nil }},
			{"vmlinuz with a device tree appended", func(b []byte) ([]byte, error) { return append(slices.Clone(b), "\xd0\x0d\xfe\xed"...), nil }},
		}},
	} {
		cells, err := matrix.Select(all, matrix.Selection{Cell: c.cell})
		if err != nil {
			t.Fatal(err)
		}
		shipped, err := bench.Kernels.Shipped(t.Context(), cells[0])
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range c.forms {
			t.Run(cells[0].Arch+" "+f.name, func(t *testing.T) {
				text, err := f.make(shipped)
				if err != nil {
					t.Fatal(err)
				}
				file := filepath.Join(t.TempDir(), "kernel")
				if err := os.WriteFile(file, text, 0o644); err != nil {
					t.Fatal(err)
				}
				r := judged(t, verdict.ExitConformant, "--kernel", file, "--arch", cells[0].Arch, "--focus", "MS-003")
				if len(r.Outcomes) != 1 || r.Outcomes[0].Claim != "MS-003" || r.Outcomes[0].Status != verdict.Pass {
					t.Errorf("the outcomes are %+v", r.Outcomes)
				}
			})
		}
	}
}

func squeezed(plain []byte) []byte {
	var b bytes.Buffer
	z, _ := gzip.NewWriterLevel(&b, gzip.BestSpeed) // the level is a valid one
	_, _ = z.Write(plain)                           // a buffer takes everything
	_ = z.Close()
	return b.Bytes()
}

// uImage is U-Boot's legacy image of a Linux kernel (include/image.h of U-Boot).
func uImage(cpu, compression byte, payload []byte) []byte {
	head := make([]byte, 64)
	binary.BigEndian.PutUint32(head, 0x27051956)
	binary.BigEndian.PutUint32(head[12:], uint32(len(payload)))
	copy(head[28:], []byte{5, cpu, 2, compression})
	return append(head, payload...)
}

// zboot is what drivers/firmware/efi/libstub/Makefile.zboot makes of a stream in gzip.
func zboot(stream []byte) []byte {
	head := make([]byte, 0x1000)
	copy(head, "MZ\x00\x00zimg")
	binary.LittleEndian.PutUint32(head[8:], uint32(len(head)))
	binary.LittleEndian.PutUint32(head[12:], uint32(len(stream)))
	copy(head[24:], "gzip")
	return append(head, stream...)
}

// vmlinux is the ELF file of which objcopy -O binary makes image again.
func vmlinux(m elf.Machine, order binary.ByteOrder, at uint64, image []byte) ([]byte, error) {
	const headers = 64 + 56
	head := elf.Header64{Type: uint16(elf.ET_EXEC), Machine: uint16(m), Version: 1, Entry: at, Phoff: 64, Ehsize: 64, Phentsize: 56, Phnum: 1, Shentsize: 64}
	copy(head.Ident[:], elf.ELFMAG)
	head.Ident[elf.EI_CLASS], head.Ident[elf.EI_DATA], head.Ident[elf.EI_VERSION] = byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), 1
	if order == binary.BigEndian {
		head.Ident[elf.EI_DATA] = byte(elf.ELFDATA2MSB)
	}
	load := elf.Prog64{Type: uint32(elf.PT_LOAD), Off: headers, Vaddr: at, Paddr: at, Filesz: uint64(len(image)), Memsz: uint64(len(image))}
	var b bytes.Buffer
	for _, part := range []any{head, load, image} {
		if err := binary.Write(&b, order, part); err != nil {
			return nil, err
		}
	}
	return b.Bytes(), nil
}

// raw is what objcopy -O binary makes of a vmlinux with one segment.
func raw(vmlinux []byte) ([]byte, error) {
	f, err := elf.NewFile(bytes.NewReader(vmlinux))
	if err != nil {
		return nil, err
	}
	for _, s := range f.Progs {
		if s.Type == elf.PT_LOAD {
			return io.ReadAll(s.Open())
		}
	}
	return nil, errors.New("the vmlinux has no segment")
}
