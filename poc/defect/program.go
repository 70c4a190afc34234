package defect

// Program is the program that makes a call. It is read and changed from outside
// while it is stopped at the call.
type Program interface {
	// UID returns the effective user ID of the calling thread.
	UID() uint32
	// Word reads a word of memory, 0 if nothing is mapped there. Store writes one if
	// memory is mapped there.
	Word(addr uint64) uint64
	Store(addr, value uint64)
	// Text reads up to n bytes of memory; SetText writes them.
	Text(addr, n uint64) string
	SetText(addr uint64, text string)
	// OnStack reports whether an address is in memory that the program mapped with
	// MAP_STACK. It works only for models with Stacks set.
	OnStack(addr uint64) bool
	// Path returns the path of an open file, "" if it has none.
	Path(fd uint64) string
	// SoftLimit returns a soft limit of the program; SetSoftLimit changes it.
	SoftLimit(resource uint64) uint64
	SetSoftLimit(resource, value uint64)
	// Dead counts the children that have ended and have not been waited for.
	Dead() int
	// InUserNamespace reports whether the program is in a user namespace other than
	// the initial one.
	InUserNamespace() bool
	// Notes holds what the model stores about this program.
	Notes() map[string]uint64
	// File reads a file of the machine, such as a sysctl, and trims white space. Put
	// writes one.
	File(path string) string
	Put(path, text string)
}
