// Package fakeqemu stands in for QEMU in the tests of the harness's own
// failure handling, and where thousands of guests are needed: a scripted guest
// behind a scripted QEMU. No claim about a kernel is ever tested with it.
package fakeqemu

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/mapstack/conformance/poc/wire"
)

// variable names the script in the environment.
const variable = "MAPSTACK_FAKE_QEMU"

// Prefix is what to start instead of QEMU. The test binary plays the script, if
// its TestMain calls Play.
func Prefix(script string) []string {
	return []string{"env", variable + "=" + script, os.Args[0]}
}

// Play plays the script that Prefix named and exits; without one it returns.
func Play() {
	if script := os.Getenv(variable); script != "" {
		play(script)
		os.Exit(0)
	}
}

// fake is a scripted guest behind a scripted QEMU.
type fake struct {
	seq  uint32
	kept [][]byte
	in   *bufio.Reader
}

func play(name string) {
	if name == "refuses" {
		fmt.Fprintln(os.Stderr, "qemu: unsupported machine type")
		os.Exit(1)
	}
	if strings.HasPrefix(name, sw64) {
		asSW64(name)
	}
	go monitor(name)
	g := &fake{in: bufio.NewReader(os.Stdin)}
	if slices.Contains(os.Args, "-incoming") {
		g.restored(name)
		return
	}
	fmt.Println("[    0.000000] Linux version 0.0.0-fake")
	if strings.HasPrefix(name, system) {
		g.system(name)
		return
	}
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
		return
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
	g.hello(name == "hello damaged")
	g.answer(name)
}

// early says what stage 0 says on a kernel with alpha's numbers, cut by printk in
// one of two frames, and everything twice.
func early() {
	for again := range 2 {
		for i, r := range []wire.Record{
			{Kind: wire.KindObservation, Observation: &wire.Observation{Step: "mmap.anonymous-0x20", Errno: 9}},
			{Kind: wire.KindObservation, Observation: &wire.Observation{Step: "mmap.anonymous-0x10", Ret: "0x20000000000"}},
			{Kind: wire.KindDone, Exit: &wire.Exit{}},
		} {
			line, err := wire.EncodeJSON(wire.EarlyPrefix, uint32(i), r)
			if err != nil {
				panic(err)
			}
			if i == again {
				line = append(append(append([]byte{}, line[:40]...), "[ 1.5] printk\n"...), line[40:]...)
			}
			os.Stdout.Write(line)
		}
	}
}

// restored plays a guest that said hello before it was saved.
func (g *fake) restored(name string) {
	switch name {
	case "restores deaf":
		time.Sleep(time.Hour)
	case "restores another":
		g.frame(wire.Record{Kind: wire.KindHello, Hello: &wire.Hello{Protocol: wire.Protocol, Arch: "amd64", Release: "9.9.9-fake"}})
	default:
		g.frame(hello)
	}
	g.answer(name)
}

var hello = wire.Record{Kind: wire.KindHello, Hello: &wire.Hello{
	Protocol: wire.Protocol, Arch: "amd64", Go: "go", Release: "0.0.0-fake", Probes: []string{"p"}}}

func (g *fake) hello(damaged bool) {
	line := g.frame(hello)
	if damaged {
		line = append(append(append([]byte{}, line[:30]...), "[ 1.5] printk\n"...), line[30:]...)
	}
	os.Stdout.Write(line)
}

func (g *fake) frame(r wire.Record) []byte {
	line, err := wire.EncodeJSON(wire.GuestPrefix, g.seq, r)
	if err != nil {
		panic(err)
	}
	g.seq++
	g.kept = append(g.kept, line)
	return line
}

func (g *fake) send(r wire.Record) { os.Stdout.Write(g.frame(r)) }

// Observations is how many steps each of the fake's probes has.
const Observations = 50

