// Package agent runs probes on request of the host and speaks the wire protocol. As
// the guest's PID 1 it prepares the guest and uses its console. In a running system
// it uses standard input and output and changes nothing.
package agent

import (
	"fmt"
	"os"
	"runtime"
	"syscall"
	"time"

	"github.com/mapstack/conformance/poc/limit"
	"github.com/mapstack/conformance/poc/wire"
)

// probeDir holds the probes of the guest image and nothing else.
const probeDir = "/probes"

// Main runs the agent.
func Main() {
	if os.Getpid() != 1 {
		os.Exit(serveHosted(os.Args[1:]))
	}
	err := serve()
	// PID 1 must not return: the kernel would panic, and the host takes a panic for
	// a fault of the kernel. With -no-reboot a restart ends QEMU at once.
	fmt.Fprintln(os.Stderr, "mapstack agent:", err)
	syscall.Sync()
	_ = syscall.Reboot(syscall.LINUX_REBOOT_CMD_RESTART)
	for {
		time.Sleep(time.Hour) // pause(2) does not exist on every architecture
	}
}

// serve prepares the guest and answers requests until the console ends.
func serve() (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v", r)
		}
	}()
	notes, cmdline := mountAll()
	notes = append(notes, applySysctls(cmdline)...)
	console, err := openConsole("/dev/console")
	if err != nil {
		return err
	}
	defer console.Close()
	if err := quietPrintk(); err != nil {
		notes = append(notes, err.Error())
	}
	probes, err := listProbes(probeDir)
	if err != nil {
		return err
	}
	// Requests must still be read while a probe has taken every available thread.
	limit.Prewarm()
	s := newSession(console, greeting(probes, notes), guestPlace())
	if err := s.greet(); err != nil {
		return err
	}
	return s.answer(console)
}

// greeting describes this agent.
func greeting(probes, notes []string) wire.Hello {
	return wire.Hello{Arch: runtime.GOARCH, Go: runtime.Version(), Release: kernelRelease(), Probes: probes, Notes: notes}
}

// kernelRelease returns the output of uname -r. It reads /proc because the element
// type of syscall.Utsname differs between architectures.
func kernelRelease() string {
	b, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return "unknown: " + err.Error()
	}
	for len(b) > 0 && b[len(b)-1] == '\n' {
		b = b[:len(b)-1]
	}
	return string(b)
}
