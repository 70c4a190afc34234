package census

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
)

// status reads what the kernel says of the thread in /proc/PID/task/TID/status.
func (t *taker) status() error {
	var bad []error
	get := func(into *Amount, key, text string) {
		var err error
		if *into, err = amount(text); err != nil {
			t.unknown(key, err)
		}
	}
	kib := func(into *Amount, key, text string) {
		get(into, key, text)
		into.N <<= 10
	}
	seen := false
	err := lines(t.root, t.thread("status"), func(line string) bool {
		key, rest, _ := strings.Cut(line, ":")
		f := strings.Fields(rest)
		if len(f) == 0 {
			return false
		}
		switch key {
		case "Name":
			t.c.Name = strings.TrimSpace(rest)
		case "Uid":
			uid, err := strconv.ParseUint(f[0], 10, 32)
			if err != nil {
				bad = append(bad, fmt.Errorf("the user %q is no number", clip(f[0])))
			}
			t.c.User, seen = uint32(uid), true
		case "Threads":
			get(&t.c.Threads, "threads", f[0])
		case "VmSize":
			kib(&t.c.SpaceIn, "vmSize", f[0])
		case "VmData":
			kib(&t.c.DataIn, "vmData", f[0])
		case "CapEff":
			caps, err := strconv.ParseUint(f[0], 16, 64)
			if err != nil {
				t.unknown("exempt", err)
			}
			t.caps = caps
		case "Seccomp":
			get(&t.c.Seccomp, "seccomp", f[0])
		case "Seccomp_filters": // since 5.11
			get(&t.c.Filters, "filters", f[0])
		}
		return false
	})
	if err == nil && !seen {
		bad = append(bad, errors.New("its status names no user"))
	}
	return errors.Join(append(bad, err)...)
}

// Capabilities of include/uapi/linux/capability.h.
const (
	capSysAdmin    = 21
	capSysResource = 24
)

// exemption is copy_process in kernel/fork.c: the machine's own root is never
// limited, and neither is who has one of two capabilities over the machine.
func (t *taker) exemption() {
	switch {
	case t.c.User == 0 && t.rootIsRoot():
		t.c.Exempt = "root"
	case !t.c.InitialUsers:
	case t.caps>>capSysResource&1 == 1:
		t.c.Exempt = "CAP_SYS_RESOURCE"
	case t.caps>>capSysAdmin&1 == 1:
		t.c.Exempt = "CAP_SYS_ADMIN"
	}
}

// rootIsRoot is false where the user 0 of the program's user namespace is an
// ordinary user outside of it.
func (t *taker) rootIsRoot() bool {
	if t.c.InitialUsers {
		return true
	}
	line, err := first(t.root, t.process("uid_map"))
	f := strings.Fields(line)
	return err == nil && len(f) == 3 && f[0] == "0" && f[1] == "0"
}

// limits reads /proc/PID/limits, which has names, not numbers that differ
// between architectures.
func (t *taker) limits() {
	into := map[string]*Limit{
		"Max processes": &t.c.Processes, "Max address space": &t.c.Space, "Max data size": &t.c.Data,
	}
	keys := map[string]string{
		"Max processes": "rlimitNproc", "Max address space": "rlimitAS", "Max data size": "rlimitData",
	}
	err := lines(t.root, t.process("limits"), func(line string) bool {
		for name, limit := range into {
			f := strings.Fields(strings.TrimPrefix(line, name))
			if !strings.HasPrefix(line, name+" ") || len(f) < 2 {
				continue
			}
			var soft, hard error
			limit.Soft, soft = amount(f[0])
			limit.Hard, hard = amount(f[1])
			if err := errors.Join(soft, hard); err != nil {
				t.unknown(keys[name], err)
			}
		}
		return false
	})
	if err != nil {
		for _, key := range keys {
			t.unknown(key, err)
		}
	}
}

// policy is the 41st field of /proc/PID/task/TID/stat. The name, the second, may
// have anything in it but ends with the last parenthesis.
func (t *taker) policy() {
	line, err := first(t.root, t.thread("stat"))
	if err == nil {
		f := strings.Fields(line[strings.LastIndexByte(line, ')')+1:])
		const at = 41 - 3
		if len(f) <= at {
			err = fmt.Errorf("it has %d fields behind the name", len(f))
		} else {
			t.c.Policy, err = amount(f[at])
		}
	}
	if err != nil {
		t.unknown("policy", err)
	}
}

// Numbers of the first namespaces of a machine (include/linux/proc_ns.h).
const (
	firstUsers = "user:[4026531837]"
	firstPIDs  = "pid:[4026531836]"
)

func (t *taker) namespaces() {
	t.c.InitialUsers = t.link("ns/user") == firstUsers
	own := t.link("ns/pid")
	t.c.InitialPIDs = own == firstPIDs
	// A namespace whose first process is still to come has no name yet.
	if children, err := fs.ReadLink(t.root, t.thread("ns/pid_for_children")); own != "" {
		t.c.ChildPIDs = err == nil && children != own || errors.Is(err, fs.ErrNotExist)
	}
	own = t.link("ns/time")
	if children, err := fs.ReadLink(t.root, t.thread("ns/time_for_children")); own != "" && err == nil {
		t.c.ChildTime = children != own // since 5.6
	}
}

// link is where a link of the thread leads; "" when that cannot be told.
func (t *taker) link(name string) string {
	to, err := fs.ReadLink(t.root, t.thread(name))
	if err != nil {
		if name != "ns/time" {
			t.unknown(name, err)
		}
		return ""
	}
	return to
}
