package defect

// Program is the program that makes a call, seen and changed from outside while
// it stands at the call.
type Program interface {
	// UID is the effective user of the calling thread.
	UID() uint32
	// Word reads a word of memory, 0 where there is none; Store writes one, where
	// there is memory.
	Word(addr uint64) uint64
	Store(addr, value uint64)
	// Text reads up to n bytes of memory, and SetText writes them.
	Text(addr, n uint64) string
	SetText(addr uint64, text string)
	// OnStack reports whether an address is in memory that the program got by
	// MAP_STACK. It is known for models that have Stacks.
	OnStack(addr uint64) bool
	// Path is where the file of a descriptor is, "" if nowhere.
	Path(fd uint64) string
	// SoftLimit is a soft limit of the program, and SetSoftLimit changes it.
	SoftLimit(resource uint64) uint64
	SetSoftLimit(resource, value uint64)
	// Dead counts the children that have ended and were not waited for.
	Dead() int
	// InUserNamespace reports whether the program is in a user namespace that is
	// not the first.
	InUserNamespace() bool
	// Notes is what the model remembers of this program.
	Notes() map[string]uint64
	// File reads a file of the machine, such as a sysctl, without white space at
	// its ends, and Put writes one.
	File(path string) string
	Put(path, text string)
}
