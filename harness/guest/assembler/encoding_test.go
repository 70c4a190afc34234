package assembler

import (
	"bytes"
	"encoding/binary"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/arch/arm64/arm64asm"
	"golang.org/x/arch/loong64/loong64asm"
	"golang.org/x/arch/x86/x86asm"
)

var update = flag.Bool("update", false, "rewrite the golden files; read them as a person who knows the instruction set before you commit them")

// written is an operation and its encoding.
type written struct {
	what string
	code []byte
}

// everything returns the encoding of each operation of the assembler. The registers
// use every bit of their fields, and the numbers are the ends of their ranges.
func everything(t *testing.T, e encoder) []written {
	t.Helper()
	r := e.registers()
	var all []written
	note := func(what string, code []byte) { all = append(all, written{what, code}) }
	for i, v := range r.v {
		note(fmt.Sprintf("v%d = v%d", i, (i+1)%6), e.move(v, r.v[(i+1)%6]))
		note(fmt.Sprintf("v%d = 8 bytes at v%d+2040", i, (i+2)%6), e.load(8, v, r.v[(i+2)%6], 2040))
		note(fmt.Sprintf("v%d = 1 byte at v%d+2", i, (i+2)%6), e.load(1, v, r.v[(i+2)%6], 2))
		note(fmt.Sprintf("8 bytes at v%d+8 = v%d", (i+3)%6, i), e.store(8, v, r.v[(i+3)%6], 8))
		note(fmt.Sprintf("1 byte at v%d = v%d", (i+3)%6, i), e.store(1, v, r.v[(i+3)%6], 0))
	}
	for i, a := range r.args {
		note(fmt.Sprintf("argument %d = 8 bytes there", i), e.load(8, a, a, 0))
		note(fmt.Sprintf("argument %d = %d", i, i), e.immediate(a, uint64(i)))
	}
	note("number = 0x123", e.immediate(r.number, 0x123))
	for _, n := range []uint64{0, 1, 0x7fff, 0x8000, 0x7fffffff, 0x80000000, 0x123456789abcdef0, 0x8000800080008000, ^uint64(0)} {
		note(fmt.Sprintf("v5 = %#x", n), e.immediate(r.v[5], n))
	}
	for op, name := range []string{add: "+", sub: "-", and: "&", or: "|", xor: "^"} {
		note("v0 = v5 "+name+" temp", e.binary(operation(op), r.v[0], r.v[5], r.temp))
		note("v1 = v2 "+name+" v1", e.binary(operation(op), r.v[1], r.v[2], r.v[1]))
	}
	for _, n := range []int{1, -1, 16, 2047, -2047} {
		note(fmt.Sprintf("v3 = v4 + %d", n), e.increment(r.v[3], r.v[4], n))
	}
	for _, n := range []uint{1, 8, 31, 32, 60, 63} {
		note(fmt.Sprintf("v3 = v4 << %d", n), e.shift(true, r.v[3], r.v[4], n))
		note(fmt.Sprintf("v3 = v4 >> %d", n), e.shift(false, r.v[3], r.v[4], n))
	}
	jumps := func(what string, code []byte, tail int) {
		for _, forwards := range []int{0x100, -0x100} {
			whole := append(make([]byte, 0x200), code...)
			if err := e.resolve(whole, len(whole)-tail, 0x200+forwards); err != nil {
				t.Fatal(err)
			}
			note(fmt.Sprintf("%s, %+#x from here", what, forwards), whole[0x200:])
		}
	}
	for c, name := range []string{equal: "==", notEqual: "!=", below: "<", aboveEqual: ">="} {
		code, tail := e.branch(condition(c), r.v[1], r.v[4])
		jumps("go if v1 "+name+" v4", code, tail)
	}
	code, tail := e.jump()
	jumps("go", code, tail)
	code, tail = e.call()
	jumps("call", code, tail)
	note("enter", e.enter())
	note("leave", e.leave())
	note("v2 = stack pointer", e.stack(r.v[2]))
	note("v2 = system call", e.trap(r.v[2]))
	return all
}

// disassembler returns the instructions of a piece of code as text.
type disassembler func(t *testing.T, code []byte) []string

func decodeAll(t *testing.T, code []byte, decode func([]byte) (string, int, error)) []string {
	t.Helper()
	var lines []string
	for len(code) > 0 {
		text, n, err := decode(code)
		if err != nil {
			t.Errorf("% x is no instruction: %v", code[:min(len(code), 8)], err)
			return lines
		}
		lines, code = append(lines, text), code[n:]
	}
	return lines
}

