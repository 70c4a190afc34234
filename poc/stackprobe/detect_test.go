package stackprobe

import (
	"errors"
	"strings"
	"syscall"
	"testing"

	"github.com/mapstack/conformance/poc/abi"
	"github.com/mapstack/conformance/poc/sys"
)

// fake is a kernel that treats MAP_STACK as a test wants.
type fake struct {
	abi.Table
	refuse      string // errno of mmap with MAP_STACK
	refuseAll   string // errno of every mmap
	strip       uint64 // protection that is removed with MAP_STACK
	protect     string // errno of mprotect
	stackOnly   bool   // mprotect fails only for memory with MAP_STACK
	noProtect   bool   // mprotect succeeds and changes nothing
	noMaps      bool   // /proc is missing
	noPipes     bool
	mute        bool // a store is lost
	carefree    bool // stores and loads succeed whatever the protection
	pages       map[uintptr]uint64
	bytes       map[uintptr]byte
	next        uintptr
	stacks      map[uintptr]bool
	stackMmaps  int
	unmapsWrong int
}

func (f *fake) errno(name string) syscall.Errno { return syscall.Errno(f.Errno(name)) }

func (f *fake) Map(prot, flags uint64) (uintptr, syscall.Errno) {
	if f.refuseAll != "" {
		return 0, f.errno(f.refuseAll)
	}
	if flags&f.Table.Map.Stack != 0 {
		f.stackMmaps++
		if f.refuse != "" {
			return 0, f.errno(f.refuse)
		}
		prot &^= f.strip
	}
	f.next += 0x10000
	f.pages[f.next], f.stacks[f.next] = prot, flags&f.Table.Map.Stack != 0
	return f.next, 0
}

func (f *fake) Protect(at uintptr, prot uint64) syscall.Errno {
	if f.protect != "" && (f.stacks[at] || !f.stackOnly) {
		return f.errno(f.protect)
	}
	if !f.noProtect {
		f.pages[at] = prot
	}
	return 0
}

func (f *fake) Unmap(at uintptr) syscall.Errno {
	if _, ok := f.pages[at]; !ok {
		f.unmapsWrong++
	}
	delete(f.pages, at)
	return 0
}

func (f *fake) Perms(at uintptr) (string, error) {
	if f.noMaps {
		return "", errors.New("no /proc")
	}
	perms := []byte("---p")
	if f.pages[at]&f.Prot.Read != 0 {
		perms[0] = 'r'
	}
	if f.pages[at]&f.Prot.Write != 0 {
		perms[1] = 'w'
	}
	return string(perms), nil
}

func (f *fake) Store(at uintptr, b byte) syscall.Errno {
	switch {
	case f.noPipes:
		return f.errno("EMFILE")
	case f.pages[at]&f.Prot.Write == 0 && !f.carefree:
		return f.errno("EFAULT")
	case !f.mute:
		f.bytes[at] = b
	}
	return 0
}

func (f *fake) Load(at uintptr) (byte, syscall.Errno) {
	switch {
	case f.noPipes:
		return 0, f.errno("EMFILE")
	case f.pages[at]&f.Prot.Read == 0 && !f.carefree:
		return 0, f.errno("EFAULT")
	}
	return f.bytes[at], 0
}