func (g *fake) answer(name string) {
	for attempt := 0; ; attempt++ {
		req, ok := g.request()
		if !ok {
			return
		}
		if req.Op == wire.OpResend {
			for i := int(req.From); i < len(g.kept); i++ {
				g.write(name, attempt, i)
			}
			continue
		}
		switch name {
		case "dies under a probe":
			fmt.Println("[    9.0] BUG: kernel NULL pointer dereference, address: 0000000000000008")
			fmt.Println("[    9.0] Kernel panic - not syncing: Fatal exception")
			return
		case "wedges under a probe":
			time.Sleep(time.Hour)
		case "refuses the probe":
			g.send(wire.Record{Kind: wire.KindRefused, Run: req.Run, Refused: "not today"})
			continue
		case "answers another run":
			g.send(wire.Record{Kind: wire.KindDone, Run: req.Run + 1, Exit: &wire.Exit{}})
			continue
		case "repeats a step":
			for i := 0; i < 2; i++ {
				g.send(wire.Record{Kind: wire.KindObservation, Run: req.Run, Observation: &wire.Observation{Step: "s"}})
			}
			continue
		}
		first := len(g.kept)
		for i := 0; i < Observations; i++ {
			g.frame(wire.Record{Kind: wire.KindObservation, Run: req.Run, Observation: &wire.Observation{Step: fmt.Sprint(i)}})
		}
		g.frame(wire.Record{Kind: wire.KindDone, Run: req.Run, Exit: &wire.Exit{}})
		for i := first; i < len(g.kept); i++ {
			g.write(name, attempt, i)
		}
	}
}

// write sends frame i as the console of that script would let it through.
func (g *fake) write(name string, attempt, i int) {
	line := g.kept[i]
	switch {
	case name == "floods" && (i+attempt)%3 != 0:
		// Two of three frames are cut by printk, others at each attempt.
		cut := len(wire.GuestPrefix) + i%20
		fmt.Printf("%s[ 5.0] flood %d\n%s", line[:cut], i, line[cut:])
	case name == "loses frames" && attempt == 0 && i%2 == 0:
	case name == "loses the last frame" && attempt == 0 && i == len(g.kept)-1:
	default:
		os.Stdout.Write(line)
	}
}

func (g *fake) request() (wire.Request, bool) {
	for {
		if first, err := g.in.Peek(1); err == nil && first[0] == endOfInput {
			_, _ = g.in.Discard(1)
			return wire.Request{}, false
		}
		line, err := g.in.ReadBytes('\n')
		if err != nil {
			return wire.Request{}, false
		}
		f, err := wire.Decode(wire.HostPrefix, line)
		if err != nil {
			continue
		}
		var r wire.Request
		if json.Unmarshal(f.Payload, &r) == nil {
			return r, true
		}
	}
}

// monitor answers QMP as far as the harness uses it.
func monitor(name string) {
	conn, err := net.FileConn(os.NewFile(3, "monitor"))
	if err != nil {
		panic(err)
	}
	fmt.Fprintln(conn, `{"QMP": {"version": {}, "capabilities": []}}`)
	lines := bufio.NewScanner(conn)
	for lines.Scan() {
		var req struct {
			Execute   string `json:"execute"`
			ID        int    `json:"id"`
			Arguments struct {
				URI string `json:"uri"`
			} `json:"arguments"`
		}
		if json.Unmarshal(lines.Bytes(), &req) != nil {
			continue
		}
		if strings.HasPrefix(name, sw64) && req.Execute == "migrate" {
			// QEMU 6.2, of which the public sw64 port is, writes to no file.
			fmt.Fprintf(conn, `{"error": {"class": "GenericError", "desc": "unknown migration protocol: %s"}, "id": %d}`+"\n", req.Arguments.URI, req.ID)
			continue
		}
		result := "{}"
		if req.Execute == "query-kvm" {
			result = `{"enabled": false, "present": true}`
		}
		fmt.Fprintf(conn, `{"event": "RESUME", "data": {}}`+"\n"+`{"return": %s, "id": %d}`+"\n", result, req.ID)
		if name == noAgent && req.Execute == "query-kvm" {
			os.Exit(0) // the host knows by now that a guest ran
		}
		if status := migrate(name, req.Execute, strings.TrimPrefix(req.Arguments.URI, "file:")); status != "" {
			fmt.Fprintf(conn, `{"event": "MIGRATION", "data": {"status": "active"}}`+"\n"+`{"event": "MIGRATION", "data": {"status": %q}}`+"\n", status)
		}
	}
}

// migrate says what becomes of a guest's state, "" if that was not asked.
func migrate(name, command, path string) string {
	var err error
	switch {
	case command == "migrate" && name == "cannot be saved":
		return "failed"
	case command == "migrate":
		err = os.WriteFile(path, []byte("state"), 0o644)
	case command == "migrate-incoming":
		_, err = os.ReadFile(path)
	default:
		return ""
	}
	if err != nil {
		return "failed"
	}
	return "completed"
}
