package cloneflags

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/mapstack/conformance/poc/probe"
	"github.com/mapstack/conformance/poc/sys"
)

// kind is a kind of namespace, by its name in /proc/self/ns.
type kind struct {
	name string
	flag uint64
}

func kinds() []kind {
	return []kind{
		{"mnt", newNS}, {"cgroup", 0x02000000}, {"uts", 0x04000000}, {"ipc", newIPC},
		{"user", newUser}, {"pid", newPIDNamespace}, {"net", 0x40000000},
	}
}

// namespaces makes a real child in a new namespace of each kind. It also asks for what
// excludes each other and is only seen once the limits allow a process.
func namespaces(p *probe.P) {
	for _, k := range kinds() {
		o := p.Observe(k.name)
		own, err := os.Readlink(filepath.Join("/proc/self/ns", k.name))
		switch {
		case os.IsNotExist(err):
			o.Set("has", false)
		case err != nil:
			o.Unknown("has", err.Error())
		default:
			o.Set("has", true)
		}
		args := sys.CloneArgs{Flags: k.flag | p.Kernel.Signal.Chld, Pause: true}
		pid, errno := p.Kernel.Clone(&args)
		if o.Returned(describe(args.Flags), uintptr(pid), errno) {
			if theirs, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/%s", pid, k.name)); err != nil {
				o.Unknown("new", err.Error())
			} else {
				o.Set("new", theirs != own)
			}
			(&children{P: p}).end(pid)
		} else {
			o.Unknown("new", "no child was made")
		}
		o.Emit()
	}
	o := p.Observe("ipc with sysvsem")
	args := sys.CloneArgs{Flags: newIPC | sysVSem | p.Kernel.Signal.Chld, Pause: true}
	pid, errno := p.Kernel.Clone(&args)
	if o.Returned(describe(args.Flags), uintptr(pid), errno) {
		(&children{P: p}).end(pid)
	}
	o.Emit()
}
