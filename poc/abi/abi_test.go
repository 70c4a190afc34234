package abi

import (
	"go/ast"
	"go/constant"
	"go/parser"
	"go/token"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestTablesAgreeWithXSys compares every constant with golang.org/x/sys/unix, which
// is generated from the kernel headers. One wrong digit would look like a kernel
// that refuses MAP_STACK.
func TestTablesAgreeWithXSys(t *testing.T) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "golang.org/x/sys").Output()
	if err != nil {
		t.Fatalf("find the source of golang.org/x/sys: %v", err)
	}
	unix := filepath.Join(strings.TrimSpace(string(out)), "unix")
	checked := 0
	for _, table := range All() {
		if table.GOARCH == "alpha" || table.GOARCH == "sw64" {
			continue // stock Go has no such port
		}
		want, wantErrno := map[string]uint64{}, map[string]uint64{}
		for _, pattern := range []string{"zerrors_linux.go", "zerrors_linux_ARCH.go", "zsysnum_linux_ARCH.go"} {
			readConstants(t, filepath.Join(unix, strings.Replace(pattern, "ARCH", table.GOARCH, 1)), want, wantErrno)
		}
		compared := 0
		for _, c := range table.named() {
			value, ok := want[c.Name]
			switch {
			case !ok && c.Value != 0 && !absentFromXSys(c.Name):
				t.Errorf("%s: x/sys does not define %s, the table says %#x", table.GOARCH, c.Name, c.Value)
			case ok && value != c.Value:
				t.Errorf("%s: %s is %#x in x/sys, %#x in the table", table.GOARCH, c.Name, value, c.Value)
			case ok:
				compared++
			}
		}
		for name, value := range wantErrno {
			// These are second names of EAGAIN, EOPNOTSUPP, EBADMSG and EUCLEAN.
			// EDEADLOCK is a second name of EDEADLK, except on mips and powerpc.
			switch name {
			case "EWOULDBLOCK", "ENOTSUP", "EFSBADCRC", "EFSCORRUPTED":
				continue
			case "EDEADLOCK":
				if value == wantErrno["EDEADLK"] {
					continue
				}
			}
			if table.Errno(name) != int(value) {
				t.Errorf("%s: %s is %d in x/sys, %d in the table", table.GOARCH, name, value, table.Errno(name))
			}
			compared++
		}
		for name := range table.errno {
			if _, ok := wantErrno[name]; !ok && name != "ENOTSUPP" {
				t.Errorf("%s: x/sys has no error %s", table.GOARCH, name)
			}
		}
		if compared < 180 {
			t.Errorf("%s: only %d constants are in both; the comparison proves nothing", table.GOARCH, compared)
		}
		checked++
	}
	if checked != 7 {
		t.Errorf("compared %d architectures, want 7", checked)
	}
}

// absentFromXSys reports whether x/sys leaves the name out on purpose or never had
// it.
func absentFromXSys(name string) bool {
	switch name {
	case "MAP_UNINITIALIZED", // only for kernels without an MMU
		"PROT_SEM", "PROT_SAO", // never generated
		"_NSIG":
		return true
	}
	return false
}

func (t Table) named() []Const {
	var all []Const
	for _, family := range [][]Const{
		t.Map.Named(), t.Prot.Named(), t.Madv.Named(), t.Mcl.Named(), t.Open.Named(), t.Rlimit.Named(), t.Signal.Named(), t.Syscall.Named(),
	} {
		all = append(all, family...)
	}
	return all
}

// readConstants adds the integer constants of one generated file to into, and its
// errors to errnos. Errors and signals are conversions there, such as
// syscall.Errno(0x23).
func readConstants(t *testing.T, path string, into, errnos map[string]uint64) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Names) != 1 || len(spec.Values) != 1 {
			return true
		}
		e, to := spec.Values[0], into
		if call, ok := e.(*ast.CallExpr); ok && len(call.Args) == 1 {
			f, ok := call.Fun.(*ast.SelectorExpr)
			switch {
			case ok && f.Sel.Name == "Errno":
				to = errnos
			case ok && f.Sel.Name == "Signal":
			default:
				return true
			}
			e = call.Args[0]
		}
		lit, ok := e.(*ast.BasicLit)
		if !ok || lit.Kind != token.INT {
			return true
		}
		if v, exact := constant.Uint64Val(constant.MakeFromLiteral(lit.Value, lit.Kind, 0)); exact {
			to[spec.Names[0].Name] = v
		}
		return true
	})
}

