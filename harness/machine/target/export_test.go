package target

// Folder returns the folder with our programs on a running system; "" if there is none.
func (h *Hosted) Folder() string { return h.dir }

// Disconnect kills the program through which the host talks to an agent.
func Disconnect(a Agent) { a.(*hostedAgent).process.kill() }
