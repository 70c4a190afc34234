// Package stackprobe finds out whether stacks can be mapped with MAP_STACK on
// the kernel it runs on, without a signal when they cannot be used: the page is
// written by the kernel, in read(2) from a pipe, which answers EFAULT where a
// store would raise SIGSEGV.
package stackprobe

import (
	"fmt"
	"syscall"

	"github.com/mapstack/conformance/poc/abi"
)

// Answer is whether MAP_STACK can be relied on.
type Answer string

const (
	Yes Answer = "yes"
	No  Answer = "no"
	// Unknown: something failed that would have failed without MAP_STACK as well,
	// or says nothing about it. A lack of memory is not a lack of support.
	Unknown Answer = "could not tell"
)

// Finding is what stands behind an answer.
type Finding string

const (
	Usable       Finding = "usable"         // yes
	Refused      Finding = "refused"        // no: mmap says EPERM, EINVAL or EOPNOTSUPP
	ReadOnly     Finding = "read-only"      // no: mmap took PROT_WRITE away and did not say so
	Inaccessible Finding = "inaccessible"   // no: nor can it be read
	Unguardable  Finding = "unguardable"    // no: mprotect does not make a guard page of it
	NoMemory     Finding = "no memory"      // unknown: ENOMEM or EAGAIN
	OtherError   Finding = "other error"    // unknown: an errno with no known meaning here
	Uncontrolled Finding = "control failed" // unknown: plain memory cannot be had or used either
	Contradicted Finding = "contradiction"  // unknown: maps and the write disagree
)

// Page is one page that was mapped and tried.
type Page struct {
	Errno syscall.Errno // of mmap, or of the mprotect that changed the page
	Perms string        // as maps shows them, "rw-p"; "" when they cannot be read
	Look  error         // why they cannot be read
	// Write and Read are the errno of a byte that the kernel stored there and
	// took from there, 0 when it did. What is not Tried has none.
	Tried       bool
	Write, Read syscall.Errno
	Lost        bool // the byte that was taken is not the one that was stored
}

// usable reports whether the page can be written and read.
func (p Page) usable() bool { return p.Errno == 0 && p.Tried && p.Write == 0 && p.Read == 0 && !p.Lost }

// says reports whether maps shows a permission.
func (p Page) says(perm byte) bool {
	return len(p.Perms) == 4 && (p.Perms[0] == perm || p.Perms[1] == perm)
}

// Result is what Detect found, and all that it looked at.
type Result struct {
	Answer  Answer
	Finding Finding
	Errno   syscall.Errno // that decided, 0 for none
	Reason  string        // one sentence

	Plain    Page // read and write, without MAP_STACK: must be usable
	ReadOnly Page // read, without MAP_STACK: must refuse the write
	Stack    Page // read and write, with MAP_STACK
	// Mended is the same page after mprotect asked for read and write again; only
	// when the page was mapped and is not usable.
	Mended Page
	// PlainGuard and StackGuard are those pages after mprotect took all access
	// away; only when they were usable.
	PlainGuard, StackGuard Page
}

// System is what Detect asks of a kernel.
type System interface {
	Map(prot, flags uint64) (uintptr, syscall.Errno) // one page
	Protect(page uintptr, prot uint64) syscall.Errno
	Unmap(page uintptr) syscall.Errno
	// Perms is how maps shows the mapping of a page.
	Perms(page uintptr) (string, error)
	// Store and Load let the kernel write a byte of the page, and read it.
	Store(page uintptr, b byte) syscall.Errno
	Load(page uintptr) (byte, syscall.Errno)
}

// Detect maps one page with MAP_STACK and uses it. It changes nothing, and gives
// all memory back.
func Detect(s System, table abi.Table) Result {
	d := detector{s, table}
	return d.detect()
}

type detector struct {
	System
	table abi.Table
}

// mark is what is written: not zero, which fresh memory has.
const mark = 0xa5

func (d detector) detect() Result {
	m, p := d.table.Map, d.table.Prot
	plain := m.Private | m.Anonymous
	var r Result
	r.Plain = d.page(p.Read|p.Write, plain, &r.PlainGuard, nil)
	if !r.Plain.usable() {
		// Not asked further: with no plain memory, a refusal of MAP_STACK would
		// mean nothing.
		return r.conclude(Unknown, Uncontrolled, r.Plain.first(),
			"plain memory cannot be had or used either: "+d.describe(r.Plain))
	}
	r.ReadOnly = d.page(p.Read, plain, nil, nil)
	r.Stack = d.page(p.Read|p.Write, plain|m.Stack, &r.StackGuard, &r.Mended)
	return d.judge(r)
}

// page maps a page, looks at it, and gives it back. Where guard and mended are
// not nil, a page that can be used is then made a guard, and one like it, if it
// cannot be used, is asked to be what it should be once more.
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
		// One that nobody has read: Linux on MIPS up to 6.1 takes a page for its
		// own that was read before mprotect lets it be written, although it is the
		// page of zeroes of the whole machine, and frees it.
		if at, mended.Errno = d.Map(prot, flags); mended.Errno == 0 {
			defer d.Unmap(at)
			d.protect(at, prot, mended)
		}
	}
	return p
}

// protect gives a page another protection and looks at it.
func (d detector) protect(at uintptr, prot uint64, p *Page) {
	if p.Errno = d.Protect(at, prot); p.Errno == 0 {
		d.look(at, p)
	}
}

// look asks the kernel what a page is, and uses it.
func (d detector) look(at uintptr, p *Page) {
	p.Perms, p.Look = d.Perms(at)
	p.Tried = true
	p.Write = d.Store(at, mark)
	b, errno := d.Load(at)
	p.Read = errno
	p.Lost = p.Write == 0 && errno == 0 && b != mark
}

// judge decides from the pages. It is a function of what was seen only.
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
		// No write through a system call can be made here, but maps is plain.
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

// refusal judges an mmap with MAP_STACK that failed where a plain one succeeded.
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

// mending says what became of the mprotect that followed.
func (d detector) mending(p Page) string {
	if p.usable() {
		return "mprotect makes it writable"
	}
	if p.Errno != 0 {
		return "mprotect fails with " + d.name(p.Errno)
	}
	return "mprotect does not help"
}

// first is the first errno that a page gave, 0 for none.
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
