package main

import (
	"os"
	"strconv"
	"strings"
	"syscall"
)

// place is where probes run: a guest, in which all processes are theirs, or a
// running system.
type place struct {
	probes string // the folder of the probes
	home   string // where they may write
	// emulator begins the command line of every probe, empty where the kernel
	// runs them itself.
	emulator []string
	env      []string // added to the probes' environment
	// deathSignal is what a probe gets when the agent dies, 0 where the system
	// ends with the agent.
	deathSignal syscall.Signal
	// hosted is a system with processes of others.
	hosted bool
}

// guestPlace is a guest, prepared by mountAll.
func guestPlace() place { return place{probes: probeDir, home: "/tmp"} }

func (p place) environment() []string {
	return append([]string{"PATH=" + p.probes, "HOME=" + p.home, "TMPDIR=" + p.home}, p.env...)
}

// killStrays ends what a probe left running: in a guest every process but this
// one; elsewhere those below this one. As PID 1, or as a subreaper, this process is the parent of
// each whose own parent has ended, so that killing uncovers the next.
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

// reap collects the orphans that this process inherited. Its own children have
// been waited for.
func (p place) reap() {
	if !p.hosted && os.Getpid() != 1 {
		return
	}
	for {
		p.killStrays() // whoever came to this process since
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
	names, _ := proc.Readdirnames(-1) // a process that ended meanwhile is none
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		b, err := os.ReadFile("/proc/" + name + "/stat")
		if err != nil {
			continue
		}
		// "pid (name) state ppid": a name may hold spaces and brackets.
		text := string(b)
		f := strings.Fields(text[strings.LastIndexByte(text, ')')+1:])
		if len(f) > 1 && f[1] == strconv.Itoa(os.Getpid()) {
			pids = append(pids, pid)
		}
	}
	return pids
}
