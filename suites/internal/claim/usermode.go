package claim

import "slices"

// UserMode says whether a user-mode emulator decides a claim (Emulated), or why it
// does not. With the zero value, which a new claim has, it does not: the answer
// would be that of the host's kernel.
type UserMode string

// Emulated marks a claim that a user-mode emulator decides itself: the numbers
// of calls, flags, signals and errors are its own translation, and so is what
// happens at a bad address.
const Emulated UserMode = "decided by the emulator itself"

// The reasons why a user-mode emulator does not decide a claim although the
// probe of the claim runs there.
const (
	HostMaps    UserMode = "what /proc says of a mapping, its protection and flags there and its resident pages, is made of the mappings of the host's kernel"
	HostPlaces  UserMode = "where mappings lie and with what they merge is decided by the host's kernel, and by an emulator that keeps room for itself"
	HostGrowth  UserMode = "how memory grows below a mapping is decided by the host's kernel, which does not know the emulated stack pointer"
	HostMemory  UserMode = "huge pages and limits of memory are the host's"
	HostFiles   UserMode = "files and who may write to them are the host's"
	HostRelease UserMode = "which release brought it is asked of a kernel, and the release here is the host's"
	NoInjection UserMode = "defects are injected by seccomp and ptrace, which a user-mode emulator does not have"
)

// below is the reason that the zero value stands for.
const below = "the kernel below a user-mode emulator is the host's, and the answer would be that kernel's"

// valid reports whether u is the zero value or one of the constants.
func (u UserMode) valid() bool {
	return u == "" || slices.Contains([]UserMode{Emulated, HostMaps, HostPlaces, HostGrowth, HostMemory, HostFiles, HostRelease, NoInjection}, u)
}

// undecided returns the reason why a user-mode emulator does not decide the
// claim, or "" when it does.
func (u UserMode) undecided() string {
	switch u {
	case Emulated:
		return ""
	case "":
		return below
	}
	return string(u)
}
