package filter

import (
	"encoding/binary"
	"testing"

	"github.com/mapstack/conformance/poc/trace"
)

const denied = trace.Error | 1

// thread is a call of clone on amd64 with these flags.
func thread(flags uint64) Call { return Call{Number: 56, Arch: 0xc000003e, Args: [6]uint64{flags}} }

// onThreads refuses clone on amd64 when its flags have CLONE_THREAD. Like the profiles
// of container runtimes it looks at one word of an argument, which begins at low.
func onThreads(low uint32) []trace.Instruction {
	return []trace.Instruction{
		{Code: trace.LoadWord, K: 4},
		{Code: trace.JumpEqual, JF: 4, K: 0xc000003e}, // AUDIT_ARCH_X86_64,
		{Code: trace.LoadWord, K: 0},
		{Code: trace.JumpEqual, JF: 2, K: 56},
		{Code: trace.LoadWord, K: low},
		{Code: 0x45, JT: 1, K: 0x10000}, // JSET
		{Code: trace.GiveBack, K: trace.Allow},
		{Code: trace.GiveBack, K: denied},
	}
}

// TestAFilterIsBlamedForItsOwnCallsOnly fails if a limit is taken for a filter, or a
// filter for a limit.
func TestAFilterIsBlamedForItsOwnCallsOnly(t *testing.T) {
	for _, c := range []struct {
		name  string
		call  Call
		order binary.ByteOrder
		low   uint32 // where the lower half of the first argument is
		want  int
	}{
		{"a thread", thread(0x50f00), binary.LittleEndian, 16, 1},
		{"a process", thread(0x4111), binary.LittleEndian, 16, 0},
		{"another call", Call{Number: 57, Arch: 0xc000003e, Args: [6]uint64{0x50f00}}, binary.LittleEndian, 16, 0},
		{"another architecture", Call{Number: 56, Arch: 3, Args: [6]uint64{0x50f00}}, binary.LittleEndian, 16, 0},
		{"big-endian", thread(0x50f00), binary.BigEndian, 20, 1},
		{"big-endian, the upper half", thread(0x50f00), binary.BigEndian, 16, 0},
	} {
		got, err := Decide([][]trace.Instruction{onThreads(c.low)}, c.call, c.order)
		if err != nil || got.Errno() != c.want {
			t.Errorf("%s: %#x, %v, want errno %d", c.name, got, err, c.want)
		}
	}
}

func TestTheStrictestFilterWins(t *testing.T) {
	give := func(a uint32) []trace.Instruction { return []trace.Instruction{{Code: trace.GiveBack, K: a}} }
	for _, c := range []struct {
		answers []uint32
		want    Answer
	}{
		{nil, trace.Allow},
		{[]uint32{trace.Allow, denied}, denied},
		{[]uint32{denied, trace.Ask}, denied},
		{[]uint32{denied, KillProcess, KillThread}, KillProcess},
		{[]uint32{Trap, KillThread}, KillThread},
		{[]uint32{trace.Error | 11, trace.Error | 1}, trace.Error | 11},
		{[]uint32{trace.Error | 5000}, trace.Error | 5000},
	} {
		var filters [][]trace.Instruction
		for _, a := range c.answers {
			filters = append(filters, give(a))
		}
		if got, err := Decide(filters, Call{}, binary.LittleEndian); err != nil || got != c.want {
			t.Errorf("%#x: %#x, %v, want %#x", c.answers, got, err, c.want)
		}
	}
	if got := Answer(trace.Error | 5000).Errno(); got != 4095 {
		t.Errorf("an errno above the kernel's range is %d", got)
	}
}

// TestEveryInstructionIsRun fails if an instruction does not do what it does in the
// kernel. Each program returns 7.
func TestEveryInstructionIsRun(t *testing.T) {
	const loadA, loadX, back = 0x00, 0x01, 0x16
	i := func(code uint16, k uint32) trace.Instruction { return trace.Instruction{Code: code, K: k} }
	for name, program := range map[string][]trace.Instruction{
		"add":    {i(loadA, 3), i(0x04, 4), i(back, 0)},
		"sub x":  {i(loadX, 2), i(loadA, 9), i(0x1c, 0), i(back, 0)},
		"mul":    {i(loadA, 7), i(0x24, 1), i(back, 0)},
		"div":    {i(loadA, 15), i(0x34, 2), i(back, 0)},
		"or":     {i(loadA, 3), i(0x44, 4), i(back, 0)},
		"and":    {i(loadA, 15), i(0x54, 7), i(back, 0)},
		"shift":  {i(loadA, 14), i(0x64, 1), i(0x74, 2), i(back, 0)},
		"neg":    {i(loadA, -7&0xffffffff), i(0x84, 0), i(back, 0)},
		"xor":    {i(loadA, 5), i(0xa4, 2), i(back, 0)},
		"store":  {i(loadA, 7), i(0x02, 3), i(loadA, 0), i(0x60, 3), i(back, 0)},
		"tax":    {i(loadA, 7), i(0x07, 0), i(loadA, 0), i(0x87, 0), i(back, 0)},
		"length": {i(0x80, 0), i(0x14, size-7), i(back, 0)},
		"jump":   {i(loadA, 7), i(0x05, 1), i(loadA, 1), i(back, 0)},
		"jge":    {i(loadA, 7), {Code: 0x35, JF: 1, K: 7}, i(back, 0), i(0x06, 1)},
		"jgt":    {i(loadA, 7), {Code: 0x25, JT: 1, K: 7}, i(back, 0), i(0x06, 1)},
	} {
		if got, err := Run(program, Call{}, binary.LittleEndian); err != nil || got != 7 {
			t.Errorf("%s: %d, %v", name, got, err)
		}
	}
}

func TestWhatIsNoFilterIsRefused(t *testing.T) {
	i := func(code uint16, k uint32) []trace.Instruction { return []trace.Instruction{{Code: code, K: k}} }
	for name, program := range map[string][]trace.Instruction{
		"empty": nil, "load": i(trace.LoadWord, 62), "odd load": i(trace.LoadWord, 2), "memory": i(0x60, 16),
		"store": i(0x02, 16), "zero": i(0x34, 0), "jump": i(0x05, 0xffffffff), "code": i(0xb4, 0), "byte": i(0x85, 1),
	} {
		if got, err := Run(program, Call{}, binary.LittleEndian); err == nil {
			t.Errorf("%s: %#x", name, got)
		}
	}
}

// FuzzRun fails if a filter crashes or hangs the diagnosis.
func FuzzRun(f *testing.F) {
	f.Add([]byte{0x20, 0, 0, 0, 0, 0, 0, 0, 6, 0, 0, 0, 1, 0, 5, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		var program []trace.Instruction
		for ; len(b) >= 8; b = b[8:] {
			program = append(program, trace.Instruction{
				Code: binary.LittleEndian.Uint16(b), JT: b[2], JF: b[3], K: binary.LittleEndian.Uint32(b[4:]),
			})
		}
		_, _ = Run(program, thread(0x50f00), binary.LittleEndian)
	})
}
