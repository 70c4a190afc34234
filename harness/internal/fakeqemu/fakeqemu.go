package fakeqemu

import (
	"bufio"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/mapstack/conformance/poc/wire"
)

// variable names the script in the environment.
const variable = "MAPSTACK_FAKE_QEMU"

// Prefix returns the command to start in place of QEMU: the test binary itself,
// whose TestMain must call Play.
func Prefix(script string) []string {
	return []string{"env", variable + "=" + script, os.Args[0]}
}

// Play plays the script that Prefix named, and exits. Without a script it returns.
func Play() {
	if script := os.Getenv(variable); script != "" {
		play(script)
		os.Exit(0)
	}
}

// fake is a scripted guest behind a scripted QEMU.
type fake struct {
	seq      uint32
	kept     [][]byte // the frames so far, to send again
	run      int      // the last that was asked for
	in       *bufio.Reader
	greeting wire.Record
}

const stumbles = "stumbles "

// Stumbles returns a script whose first starts fail, as many as the file has bytes.
func Stumbles(file string) string { return stumbles + file }

// stumble fails unless the file is empty, and removes a byte of it.
func stumble(file string) {
	left, err := os.ReadFile(file)
	if err != nil {
		panic(err)
	}
	if len(left) == 0 {
		return
	}
	if err := os.WriteFile(file, left[1:], 0o644); err != nil {
		panic(err)
	}
	fmt.Fprintln(os.Stderr, "qemu: it was not run in time")
	os.Exit(1)
}

func play(name string) {
	if name == "refuses" {
		fmt.Fprintln(os.Stderr, "qemu: unsupported machine type")
		os.Exit(1)
	}
	if file, ok := strings.CutPrefix(name, stumbles); ok {
		stumble(file)
		name = "behaves"
	}
	g := &fake{in: bufio.NewReader(os.Stdin), greeting: hello("amd64", "go")}
	if strings.HasPrefix(name, sw64) {
		asSW64(name)
		g.greeting = hello("sw64", "go1.16.4")
	}
	go monitor(name)
	if slices.Contains(os.Args, "-incoming") {
		g.restored(name)
		return
	}
	fmt.Println("[    0.000000] Linux version 0.0.0-fake")
	if strings.HasPrefix(name, system) || name == sw64System {
		g.system(name)
		return
	}
	if !g.boots(name) {
		return
	}
	g.hello(name == "hello damaged")
	g.answer(name)
}

// boots plays the boot. It reports false when the guest ends in it.
func (g *fake) boots(name string) bool {
	switch name {
	case "panics":
		fmt.Println("[    1.0] Kernel panic - not syncing: No working init found.")
		time.Sleep(time.Hour) // a machine that cannot reset itself
	case "is alpha's":
		early()
		fmt.Println("[    1.0] Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000200")
		time.Sleep(time.Hour)
	case "speaks early":
		early() // and is well
	case "resets":
		fmt.Println("[    1.0] nothing wrong")
		return false
	case "hangs":
		time.Sleep(time.Hour)
	case "chats":
		for i := 0; ; i++ {
			fmt.Printf("[%5d.0] all is well, and will be\n", i)
			time.Sleep(time.Millisecond)
		}
	case "other protocol":
		g.send(wire.Record{Kind: wire.KindHello, Hello: &wire.Hello{Protocol: wire.Protocol + 1, Arch: "amd64"}})
		time.Sleep(time.Hour)
	case "other arch":
		g.send(wire.Record{Kind: wire.KindHello, Hello: &wire.Hello{Protocol: wire.Protocol, Arch: "vax"}})
		time.Sleep(time.Hour)
	case "no record":
		line, _ := wire.Encode(wire.GuestPrefix, wire.Frame{Payload: []byte("[]")})
		os.Stdout.Write(line)
		time.Sleep(time.Hour)
	}
	return true
}
