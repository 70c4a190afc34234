package mmapabi

import (
	"github.com/onsi/gomega"

	"github.com/mapstack/conformance/harness/judge/facts"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/poc/abi"
	"github.com/mapstack/conformance/suites/internal/claim"
	"github.com/mapstack/conformance/suites/internal/expect"
)

func placeClaims() []claim.Claim {
	return []claim.Claim{
		{
			ID: "AD-001", Level: verdict.Must,
			English:  "mmap counts in the pages that sysconf(_SC_PAGESIZE) promises: a mapping begins at a multiple of their size, and one byte takes one.",
			Chinese:  "mmap 以 sysconf(_SC_PAGESIZE) 所报告的页为单位：映射起始地址是页大小的整数倍，映射一个字节占一页。",
			Source:   "mmap(2): the kernel chooses a page-aligned address, and a file is mapped in multiples of the page size as returned by sysconf(_SC_PAGE_SIZE); sysconf(3); observed with 4k, 16k and 64k pages",
			Needs:    []abi.Feature{abi.Sysconf},
			UserMode: claim.HostMaps,
			Check: func(g gomega.Gomega, t claim.Transcript, f facts.Facts) {
				promised, told := f.Sysconf["SC_PAGESIZE"]
				if !told {
					panic(claim.Missing{Probe: "sysconf", Step: "sysconf", Value: "SC_PAGESIZE", Reason: "never reported"})
				}
				g.Expect(promised).To(gomega.BeNumerically(">", 0), "the page size that sysconf tells")
				page := uint64(promised)
				o := t.Step("one byte")
				expect.OK(g, o)
				g.Expect(o.Result()%page).To(gomega.BeZero(), "the address %#x in pages of %d bytes", o.Result(), page)
				g.Expect(o.Uint("end")-o.Uint("start")).To(gomega.Equal(page), "bytes that one byte takes")
			},
		},
		{
			ID: "MF-013", Level: verdict.Must,
			English:  "MAP_FIXED_NOREPLACE maps a free address exactly, refuses an occupied one with EEXIST, also with MAP_FIXED, and an unaligned one with EINVAL, and harms nothing.",
			Chinese:  "MAP_FIXED_NOREPLACE 精确映射空闲地址；地址被占用时以 EEXIST 拒绝（与 MAP_FIXED 并用时亦然），未对齐时以 EINVAL 拒绝，且不损坏已有内容。",
			Source:   "mmap(2), MAP_FIXED_NOREPLACE (since Linux 4.17): enforces the address as MAP_FIXED does, never clobbers a preexisting mapped range and fails with EEXIST if it would; ERRORS: EINVAL for an address that is not aligned on a page boundary",
			UserMode: claim.Emulated,
			Check: expect.WithTable(func(g gomega.Gomega, t claim.Transcript, a abi.Table, _ facts.Facts) {
				o := t.Step("noreplace free")
				expect.OK(g, o)
				g.Expect(o.Result()).To(gomega.Equal(o.Uint("asked")), "the address asked for")
				rows(g, o, ok, "store")
				for _, step := range []struct{ name, errno string }{
					{"noreplace occupied", "EEXIST"},
					{"noreplace and fixed occupied", "EEXIST"},
					{"noreplace unaligned", invalid},
				} {
					o := t.Step(step.name)
					expect.Errno(g, a, o, step.errno)
					rows(g, o, stored, "kept")
				}
			}),
		},
		{
			ID: "MF-015", Level: verdict.Must,
			English:  "MAP_FIXED replaces what is mapped at the address with fresh, zero-filled memory.",
			Chinese:  "MAP_FIXED 用全新的、以零填充的内存替换该地址上已有的映射。",
			Source:   "mmap(2): MAP_FIXED, the overlapped part of the existing mappings will be discarded; MAP_ANONYMOUS, the contents are initialized to zero",
			UserMode: claim.Emulated,
			Check: func(g gomega.Gomega, t claim.Transcript, _ facts.Facts) {
				o := t.Step("fixed occupied")
				expect.OK(g, o)
				g.Expect(o.Result()).To(gomega.Equal(o.Uint("asked")), "the address asked for")
				rows(g, o, stored, "before")
				rows(g, o, "0", "after")
			},
		},
		{
			ID: "MF-016", Level: verdict.Must,
			English:  "MAP_FIXED refuses an unaligned address with EINVAL; without it an unaligned or occupied address is only a hint.",
			Chinese:  "MAP_FIXED 以 EINVAL 拒绝未对齐的地址；没有它时，未对齐或被占用的地址只是提示。",
			Source:   "mmap(2): without MAP_FIXED the kernel picks a nearby page boundary, and a new address if another mapping already exists there; ERRORS: EINVAL for an address that is not aligned on a page boundary",
			UserMode: claim.HostPlaces,
			Check: expect.WithTable(func(g gomega.Gomega, t claim.Transcript, a abi.Table, _ facts.Facts) {
				expect.Errno(g, a, t.Step("fixed unaligned"), invalid)
				for _, step := range []string{"hint occupied", "hint unaligned"} {
					o := t.Step(step)
					expect.OK(g, o)
					g.Expect(o.Result()).NotTo(gomega.Equal(o.Uint("asked")), "step %s: the address", step)
					rows(g, o, "true", "aligned")
					rows(g, o, stored, "kept")
				}
			}),
		},
		{
			ID: "MF-031", Level: verdict.Must,
			English:  "The architecture's MAP_32BIT places a mapping below 2 GiB, and no other number does.",
			Chinese:  "本架构的 MAP_32BIT 将映射置于 2 GiB 以下，其他数值都不会。",
			Source:   "mmap(2): MAP_32BIT, put the mapping into the first 2 Gigabytes of the process address space, on x86-64 alone; without it the kernel attempts to create the mapping near the hint, which the probe gives; arch/x86/include/uapi/asm/mman.h",
			UserMode: claim.HostPlaces,
			Check: expect.WithTable(func(g gomega.Gomega, t claim.Transcript, a abi.Table, _ facts.Facts) {
				const limit = 2 << 30
				each(g, t, a, func(o claim.Observation, bit uint64) {
					g.Expect(o.Result() < limit).To(gomega.Equal(bit == a.Map.Bit32), "%s: below 2 GiB, at %#x", o.Step, o.Result())
				})
			}),
		},
	}
}

