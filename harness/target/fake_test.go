package target

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/mapstack/conformance/poc/wire"
)

// The test binary stands in for QEMU when this variable names a script. Fakes
// are for the harness's own failure handling only: real guests are booted by
// the tests with the tag boot.
const fakeEnv = "MAPSTACK_FAKE_QEMU"

func TestMain(m *testing.M) {
	if script := os.Getenv(fakeEnv); script != "" {
		fakeQEMU(script)
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// fake is a scripted guest behind a scripted QEMU.
type fake struct {
	seq  uint32
	kept [][]byte
	in   *bufio.Reader
}

func fakeQEMU(name string) {
	if name == "refuses" {
		fmt.Fprintln(os.Stderr, "qemu: unsupported machine type")
		os.Exit(1)
	}
	go monitor()
	g := &fake{in: bufio.NewReader(os.Stdin)}
	fmt.Println("[    0.000000] Linux version 0.0.0-fake")
	switch name {
	case "panics":
		fmt.Println("[    1.0] Kernel panic - not syncing: No working init found.")
		time.Sleep(time.Hour) // a machine that cannot reset itself
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

func (g *fake) hello(damaged bool) {
	line := g.frame(wire.Record{Kind: wire.KindHello, Hello: &wire.Hello{
		Protocol: wire.Protocol, Arch: "amd64", Go: "go", Release: "0.0.0-fake", Probes: []string{"p"}}})
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

// observations is how many steps the fake's probe has.
const observations = 50

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
		for i := 0; i < observations; i++ {
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
func monitor() {
	conn, err := net.FileConn(os.NewFile(3, "monitor"))
	if err != nil {
		panic(err)
	}
	fmt.Fprintln(conn, `{"QMP": {"version": {}, "capabilities": []}}`)
	lines := bufio.NewScanner(conn)
	for lines.Scan() {
		var req struct {
			Execute string `json:"execute"`
			ID      int    `json:"id"`
		}
		if json.Unmarshal(lines.Bytes(), &req) != nil {
			continue
		}
		result := "{}"
		if strings.HasPrefix(req.Execute, "query-kvm") {
			result = `{"enabled": false, "present": true}`
		}
		fmt.Fprintf(conn, `{"event": "RESUME", "data": {}}`+"\n"+`{"return": %s, "id": %d}`+"\n", result, req.ID)
	}
}
