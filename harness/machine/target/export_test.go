package target

// Folder is what a system that runs already has of ours, empty for none.
func (h *Hosted) Folder() string { return h.dir }

// Disconnect kills the program that an agent is talked to through.
func Disconnect(a Agent) { a.(*hostedAgent).process.kill() }