// TestEveryKernelIsClassified simulates each kind of kernel with the numbers of
// every architecture. A wrong classification makes an allocator use memory that
// faults, or give up a flag that works.
func TestEveryKernelIsClassified(t *testing.T) {
	rw := uint64(3) // PROT_READ | PROT_WRITE everywhere
	for _, table := range abi.All() {
		for _, c := range []struct {
			name    string
			kernel  fake
			answer  Answer
			finding Finding
			errno   string
			reason  string
		}{
			{"stock", fake{}, Yes, Usable, "", "can be written and read"},
			{"stock without /proc", fake{noMaps: true}, Yes, Usable, "", ""},
			{"EPERM", fake{refuse: "EPERM"}, No, Refused, "EPERM", "fails with EPERM"},
			{"EINVAL", fake{refuse: "EINVAL"}, No, Refused, "EINVAL", ""},
			{"EOPNOTSUPP", fake{refuse: "EOPNOTSUPP"}, No, Refused, "EOPNOTSUPP", ""},
			{"ENOMEM", fake{refuse: "ENOMEM"}, Unknown, NoMemory, "ENOMEM", "lack of memory"},
			{"EAGAIN", fake{refuse: "EAGAIN"}, Unknown, NoMemory, "EAGAIN", "lack of memory"},
			{"EACCES", fake{refuse: "EACCES"}, Unknown, OtherError, "EACCES", "not known"},
			{"read-only", fake{strip: 2}, No, ReadOnly, "EFAULT", "mprotect makes it writable"},
			{"read-only without /proc", fake{strip: 2, noMaps: true}, No, ReadOnly, "EFAULT", ""},
			{"read-only for good", fake{strip: 2, protect: "EACCES"}, No, ReadOnly, "EFAULT", "mprotect fails with EACCES"},
			{"read-only, mprotect a lie", fake{strip: 2, noProtect: true}, No, ReadOnly, "EFAULT", "does not help"},
			{"no guard", fake{protect: "EACCES", stackOnly: true}, No, Unguardable, "EACCES", "fails with EACCES"},
			// The fault is not in MAP_STACK, so the answer is yes.
			{"no guard anywhere", fake{protect: "EACCES"}, Yes, Usable, "", ""},
			{"inaccessible", fake{strip: rw}, No, Inaccessible, "EFAULT", "written or read"},
			{"no memory at all", fake{refuseAll: "ENOMEM"}, Unknown, Uncontrolled, "ENOMEM", "plain memory"},
			// A filter that refuses every mmap shows nothing about MAP_STACK.
			{"no mmap at all", fake{refuseAll: "EPERM"}, Unknown, Uncontrolled, "EPERM", "plain memory"},
			{"no descriptors", fake{noPipes: true}, Unknown, Uncontrolled, "EMFILE", "plain memory"},
			{"stores are lost", fake{mute: true}, Unknown, Uncontrolled, "", "byte lost true"},
			// An emulator that does not check protections; only maps shows the truth.
			{"careless, read-only", fake{strip: 2, carefree: true}, Unknown, Contradicted, "", "shows as r--p"},
		} {
			f := c.kernel
			f.Table, f.pages, f.bytes = table, map[uintptr]uint64{}, map[uintptr]byte{}
			f.stacks = map[uintptr]bool{}
			r := Detect(&f, table)
			if r.Answer != c.answer || r.Finding != c.finding || int(r.Errno) != table.Errno(c.errno) {
				t.Errorf("%s, %s: %q %q, errno %d; want %q %q %s: %s", table.GOARCH, c.name, r.Answer, r.Finding, int(r.Errno), c.answer, c.finding, c.errno, r.Reason)
			}
			if !strings.Contains(r.Reason, c.reason) || r.Reason == "" {
				t.Errorf("%s, %s: %q lacks %q", table.GOARCH, c.name, r.Reason, c.reason)
			}
			if len(f.pages) != 0 || f.unmapsWrong != 0 {
				t.Errorf("%s, %s: %d pages stay mapped", table.GOARCH, c.name, len(f.pages))
			}
			// IN-04: a call that failed is not repeated. MAP_STACK is asked for once
			// more only if it succeeded.
			most := 1
			if r.Stack.Tried {
				most = 2
			}
			if f.stackMmaps > most {
				t.Errorf("%s, %s: MAP_STACK was asked for %d times", table.GOARCH, c.name, f.stackMmaps)
			}
		}
	}
}

// TestTheKernelsAnswersDecide runs on the real kernel. A write to the read-only
// page must fail without a signal, because the detector depends on that.
func TestTheKernelsAnswersDecide(t *testing.T) {
	k, err := sys.Running()
	if err != nil {
		t.Fatal(err)
	}
	r := Detect(Kernel{k}, k.Table)
	if r.Answer != Yes || r.Finding != Usable || r.Stack.Perms != "rw-p" {
		t.Errorf("%+v", r)
	}
	efault := syscall.Errno(k.Errno("EFAULT"))
	if r.ReadOnly.Write != efault || r.ReadOnly.Read != 0 || r.ReadOnly.Perms != "r--p" {
		t.Errorf("a read-only page: %+v", r.ReadOnly)
	}
	none := detector{Kernel{k}, k.Table}.page(0, k.Map.Private|k.Map.Anonymous, nil, nil)
	if none.Write != efault || none.Read != efault {
		t.Errorf("a page without access: %+v", none)
	}
}
