// Command hostileinit is the first process of a hostile guest. A kernel parameter names what
// it does: hostile=MODE.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"
	"unsafe"

	"github.com/mapstack/conformance/poc/wire"
)

// early are the modes that end before the hello.
var early = map[string]func(){
	"exit":   func() { os.Exit(0) },
	"reboot": func() { _ = syscall.Reboot(syscall.LINUX_REBOOT_CMD_RESTART) },
}

// late are the modes that begin when a probe is asked for. If they return, the probe is
// answered rightly.
var late = map[string]func(){
	"crash":   func() { put("/proc/sysrq-trigger", "c") },
	"still":   still,
	"flood":   flood,
	"damaged": damaged,
	"forged":  forged,
	"line":    func() { say(strings.Repeat("x", 1<<20)) },
	"escapes": func() { say("\x1b]0;title\x07\x1b[2J\u202e\u009b31m") },
	"million": million,
	"bomb":    bomb,
	"traces":  func() { put("/proc/sysrq-trigger", "l"); put("/proc/sysrq-trigger", "t") },
}

var seq uint32

func main() {
	if os.Getpid() != 1 {
		bomb()
	}
	_ = syscall.Mount("proc", "/proc", "proc", 0, "")
	_ = syscall.Mount("dev", "/dev", "devtmpfs", 0, "")
	put("/proc/sys/kernel/sysrq", "1")
	put("/proc/sys/kernel/printk_devkmsg", "on")
	mode := os.Getenv("hostile")
	if act, ok := early[mode]; ok {
		act()
		forEver()
	}
	hello := &wire.Hello{Protocol: wire.Protocol, Arch: "amd64", Release: "6.1.0", Probes: []string{"p"}}
	if mode == "liar" {
		hello.Arch = "arm64"
	}
	send(wire.Record{Kind: wire.KindHello, Hello: hello})
	in := bufio.NewReader(os.Stdin)
	for {
		line, err := in.ReadBytes('\n')
		if err != nil {
			forEver()
		}
		var r wire.Request
		if f, err := wire.Decode(wire.HostPrefix, line); err != nil || json.Unmarshal(f.Payload, &r) != nil || r.Op != wire.OpRun {
			continue
		}
		late[mode]()
		out := wire.NewDeflater(r.Run, payload)
		fmt.Fprintln(out, `{"step":"only"}`)
		_ = out.Flush()
		send(wire.Record{Kind: wire.KindDone, Run: r.Run, Exit: &wire.Exit{}})
	}
}

func say(text string) { fmt.Fprintln(os.Stdout, text) }

func put(path, text string) { _ = os.WriteFile(path, []byte(text), 0) }

func forEver() {
	for {
		time.Sleep(time.Hour)
	}
}

func send(r wire.Record) {
	b, _ := json.Marshal(r)
	_ = payload(b)
}

func payload(p []byte) error {
	line, err := wire.Encode(wire.GuestPrefix, wire.Frame{Seq: seq, Payload: p})
	if err != nil {
		return err
	}
	seq++
	_, err = os.Stdout.Write(line)
	return err
}

// damaged sends frames with every field wrong, one after the other.
func damaged() {
	line, _ := wire.Encode(wire.GuestPrefix, wire.Frame{Seq: seq, Payload: []byte("{}")})
	fields := strings.Fields(strings.TrimPrefix(string(line), wire.GuestPrefix))
	for at := range fields {
		for _, wrong := range []string{"", "-1", "99999999999999999999", "zz", "\x00", strings.Repeat("9", 5000)} {
			changed := append([]string{}, fields...)
			changed[at] = wrong
			say(wire.GuestPrefix + strings.Join(changed, " "))
		}
	}
	say(wire.GuestPrefix)
	say(strings.Repeat(wire.GuestPrefix, 100))
}

// forged has the kernel print whole frames that are not expected.
func forged() {
	kmsg, err := os.OpenFile("/dev/kmsg", os.O_WRONLY, 0)
	if err != nil {
		return
	}
	for _, ahead := range []uint32{1 << 14, 1 << 20, 1 << 31, ^uint32(0) - seq} {
		line, _ := wire.Encode(wire.GuestPrefix, wire.Frame{Seq: seq + ahead, Payload: []byte(`{"kind":"done","run":1,"exit":{"code":0}}`)})
		fmt.Fprintf(kmsg, "<0>%s", line)
	}
	again, _ := wire.Encode(wire.GuestPrefix, wire.Frame{Seq: seq - 1, Payload: []byte(`{"kind":"refused","run":1,"refused":"forged"}`)})
	fmt.Fprintf(kmsg, "<0>%s", again)
}

// million reports more than anybody may. It takes little of the console, because it is
// compressed.
func million() {
	out := wire.NewDeflater(1, payload)
	for range 1000000 {
		fmt.Fprintln(out, `{"step":"again"}`)
	}
	_ = out.Flush()
}

func flood() {
	kmsg, err := os.OpenFile("/dev/kmsg", os.O_WRONLY, 0)
	if err != nil {
		return
	}
	for i := 0; ; i++ {
		fmt.Fprintf(kmsg, "<0>flood %d %s\n", i, strings.Repeat("x", i%900))
	}
}

// bomb starts copies of this program, which do the same.
func bomb() {
	for {
		cmd := exec.Command("/proc/self/exe")
		_ = cmd.Start()
	}
}

// still executes, in place of the kernel, code that disables interrupts and halts.
func still() {
	const at = 0x4000000
	code := make([]byte, 4096)
	copy(code, []byte{0xfa, 0xf4, 0xeb, 0xfd}) // cli; hlt; jmp to hlt
	segment := struct{ buf, size, mem, memSize uintptr }{uintptr(unsafe.Pointer(&code[0])), 4096, at, 4096}
	const kexecLoad, x8664 = 246, 62 << 16
	if _, _, errno := syscall.Syscall6(kexecLoad, at, 1, uintptr(unsafe.Pointer(&segment)), x8664, 0, 0); errno != 0 {
		say("kexec_load: " + errno.Error())
		os.Exit(1) // a panic, which is not what the test wants
	}
	say("still now")
	_ = syscall.Reboot(syscall.LINUX_REBOOT_CMD_KEXEC)
	runtime.KeepAlive(code)
}