func disassembleAMD64(t *testing.T, code []byte) []string {
	return decodeAll(t, code, func(b []byte) (string, int, error) {
		i, err := x86asm.Decode(b, 64)
		if err == nil && i.Op == 0 {
			err = fmt.Errorf("no operation")
		}
		return x86asm.IntelSyntax(i, 0, nil), i.Len, err
	})
}

func disassembleARM64(t *testing.T, code []byte) []string {
	return decodeAll(t, code, func(b []byte) (string, int, error) {
		i, err := arm64asm.Decode(b)
		return arm64asm.GNUSyntax(i), 4, err
	})
}

func disassembleLoong64(t *testing.T, code []byte) []string {
	return decodeAll(t, code, func(b []byte) (string, int, error) {
		i, err := loong64asm.Decode(b)
		return loong64asm.GNUSyntax(i), 4, err
	})
}

// objdump returns the disassembler of a GNU program such as
// aarch64-linux-gnu-objdump.
func objdump(program string, options ...string) disassembler {
	return func(t *testing.T, code []byte) []string {
		path, err := exec.LookPath(program)
		if err != nil {
			t.Skipf("not run: %v; install Debian's binutils for the architecture", err)
		}
		file := filepath.Join(t.TempDir(), "code")
		if err := os.WriteFile(file, code, 0o600); err != nil {
			t.Fatal(err)
		}
		args := append([]string{"-D", "-b", "binary", "-EL", "-z"}, options...)
		out, err := exec.CommandContext(t.Context(), path, append(args, file)...).Output()
		if err != nil {
			t.Fatal(err)
		}
		var lines []string
		for line := range strings.Lines(string(out)) {
			// A line is " 0: 80 1f 5f 20 lda ...".
			if fields := strings.SplitN(strings.TrimSpace(line), "\t", 3); len(fields) == 3 && strings.HasSuffix(fields[0], ":") {
				lines = append(lines, strings.Join(strings.Fields(fields[2]), " "))
			}
		}
		return lines
	}
}

func disassemblers() map[string]disassembler {
	return map[string]disassembler{
		"amd64": disassembleAMD64, "arm64": disassembleARM64, "loong64": disassembleLoong64,
		"alpha": objdump("alpha-linux-gnu-objdump", "-m", "alpha:ev6"),
		"mips64le": objdump("mips64el-linux-gnuabi64-objdump", "-m", "mips:isa64r2",
			"-M", "no-aliases,gpr-names=numeric"),
	}
}