// TestErrnoNamesGoBothWays fails if two names share a number: a probe would report
// one error under the name of another.
func TestErrnoNamesGoBothWays(t *testing.T) {
	for _, table := range All() {
		for name := range table.errno {
			if got := table.ErrnoName(table.Errno(name)); got != name {
				t.Errorf("%s: %s is %d, and %d is %s", table.GOARCH, name, table.Errno(name), table.Errno(name), got)
			}
		}
		if got := table.ErrnoName(100000); got != "" {
			t.Errorf("%s: 100000 is called %s", table.GOARCH, got)
		}
	}
}

// TestAlphaNumbersAreNotGeneric pins the numbers that this project is about
// (semantics C.1 and C.2). No Go port exists to compare them with.
func TestAlphaNumbersAreNotGeneric(t *testing.T) {
	for _, goarch := range []string{"alpha", "sw64"} {
		table, ok := Lookup(goarch)
		if !ok {
			t.Fatalf("no table for %s", goarch)
		}
		for _, c := range []struct {
			name      string
			got, want uint64
		}{
			{"MAP_STACK", table.Map.Stack, 0x80000},
			{"MAP_POPULATE", table.Map.Populate, 0x20000},
			{"MAP_NONBLOCK", table.Map.NonBlock, 0x40000},
			{"MAP_ANONYMOUS", table.Map.Anonymous, 0x10},
			{"MAP_FIXED", table.Map.Fixed, 0x100},
			{"MAP_HUGETLB", table.Map.HugeTLB, 0x100000},
			{"MAP_SYNC", table.Map.Sync, 0},
			{"MADV_DONTNEED", table.Madv.DontNeed, 6},
			{"RLIMIT_NPROC", table.Rlimit.NProc, 8},
			{"RLIMIT_NOFILE", table.Rlimit.NoFile, 6},
			{"RLIMIT_AS", table.Rlimit.AS, 7},
			{"RLIM_INFINITY", table.Rlimit.Infinity, 0x7fffffffffffffff},
			{"EAGAIN", uint64(table.Errno("EAGAIN")), 35},
			{"EDEADLK", uint64(table.Errno("EDEADLK")), 11},
			{"ENOSYS", uint64(table.Errno("ENOSYS")), 78},
			{"EOPNOTSUPP", uint64(table.Errno("EOPNOTSUPP")), 45},
			{"SIGCHLD", table.Signal.Chld, 20},
			{"SYS_MMAP", table.Syscall.Mmap, 71},
			{"SYS_CLONE", table.Syscall.Clone, 312},
		} {
			if c.got != c.want {
				t.Errorf("%s: %s is %#x, want %#x", goarch, c.name, c.got, c.want)
			}
		}
	}
	if table, _ := Lookup("sw64"); table.Syscall.Clone3 != 282 || table.Syscall.PidfdOpen != 281 {
		t.Errorf("sw64: clone3 is %d, pidfd_open %d; want 282, 281", table.Syscall.Clone3, table.Syscall.PidfdOpen)
	}
}

// TestFlagsOfOneArchitectureDoNotOverlap fails if two flags were given the same
// number.
func TestFlagsOfOneArchitectureDoNotOverlap(t *testing.T) {
	for _, table := range All() {
		seen := map[uint64]string{}
		for _, c := range table.Map.Named() {
			if c.Value == 0 || c.Value <= table.Map.Type || c.Name == "MAP_HUGE_SHIFT" {
				continue
			}
			if other, dup := seen[c.Value]; dup {
				t.Errorf("%s: %s and %s are both %#x", table.GOARCH, other, c.Name, c.Value)
			}
			seen[c.Value] = c.Name
			if c.Value&(c.Value-1) != 0 {
				t.Errorf("%s: %s is %#x, which is not one bit", table.GOARCH, c.Name, c.Value)
			}
		}
	}
}

// TestTablesAreComplete fails if a new table leaves a field empty.
func TestTablesAreComplete(t *testing.T) {
	for _, table := range All() {
		for _, family := range [][]Const{table.Mcl.Named(), table.Open.Named(), table.Rlimit.Named(), table.Signal.Named()} {
			for _, c := range family {
				if c.Value == 0 {
					t.Errorf("%s: %s is not set", table.GOARCH, c.Name)
				}
			}
		}
		var seen [5]bool
		for _, a := range table.CloneOrder {
			seen[a] = true
		}
		if seen != [5]bool{true, true, true, true, true} {
			t.Errorf("%s: an argument of clone is missing from %v", table.GOARCH, table.CloneOrder)
		}
		if table.MinSigStack < 2048 {
			t.Errorf("%s: the smallest signal stack is %d bytes", table.GOARCH, table.MinSigStack)
		}
		if got, ok := Lookup(table.GOARCH); !ok || got.GOARCH != table.GOARCH {
			t.Errorf("Lookup(%q) does not find the table", table.GOARCH)
		}
	}
	if _, ok := Lookup("vax"); ok {
		t.Error("Lookup finds a table for an architecture that has none")
	}
}