// tooLarge returns the errors that mmap(2) has for a length that is too large.
func tooLarge() []string { return []string{invalid, "ENOMEM"} }

func argumentClaims() []claim.Claim {
	return []claim.Claim{
		{
			ID: "MF-017", Level: verdict.Must,
			English:  "mmap refuses a length of 0 and an unaligned offset with EINVAL and a length beyond the address space with EINVAL or ENOMEM.",
			Chinese:  "mmap 以 EINVAL 拒绝长度 0 和未对齐的偏移，以 EINVAL 或 ENOMEM 拒绝超出地址空间的长度。",
			Source:   "mmap(2): EINVAL for a length of 0, for an offset that is no multiple of the page size, and for what is too large; ENOMEM, no memory is available",
			UserMode: claim.HostPlaces,
			Check: expect.WithTable(func(g gomega.Gomega, t claim.Transcript, a abi.Table, _ facts.Facts) {
				expect.Errno(g, a, t.Step("length 0"), invalid)
				anyErrno(g, a, t.Step("length 2^64-1"), tooLarge())
				anyErrno(g, a, t.Step("length 2^63"), tooLarge())
				expect.Errno(g, a, t.Step("offset unaligned"), invalid)
			}),
		},
		{
			ID: "MF-113", Level: verdict.Should, // the manual leaves the choice
			English:  "mmap refuses a length beyond the address space with ENOMEM.",
			Chinese:  "mmap 以 ENOMEM 拒绝超出地址空间的长度。",
			Source:   "do_mmap in mm/mmap.c (4.19 to 7.3); sys_mmap of each architecture",
			UserMode: claim.HostPlaces,
			Check: expect.WithTable(func(g gomega.Gomega, t claim.Transcript, a abi.Table, _ facts.Facts) {
				expect.Errno(g, a, t.Step("length 2^64-1"), "ENOMEM")
				expect.Errno(g, a, t.Step("length 2^63"), "ENOMEM")
			}),
		},
		{
			ID: "MF-018", Level: verdict.Must,
			English:  "Without MAP_ANONYMOUS a descriptor that is not open is refused with EBADF; with it the descriptor is ignored.",
			Chinese:  "没有 MAP_ANONYMOUS 时，mmap 以 EBADF 拒绝未打开的描述符；有它时忽略描述符。",
			Source:   "mmap(2): MAP_ANONYMOUS, the fd argument is ignored; ERRORS: EBADF, fd is not a valid file descriptor and MAP_ANONYMOUS was not set",
			UserMode: claim.Emulated,
			Check: expect.WithTable(func(g gomega.Gomega, t claim.Transcript, a abi.Table, _ facts.Facts) {
				expect.Errno(g, a, t.Step("no file"), "EBADF")
				expect.Errno(g, a, t.Step("file that is not open"), "EBADF")
				expect.OK(g, t.Step("anonymous with no file"))
				expect.OK(g, t.Step("anonymous with a file that is not open"))
			}),
		},
		{
			ID: "MF-019", Level: verdict.Must,
			English:  "A file opened for reading is refused with EACCES as shared and writable, also by mprotect later, and accepted as private and writable.",
			Chinese:  "以只读方式打开的文件不能以共享可写方式映射（EACCES；之后用 mprotect 改为可写亦然），但可以以私有可写方式映射。",
			Source:   "mmap(2), ERRORS: EACCES, MAP_SHARED was requested and PROT_WRITE is set, but fd is not open in read/write (O_RDWR) mode; mprotect(2), ERRORS: EACCES for a file to which there is read-only access",
			UserMode: claim.HostFiles,
			Check: expect.WithTable(func(g gomega.Gomega, t claim.Transcript, a abi.Table, _ facts.Facts) {
				expect.Errno(g, a, t.Step("read-only file shared writable"), "EACCES")
				expect.OK(g, t.Step("read-only file private writable"))
				expect.OK(g, t.Step("read-only file shared readable"))
				o := t.Step("read-only file made writable")
				expect.Errno(g, a, o, "EACCES")
				rows(g, o, "fault", "write")
			}),
		},
	}
}