// TestOperationsAreTheInstructionsTheyShouldBe compares each operation with what an
// independent disassembler makes of its bytes. The golden files were checked by
// hand against the assembler's comments.
func TestOperationsAreTheInstructionsTheyShouldBe(t *testing.T) {
	for name, m := range machines() {
		t.Run(name, func(t *testing.T) {
			disassemble, ok := disassemblers()[name]
			if !ok {
				if name != "sw64" {
					t.Fatal("nothing checks this architecture")
				}
				return // TestSW64IsWhatItsEmulatorDecodes checks it
			}
			var code []byte
			all := everything(t, m.encoder)
			for _, w := range all {
				code = append(code, w.code...)
			}
			// objdump is a process, so one call disassembles all code. The lines are
			// then assigned to operations by the length of their code.
			lines := disassemble(t, code)
			var b strings.Builder
			for _, w := range all {
				fmt.Fprintf(&b, "%s\n", w.what)
				count := len(w.code) / 4
				if name == "amd64" {
					count = len(disassemble(t, w.code))
				}
				for _, line := range lines[:count] {
					fmt.Fprintf(&b, "\t%s\n", line)
				}
				lines = lines[count:]
			}
			if len(lines) > 0 {
				t.Errorf("%d instructions too many: %q", len(lines), lines[0])
			}
			golden(t, name, b.String())
		})
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != got {
		t.Errorf("%s differs; got:\n%s", file, got)
	}
}

// TestSW64IsWhatItsEmulatorDecodes checks sw64, which no disassembler knows. The
// words were put together by hand from translate_one and gen_op_l in
// target/sw64/translate.c of openEuler's QEMU 6.2. The opcode is in bits 31 to 26,
// ra in 25 to 21. rb is in 20 to 16, or a literal of eight bits from 13. The
// function starts at bit 5; rc or 16 bits of displacement are at the end.
func TestSW64IsWhatItsEmulatorDecodes(t *testing.T) {
	m := alpha{isaSW64}
	jump, tail := m.jump()
	call, _ := m.call()
	less, _ := m.branch(below, 9, 10)
	same, _ := m.branch(equal, 9, 10)
	if tail != 0 {
		t.Errorf("%d bytes behind a jump", tail)
	}
	for _, c := range []struct {
		what string
		got  []byte
		want []uint32
	}{
		// bis is opcode 0x10, function 0x3a: 0x10<<26 | 10<<21 | 31<<16 | 0x3a<<5 | 9.
		{"bis $10,$31,$9", m.move(9, 10), []uint32{0x415f0749}},
		{"addl $9,$10,$11", m.binary(add, 11, 9, 10), []uint32{0x412a010b}},
		{"subl $9,$10,$11", m.binary(sub, 11, 9, 10), []uint32{0x412a012b}},
		{"and $9,$10,$11", m.binary(and, 11, 9, 10), []uint32{0x412a070b}},
		{"bis $9,$10,$11", m.binary(or, 11, 9, 10), []uint32{0x412a074b}},
		{"xor $9,$10,$11", m.binary(xor, 11, 9, 10), []uint32{0x412a078b}},
		// The form with a literal of eight bits has opcode 0x12.
		{"sll $9,32,$10", m.shift(true, 10, 9, 32), []uint32{0x4924090a}},
		{"srl $9,60,$10", m.shift(false, 10, 9, 60), []uint32{0x4927892a}},
		{"ldi $9,-1($10)", m.increment(9, 10, -1), []uint32{0xf92affff}},
		{"ldbu $9,2($10)", m.load(1, 9, 10, 2), []uint32{0x812a0002}},
		{"ldl $9,8($10)", m.load(8, 9, 10, 8), []uint32{0x8d2a0008}},
		{"stb $9,2($10)", m.store(1, 9, 10, 2), []uint32{0xa12a0002}},
		{"stl $9,8($10)", m.store(8, 9, 10, 8), []uint32{0xad2a0008}},
		{"cmpult $9,$10,$1; bne $1", less, []uint32{0x412a0561, 0xc4200000}},
		{"cmpeq $9,$10,$1; bne $1", same, []uint32{0x412a0501, 0xc4200000}},
		{"br $31", jump, []uint32{0x13e00000}},
		{"bsr $26", call, []uint32{0x17400000}},
		{"ldl $26,0($30); ldi $30,16($30); ret $31,($26)", m.leave(), []uint32{0x8f5e0000, 0xfbde0010, 0x0bfa0001}},
		{"sys_call 0x83; beq $19,1; subl $31,$0,$0; bis $0,$31,$9", m.trap(9), []uint32{0x00000083, 0xc2600001, 0x43e00120, 0x401f0749}},
		{"ldih $9,0($31); ldi $9,1($9); sll $9,32,$9; ldih $9,0x2100($9); ldi $9,8($9)", m.immediate(9, 0x121000008),
			[]uint32{0xfd3f0000, 0xf9290001, 0x49240909, 0xfd292100, 0xf9290008}},
	} {
		if want := words32(c.want...); !bytes.Equal(c.got, want) {
			t.Errorf("%s is % x, want % x", c.what, c.got, want)
		}
	}
}

// TestALongBranchIsRefused fails if a distance that does not fit is truncated.
func TestALongBranchIsRefused(t *testing.T) {
	for name, m := range machines() {
		if name == "amd64" {
			continue // its distances have 32 bits
		}
		code, tail := m.encoder.branch(equal, m.encoder.registers().v[0], m.encoder.registers().v[1])
		if err := m.encoder.resolve(bytes.Clone(code), len(code)-tail, 4<<21); err == nil {
			t.Errorf("%s branches over 8 MiB", name)
		}
	}
}

// TestTheWholeProgramIsInstructions fails if the code contains data or half an
// instruction.
func TestTheWholeProgramIsInstructions(t *testing.T) {
	for name, disassemble := range disassemblers() {
		t.Run(name, func(t *testing.T) {
			program, err := Program(name)
			if err != nil {
				t.Fatal(err)
			}
			size := binary.LittleEndian.Uint64(program[64+32:]) // p_filesz of the first segment
			start := binary.LittleEndian.Uint64(program[24:]) - codeBase
			lines := disassemble(t, program[start:size])
			if len(lines) < 1000 {
				t.Errorf("%d instructions", len(lines))
			}
			for _, line := range lines {
				if strings.Contains(line, ".word") || strings.Contains(line, ".long") || strings.HasPrefix(line, "0x") {
					t.Errorf("%q is no instruction", line)
				}
			}
		})
	}
}
