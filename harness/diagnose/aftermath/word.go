package aftermath

// Kind says what a word of a log is about.
type Kind string

// Kinds of words.
const (
	Thread  Kind = "thread"
	Process Kind = "process"
	// Program: execve was refused.
	Program   Kind = "program"
	Memory    Kind = "memory"
	Namespace Kind = "namespace"
	// MaxThreads is the Go runtime's own limit, debug.SetMaxThreads.
	MaxThreads Kind = "max-threads"
	// Killed: by SIGKILL, which the kernel sends when there is no memory. KilledInGroup: the
	// kernel says that a control group had used up its memory.
	Killed        Kind = "killed"
	KilledInGroup Kind = "killed-in-group"
	// Filtered: a seccomp filter ended the program (SIGSYS).
	Filtered Kind = "filtered"
	// FullGroup: the kernel's log names a control group that is full.
	FullGroup Kind = "full-group"
)

// Word is something in a log that tells of a refusal. Equal ones are kept once.
type Word struct {
	Kind Kind `json:"kind"`
	// Speaker is who writes such words, such as Java or the kernel.
	Speaker string `json:"speaker"`
	// Line is the number of the first line with it, Times how many lines have it.
	Line  int    `json:"line"`
	Times int    `json:"times"`
	Text  string `json:"text"` // the line, or its beginning
	// Errno is the name of the error. Number is what the log has in place of a name; what
	// it means depends on the architecture.
	Errno  string `json:"errno,omitempty"`
	Number int    `json:"number,omitempty"`
	// Have is how many threads there were already, or the limit that was reached.
	Have uint64 `json:"have,omitempty"`
	// Name is the program or the service that the line names, Group its control group.
	Name  string `json:"name,omitempty"`
	Group string `json:"group,omitempty"`
	// Call is the number of the system call that a filter forbids, and Arch the
	// AUDIT_ARCH of that number.
	Call uint64 `json:"call,omitempty"`
	Arch uint64 `json:"arch,omitempty"`
	// Library reports that a C library made the thread. It answers EAGAIN also where it
	// got no memory for the stack.
	Library bool `json:"library,omitempty"`
}

// same reports whether two words tell the same.
func (w Word) same(v Word) bool {
	w.Line, w.Times, w.Text = v.Line, v.Times, v.Text
	return w == v
}
