package census

import "io/fs"

// Descriptors are the open files of the program. A call that makes a process may
// give back a descriptor of it (CLONE_PIDFD), which counts as well.
type Descriptors struct {
	Files Limit  `json:"rlimitNofile"`
	Open  Amount `json:"openFiles"`
}

func (r reader) descriptors() Descriptors {
	d := Descriptors{Files: r.limit("Max open files", "rlimitNofile")}
	open, err := fs.ReadDir(r.root, r.inProcess("fd"))
	if err != nil {
		r.note("openFiles", err)
		return d
	}
	d.Open = Known(uint64(len(open)))
	return d
}
