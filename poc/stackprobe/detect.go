// Package stackprobe finds out whether stacks can be mapped with MAP_STACK on the
// running kernel. It causes no signal if they cannot be used: the kernel writes to
// the page in read(2) from a pipe. That gives EFAULT where a store would raise
// SIGSEGV.
package stackprobe

import (
	"fmt"
	"syscall"

	"github.com/mapstack/conformance/poc/abi"
)

// Answer tells whether a program can rely on MAP_STACK.
type Answer string

const (
	Yes Answer = "yes"
	No  Answer = "no"
	// Unknown means that something failed that may have failed without MAP_STACK
	// too, or that shows nothing about it. A lack of memory is not a lack of
	// support.
	Unknown Answer = "could not tell"
)

// Finding is the reason for an answer.
type Finding string

const (
	Usable       Finding = "usable"         // yes
	Refused      Finding = "refused"        // no: mmap fails with EPERM, EINVAL or EOPNOTSUPP
	ReadOnly     Finding = "read-only"      // no: mmap silently removed PROT_WRITE
	Inaccessible Finding = "inaccessible"   // no: the page cannot be read either
	Unguardable  Finding = "unguardable"    // no: mprotect cannot make it a guard page
	NoMemory     Finding = "no memory"      // unknown: ENOMEM or EAGAIN
	OtherError   Finding = "other error"    // unknown: an errno with no known meaning here
	Uncontrolled Finding = "control failed" // unknown: plain memory cannot be mapped or used either
	Contradicted Finding = "contradiction"  // unknown: maps and the write disagree
)

// Page describes one page that was mapped and tried.
type Page struct {
	Errno syscall.Errno // of mmap, or of the mprotect that changed the page
	Perms string        // as in maps, "rw-p"; "" if they cannot be read
	Look  error         // why the permissions cannot be read
	// Write and Read are the errnos of a byte that the kernel stored in the page and
	// read from it, 0 for success. They are valid only if Tried is set.
	Tried       bool
	Write, Read syscall.Errno
	Lost        bool // the byte that was read is not the one that was stored
}

// usable reports whether the page can be written and read.
func (p Page) usable() bool { return p.Errno == 0 && p.Tried && p.Write == 0 && p.Read == 0 && !p.Lost }

// says reports whether maps shows a permission of the page.
func (p Page) says(perm byte) bool {
	return len(p.Perms) == 4 && (p.Perms[0] == perm || p.Perms[1] == perm)
}

// Result is the answer of Detect and everything it is based on.
type Result struct {
	Answer  Answer
	Finding Finding
	Errno   syscall.Errno // the errno that decided, 0 for none
	Reason  string        // one sentence for people

	Plain    Page // read and write, without MAP_STACK: must be usable
	ReadOnly Page // read, without MAP_STACK: must refuse the write
	Stack    Page // read and write, with MAP_STACK
	// Mended is a page like Stack after mprotect asked for read and write again. It
	// is set only if Stack was mapped and is not usable.
	Mended Page
	// PlainGuard and StackGuard are those pages after mprotect removed all access.
	// They are set only if the page was usable.
	PlainGuard, StackGuard Page
}

// System holds the calls that Detect makes to a kernel.
type System interface {
	Map(prot, flags uint64) (uintptr, syscall.Errno) // maps one page
	Protect(page uintptr, prot uint64) syscall.Errno
	Unmap(page uintptr) syscall.Errno
	// Perms returns the permissions of the page's mapping as in maps.
	Perms(page uintptr) (string, error)
	// Store makes the kernel write a byte to the page; Load makes it read one.
	Store(page uintptr, b byte) syscall.Errno
	Load(page uintptr) (byte, syscall.Errno)
}

// Detect maps one page with MAP_STACK and uses it. It changes nothing else, and
// unmaps everything.
func Detect(s System, table abi.Table) Result {
	d := detector{s, table}
	return d.detect()
}

type detector struct {
	System
	table abi.Table
}

// mark is the byte that is written. It is not zero, which new memory holds.
const mark = 0xa5

func (d detector) detect() Result {
	m, p := d.table.Map, d.table.Prot
	plain := m.Private | m.Anonymous
	var r Result
	r.Plain = d.page(p.Read|p.Write, plain, &r.PlainGuard, nil)
	if !r.Plain.usable() {
		// Nothing more is tried: without plain memory, a refusal of MAP_STACK would
		// mean nothing.
		return r.conclude(Unknown, Uncontrolled, r.Plain.first(),
			"plain memory cannot be had or used either: "+d.describe(r.Plain))
	}
	r.ReadOnly = d.page(p.Read, plain, nil, nil)
	r.Stack = d.page(p.Read|p.Write, plain|m.Stack, &r.StackGuard, &r.Mended)
	return d.judge(r)
}

