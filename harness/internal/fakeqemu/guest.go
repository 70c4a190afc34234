package fakeqemu

import (
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/mapstack/conformance/poc/catalog"
	"github.com/mapstack/conformance/poc/wire"
)

// early prints what stage 0 observes on a kernel with the numbers of alpha. It
// prints everything twice, with a line of printk inside of one frame each time.
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

// restored plays a guest that had said hello before its state was saved.
func (g *fake) restored(name string) {
	switch name {
	case "restores deaf":
		time.Sleep(time.Hour)
	case "restores another":
		g.greeting = wire.Record{Kind: wire.KindHello, Hello: &wire.Hello{Protocol: wire.Protocol, Arch: "amd64", Release: "9.9.9-fake"}}
	}
	if name == "restores by a boot" { // its CPUs begin at the reset vector
		fmt.Println("[    0.000000] Linux version 0.0.0-fake")
		g.hello(false)
	}
	g.answer(name)
}

// hello is what an agent says first.
func hello(arch, goVersion string) wire.Record {
	return wire.Record{Kind: wire.KindHello, Hello: &wire.Hello{
		Protocol: wire.Protocol, Arch: arch, Go: goVersion, Release: "0.0.0-fake", Probes: []string{"p"}}}
}

func (g *fake) hello(damaged bool) {
	line := g.frame(g.greeting)
	if damaged {
		line = append(append(append([]byte{}, line[:30]...), "[ 1.5] printk\n"...), line[30:]...)
	}
	os.Stdout.Write(line)
}

func (g *fake) frame(r wire.Record) []byte {
	payload, err := json.Marshal(r)
	if err != nil {
		panic(err)
	}
	return g.payload(payload)
}

func (g *fake) payload(p []byte) []byte {
	line, err := wire.Encode(wire.GuestPrefix, wire.Frame{Seq: g.seq, Payload: p})
	if err != nil {
		panic(err)
	}
	g.seq++
	g.kept = append(g.kept, line)
	return line
}

func (g *fake) send(r wire.Record) { os.Stdout.Write(g.frame(r)) }

// Observations is how many steps each probe of the fake has.
const Observations = 50

func (g *fake) answer(name string) {
	for attempt := 0; ; attempt++ {
		req, ok := g.request()
		if !ok {
			return
		}
		if req.Op == wire.OpHello {
			g.seq, g.kept, g.run = 0, nil, 0
			g.frame(g.greeting)
			g.write(name, attempt, 0)
			continue
		}
		if req.Run == g.run {
			for i := int(req.From); i < len(g.kept); i++ {
				g.write(name, attempt, i)
			}
			continue
		}
		g.run = req.Run
		script, left := name, []string(nil)
		if req.Probe == catalog.Facts {
			script = "behaves" // or no guest would ever be saved
		}
		switch script {
		case "leaves something":
			left = []string{"sysctl vm/x was \"1\" and is \"2\""}
		case "dies under a second probe":
			if req.Run > 1 {
				return
			}
		case "dies under a probe":
			fmt.Println("[    9.0] BUG: kernel NULL pointer dereference, address: 0000000000000008")
			fmt.Println("[    9.0] Kernel panic - not syncing: Fatal exception")
			return
		case "gives up under a probe":
			fmt.Println("fatal error: unexpected signal during runtime execution")
			fmt.Println("[    9.0] Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000200")
			return
		case "wedges under a probe":
			time.Sleep(time.Hour)
		case "refuses the probe":
			g.send(wire.Record{Kind: wire.KindRefused, Run: req.Run, Refused: "not today"})
			continue
		case "answers another run":
			g.send(wire.Record{Kind: wire.KindDone, Run: req.Run + 1, Exit: &wire.Exit{}})
			continue
		}
		first := len(g.kept)
		out := wire.NewDeflater(req.Run, func(payload []byte) error { g.payload(payload); return nil })
		for i := range Observations {
			if script == "repeats a step" {
				i = 0
			}
			// A frame for each, so that there are many to lose.
			fmt.Fprintf(out, "{\"step\":\"%d\"}\n", i)
			if err := out.Flush(); err != nil {
				panic(err)
			}
		}
		g.frame(wire.Record{Kind: wire.KindDone, Run: req.Run, Exit: &wire.Exit{Left: left}})
		for i := first; i < len(g.kept); i++ {
			g.write(name, attempt, i)
		}
	}
}

// write sends frame i the way the console of that script passes it on.
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
