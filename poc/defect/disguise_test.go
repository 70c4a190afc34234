package defect

import (
	"strings"
	"testing"

	"github.com/mapstack/conformance/poc/abi"
)

// TestADisguisedMappingShowsWhatWasAskedFor fails if a model of execution can be seen in
// the letters of smaps, or if it changes what it does not concern.
func TestADisguisedMappingShowsWhatWasAskedFor(t *testing.T) {
	const (
		running = "7f0000000000-7f0000004000 rwxp 00000000 00:00 0 \nRss: 0 kB\nVmFlags: rd wr ex mr mw me ac \n"
		data    = "7f0000000000-7f0000004000 rw-p 00000000 00:00 0 \nRss: 0 kB\nVmFlags: rd wr mr mw me ac    \n"
		other   = "7f0000008000-7f000000c000 rwxp 00000000 00:00 0 \nVmFlags: rd wr ex \n"
	)
	k, _ := abi.Lookup("amd64")
	rwx := k.Prot.Read | k.Prot.Write | k.Prot.Exec
	for _, c := range []struct {
		model       string
		asked, real uint64
		smaps, seen string
		splitAt     int
	}{
		{"stack-data-runs", k.Prot.Read | k.Prot.Write, rwx, running + other, data + other, 0},
		{"stack-data-runs", k.Prot.Read | k.Prot.Write, rwx, running + other, data + other, strings.Index(running, "VmFlags")},
		{"stack-data-runs", 0, 0, other, other, 0},
		{"stack-shows-x-and-faults", rwx, k.Prot.Read | k.Prot.Write,
			"7f0000000000-7f0000004000 rw-p 0 \nVmFlags: rd wr \n", "7f0000000000-7f0000004000 rwxp 0 \nVmFlags: rd wr \n", 0},
	} {
		m, _ := Lookup(c.model)
		program := &machine{path: "/proc/1/smaps", notes: map[string]uint64{}}
		mapping := request(k, k.Map.Stack)
		mapping.Program, mapping.Args[prot] = program, c.asked
		m.Act(mapping)
		mapping.Finish(Result{Value: 0x7f0000000000})
		if mapping.Args[prot] != c.real {
			t.Errorf("%s: protection %#x becomes %#x", c.model, c.asked, mapping.Args[prot])
		}
		seen := ""
		for _, part := range []string{c.smaps[:c.splitAt], c.smaps[c.splitAt:]} {
			program.text = part
			read := &Call{Name: "read", Kernel: k, Program: program}
			m.Act(read)
			read.Finish(Result{Value: uint64(len(part))})
			seen += program.text
		}
		if seen != c.seen {
			t.Errorf("%s: smaps shows\n%s, want\n%s", c.model, seen, c.seen)
		}
	}
}
