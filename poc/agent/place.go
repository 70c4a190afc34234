package agent

import (
	"os"
	"strconv"
	"strings"
	"syscall"
)

// place describes where probes run. In a guest all processes belong to the probes;
// in a running system they do not.
type place struct {
	probes string // folder of the probes
	home   string // folder in which probes may write
	// emulator begins the command line of every probe. It is empty if the kernel
	// runs the probes itself.
	emulator []string
	env      []string // added to the probes' environment
	// deathSignal is sent to a probe when the agent dies. It is 0 if the system ends
	// with the agent.
	deathSignal syscall.Signal
	// hosted is set if the system has processes of others.
	hosted bool
}

// guestPlace returns the place in a guest that mountAll has prepared.
func guestPlace() place { return place{probes: probeDir, home: "/tmp"} }

// files are the folders of a guest where a probe could leave something.
func (p place) files() []string { return []string{p.home, "/dev/shm", p.probes} }

func (p place) environment() []string {
	return append([]string{"PATH=" + p.probes, "HOME=" + p.home, "TMPDIR=" + p.home}, p.env...)
}

// killStrays kills what a probe left running. In a guest these are all processes
// but this one; elsewhere they are this one's children. PID 1, or a subreaper,
// becomes the parent of each process whose parent ended, so each kill uncovers the
// next.
func (p place) killStrays() {
	switch {
	case p.hosted:
		for _, pid := range children() {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	case os.Getpid() == 1:
		_ = syscall.Kill(-1, syscall.SIGKILL)
	}
}

// reap waits for the orphans that this process inherited. Its own children have
// been waited for.
func (p place) reap() {
	if !p.hosted && os.Getpid() != 1 {
		return
	}
	for {
		p.killStrays() // kills the orphans inherited since the last call
		pid, err := syscall.Wait4(-1, nil, 0, nil)
		if err == syscall.EINTR {
			continue
		}
		if pid <= 0 || err != nil {
			return
		}
	}
}

// children lists the processes whose parent is this one.
func children() (pids []int) {
	proc, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer proc.Close()
	names, _ := proc.Readdirnames(-1) // a process that has ended meanwhile is skipped below
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		b, err := os.ReadFile("/proc/" + name + "/stat")
		if err != nil {
			continue
		}
		// The line is "pid (name) state ppid"; the name may hold spaces and brackets.
		text := string(b)
		f := strings.Fields(text[strings.LastIndexByte(text, ')')+1:])
		if len(f) > 1 && f[1] == strconv.Itoa(os.Getpid()) {
			pids = append(pids, pid)
		}
	}
	return pids
}