// page maps a page, examines it, and unmaps it. If guard is not nil, a usable page
// is then made a guard. If mended is not nil and the page is not usable, mprotect
// asks for the same protection on a second page.
func (d detector) page(prot, flags uint64, guard, mended *Page) (p Page) {
	at, errno := d.Map(prot, flags)
	if errno != 0 {
		p.Errno = errno
		return p
	}
	defer d.Unmap(at)
	d.look(at, &p)
	switch {
	case p.usable() && guard != nil:
		d.protect(at, 0, guard)
	case !p.usable() && mended != nil:
		// This needs a page that nobody has read. If a page was read before mprotect
		// makes it writable, Linux on MIPS up to 6.1 takes it for the program's own.
		// It is really the zero page of the whole machine, which the kernel then
		// frees.
		if at, mended.Errno = d.Map(prot, flags); mended.Errno == 0 {
			defer d.Unmap(at)
			d.protect(at, prot, mended)
		}
	}
	return p
}

// protect changes the protection of a page and examines it.
func (d detector) protect(at uintptr, prot uint64, p *Page) {
	if p.Errno = d.Protect(at, prot); p.Errno == 0 {
		d.look(at, p)
	}
}

// look records the permissions of a page, writes to it and reads it.
func (d detector) look(at uintptr, p *Page) {
	p.Perms, p.Look = d.Perms(at)
	p.Tried = true
	p.Write = d.Store(at, mark)
	b, errno := d.Load(at)
	p.Read = errno
	p.Lost = p.Write == 0 && errno == 0 && b != mark
}

// judge decides from the pages alone.
func (d detector) judge(r Result) Result {
	efault := syscall.Errno(d.table.Errno("EFAULT"))
	guards := func(p Page) bool { return p.Errno == 0 && p.Write == efault }
	stack := r.Stack
	switch {
	case stack.Errno != 0:
		return d.refusal(r)
	case stack.usable() && guards(r.PlainGuard) && !guards(r.StackGuard):
		return r.conclude(No, Unguardable, r.StackGuard.Errno,
			"a page mapped with MAP_STACK can be used, but mprotect does not make a guard of it: "+d.describe(r.StackGuard))
	case stack.usable() && (stack.Look != nil || stack.says('w')):
		return r.conclude(Yes, Usable, 0, "a page mapped with MAP_STACK can be written and read")
	case stack.usable():
		return r.conclude(Unknown, Contradicted, 0,
			fmt.Sprintf("the kernel writes to a page mapped with MAP_STACK that maps shows as %s", stack.Perms))
	case stack.Write == efault && r.ReadOnly.Write == efault && (stack.Look != nil || !stack.says('w')):
		finding, what := ReadOnly, "written"
		if stack.Read != 0 {
			finding, what = Inaccessible, "written or read"
		}
		return r.conclude(No, finding, efault,
			fmt.Sprintf("mmap with MAP_STACK succeeds and gives a page that cannot be %s; %s", what, d.mending(r.Mended)))
	case stack.Look == nil && !stack.says('w'):
		// No write through a system call can be tried here, but maps is clear.
		finding := ReadOnly
		if !stack.says('r') {
			finding = Inaccessible
		}
		return r.conclude(No, finding, stack.first(),
			fmt.Sprintf("mmap with MAP_STACK succeeds and maps shows the page as %s; %s", stack.Perms, d.mending(r.Mended)))
	default:
		return r.conclude(Unknown, Contradicted, stack.first(),
			"a page mapped with MAP_STACK is in doubt: "+d.describe(stack))
	}
}

// refusal judges an mmap that failed with MAP_STACK and succeeded without it.
func (d detector) refusal(r Result) Result {
	errno := r.Stack.Errno
	said := fmt.Sprintf("mmap with MAP_STACK fails with %s", d.name(errno))
	switch int(errno) {
	case d.table.Errno("EPERM"), d.table.Errno("EINVAL"), d.table.Errno("EOPNOTSUPP"):
		return r.conclude(No, Refused, errno, said+", and without it succeeds")
	case d.table.Errno("ENOMEM"), d.table.Errno("EAGAIN"):
		return r.conclude(Unknown, NoMemory, errno, said+", which is a lack of memory and not of support")
	default:
		return r.conclude(Unknown, OtherError, errno, said+", which is not known to mean a lack of support")
	}
}

// mending describes the outcome of the mprotect that followed.
func (d detector) mending(p Page) string {
	if p.usable() {
		return "mprotect makes it writable"
	}
	if p.Errno != 0 {
		return "mprotect fails with " + d.name(p.Errno)
	}
	return "mprotect does not help"
}

// first returns the first errno of a page, 0 for none.
func (p Page) first() syscall.Errno {
	for _, errno := range []syscall.Errno{p.Errno, p.Write, p.Read} {
		if errno != 0 {
			return errno
		}
	}
	return 0
}

func (d detector) describe(p Page) string {
	if p.Errno != 0 {
		return "the call fails with " + d.name(p.Errno)
	}
	perms := p.Perms
	if p.Look != nil {
		perms = "not known (" + p.Look.Error() + ")"
	}
	return fmt.Sprintf("permissions %s, write %s, read %s, byte lost %t", perms, d.name(p.Write), d.name(p.Read), p.Lost)
}

func (d detector) name(errno syscall.Errno) string {
	if errno == 0 {
		return "ok"
	}
	if name := d.table.ErrnoName(int(errno)); name != "" {
		return name
	}
	return fmt.Sprintf("errno %d", int(errno))
}

func (r Result) conclude(a Answer, f Finding, errno syscall.Errno, reason string) Result {
	r.Answer, r.Finding, r.Errno, r.Reason = a, f, errno, reason
	return r
}
