package defect

import (
	"regexp"
	"strings"
	"testing"
	"unicode"

	"github.com/mapstack/conformance/poc/abi"
)

// TestModelsAreComplete fails if a model could not be named, read or injected.
func TestModelsAreComplete(t *testing.T) {
	known := map[string]bool{"mmap": true, "munmap": true, "mprotect": true, "madvise": true,
		"clone": true, "clone3": true, "prctl": true, "personality": true, "prlimit64": true}
	names, sentences := map[string]bool{}, map[string]bool{}
	name := regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
	models := Models()
	if len(models) < 20 {
		t.Errorf("%d models", len(models))
	}
	for _, m := range models {
		if !name.MatchString(m.Name) || names[m.Name] {
			t.Errorf("name %q", m.Name)
		}
		names[m.Name] = true
		if sentences[m.English] || !strings.HasSuffix(m.English, ".") || strings.Contains(m.English, "\n") {
			t.Errorf("%s: %q", m.Name, m.English)
		}
		sentences[m.English] = true
		if strings.IndexFunc(m.Chinese, func(r rune) bool { return unicode.Is(unicode.Han, r) }) < 0 {
			t.Errorf("%s: no Chinese in %q", m.Name, m.Chinese)
		}
		if m.Act == nil || len(m.Calls) == 0 {
			t.Errorf("%s does nothing", m.Name)
		}
		for _, c := range m.Calls {
			if !known[c] {
				t.Errorf("%s: no call is named %q", m.Name, c)
			}
		}
		served := false
		for _, k := range abi.All() {
			served = served || m.Why(Target{GOARCH: k.GOARCH, MarksStacks: true}) == ""
		}
		if !served {
			t.Errorf("%s means nothing anywhere", m.Name)
		}
		if found, ok := Lookup(m.Name); !ok || found.English != m.English {
			t.Errorf("%s is not found by its name", m.Name)
		}
	}
}

// request is a call of mmap for four pages of private anonymous memory.
func request(k abi.Table, flag uint64) *Call {
	const page = 4096
	return &Call{
		Name: "mmap", Kernel: k, Page: page,
		Args: [6]uint64{0, 4 * page, k.Prot.Read | k.Prot.Write, k.Map.Private | k.Map.Anonymous | flag, ^uint64(0), 0},
		UID:  func() uint32 { return 0 }, Word: func(uint64) uint64 { return 0 },
	}
}

// TestPlainMappingsPassEveryDefectOfStacks is the control of the injector: what
// does not ask for MAP_STACK must be what it is without the defect.
func TestPlainMappingsPassEveryDefectOfStacks(t *testing.T) {
	for _, k := range abi.All() {
		for _, m := range stacks() {
			if m.Name == "stack-on-all" || m.Calls[0] != "mmap" {
				continue
			}
			c := request(k, 0)
			before := c.Args
			m.Act(c)
			if c.Args != before || c.Answered() {
				t.Errorf("%s: %s changes a plain mapping", k.GOARCH, m.Name)
			}
		}
	}
}

// TestRefusalsCarryTheArchitecturesErrno fails if a MIPS kernel were made to
// refuse with a generic number, which would be another defect.
func TestRefusalsCarryTheArchitecturesErrno(t *testing.T) {
	for _, k := range abi.All() {
		for name, errno := range map[string]string{
			"stack-eperm": "EPERM", "stack-einval": "EINVAL", "stack-eopnotsupp": "EOPNOTSUPP", "stack-enomem": "ENOMEM",
		} {
			m, _ := Lookup(name)
			c := request(k, k.Map.Stack)
			m.Act(c)
			if got := c.Finish(Result{Value: 0x1000}); got.Errno != k.Errno(errno) || got.Errno == 0 {
				t.Errorf("%s: %s gives %+v, want %s", k.GOARCH, name, got, errno)
			}
			if c.Args[length] != 0 {
				t.Errorf("%s: %s lets the kernel map", k.GOARCH, name)
			}
		}
	}
}

func TestArgumentsBecomeWhatTheModelSays(t *testing.T) {
	k, _ := abi.Lookup("mips64le")
	for _, c := range []struct {
		model string
		flag  uint64
		at    uint64
		check func(c *Call) bool
	}{
		{"stack-read-only", k.Map.Stack, 0, func(c *Call) bool { return c.Args[prot] == k.Prot.Read }},
		{"stack-populated", k.Map.Stack, 0, func(c *Call) bool { return c.has(k.Map.Populate) && c.stack() }},
		{"noreplace-clobbers", k.Map.FixedNoReplace, 0x10000, func(c *Call) bool { return c.has(k.Map.Fixed) && !c.has(k.Map.FixedNoReplace) }},
		{"fixed-is-hint", k.Map.Fixed, 0x10000, func(c *Call) bool { return !c.has(k.Map.Fixed) }},
		{"fixed-rounds", k.Map.Fixed, 0x10000, func(c *Call) bool { return c.has(k.Map.Fixed) }},
		{"fixed-rounds", k.Map.Fixed, 0x10001, func(c *Call) bool { return !c.has(k.Map.Fixed) }},
		{"fixed-keeps-content", k.Map.Fixed, 0x10000, func(c *Call) bool { return c.Finish(Result{Errno: 22}) == Result{Value: 0x10000} }},
		{"numbers-of-alpha", 0x20000, 0, func(c *Call) bool { return c.has(k.Map.Populate) && !c.has(k.Map.NonBlock) }},
		{"numbers-of-alpha", 0x80000, 0, func(c *Call) bool { return c.stack() && !c.has(k.Map.HugeTLB) }},
		{"hint-is-fixed", 0, 0x10000, func(c *Call) bool { return c.has(k.Map.Fixed) }},
		{"hint-is-fixed", 0, 0, func(c *Call) bool { return !c.has(k.Map.Fixed) }},
		{"huge-length-einval", 0, 0, func(c *Call) bool {
			return c.Finish(Result{Errno: 12}).Errno == 22 && c.Finish(Result{Value: 1}).Value == 1
		}},
	} {
		m, ok := Lookup(c.model)
		if !ok {
			t.Fatal(c.model)
		}
		call := request(k, c.flag)
		call.Args[addr] = c.at
		m.Act(call)
		if !c.check(call) {
			t.Errorf("%s of %#x at %#x: %#x", c.model, c.flag, c.at, call.Args)
		}
	}
}

// TestCloneFlagsAreFoundInEveryOrder fails if s390x's stack is taken for flags.
func TestCloneFlagsAreFoundInEveryOrder(t *testing.T) {
	m, _ := Lookup("sighand-unchecked")
	for _, k := range abi.All() {
		for _, word := range []uint64{cloneSighand, cloneSighand | cloneVM} {
			c := &Call{Name: "clone", Kernel: k}
			c.Args[c.place(abi.CloneFlags)] = word
			m.Act(c)
			want := k.Errno("EINVAL")
			if word == cloneSighand {
				want = k.Errno("EAGAIN")
			}
			if got := c.Finish(Result{Errno: k.Errno("EINVAL")}).Errno; got != want {
				t.Errorf("%s: flags %#x end with %d, want %d", k.GOARCH, word, got, want)
			}
		}
	}
}
