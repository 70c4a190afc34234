package defect

import (
	"regexp"
	"strings"
	"testing"
	"unicode"

	"github.com/mapstack/conformance/poc/abi"
)

// TestModelsAreComplete fails if a model has no proper name or sentence, or cannot
// be injected.
func TestModelsAreComplete(t *testing.T) {
	known := map[string]bool{"mmap": true, "munmap": true, "mprotect": true, "madvise": true,
		"clone": true, "clone3": true, "prctl": true, "personality": true, "prlimit64": true,
		"execve": true, "read": true, "write": true, "pwrite64": true, "sched_setattr": true, "sigaltstack": true}
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

// machine is a Program of root on a machine whose files are a map.
type machine struct {
	limit  uint64
	uid    uint32
	dead   int
	stack  bool // every address is in memory from MAP_STACK
	inside bool // inside a user namespace
	path   string
	text   string
	words  map[uint64]uint64
	files  map[string]string
	notes  map[string]uint64
}

func (m *machine) UID() uint32                   { return m.uid }
func (m *machine) Word(addr uint64) uint64       { return m.words[addr] }
func (m *machine) Store(addr, value uint64)      { m.words[addr] = value }
func (m *machine) Text(_, n uint64) string       { return m.text[:n] }
func (m *machine) SetText(_ uint64, text string) { m.text = text }
func (m *machine) OnStack(uint64) bool           { return m.stack }
func (m *machine) Path(uint64) string            { return m.path }
func (m *machine) SoftLimit(uint64) uint64       { return m.limit }
func (m *machine) SetSoftLimit(_, value uint64)  { m.limit = value }
func (m *machine) Dead() int                     { return m.dead }
func (m *machine) InUserNamespace() bool         { return m.inside }
func (m *machine) Notes() map[string]uint64      { return m.notes }
func (m *machine) File(path string) string       { return m.files[path] }
func (m *machine) Put(path, text string)         { m.files[path] = text }

// write returns a write call of the machine's program.
func (m *machine) write(text string) *Call {
	m.text = text
	c := &Call{Name: "write", Program: m}
	c.Kernel, _ = abi.Lookup("amd64")
	c.Args[size] = uint64(len(text))
	return c
}

// TestALoweredLimitIsOffByOneAndARaisedOneIsNot fails if a trial changes the
// machine for the next one: restoring a limit must give the original value.
func TestALoweredLimitIsOffByOneAndARaisedOneIsNot(t *testing.T) {
	const file = "/proc/sys/kernel/threads-max"
	for _, c := range []struct {
		path, text, file string
		put              bool
	}{
		{file, "99", "100", true},
		{file, "3900\n", "3900", false},
		{file, "5000", "3900", false},
		{"/proc/sys/kernel/pid_max", "99", "3900", false},
		{file, "max", "3900", false},
		{"pipe:[1]", "99", "3900", false},
	} {
		m := &machine{path: c.path, files: map[string]string{file: "3900", "/proc/sys/kernel/pid_max": "32768"}}
		model, _ := Lookup("threads-max-off-by-one")
		call := m.write(c.text)
		model.Act(call)
		if m.files[file] != c.file || call.Answered() != c.put {
			t.Errorf("%q to %s: %s is %s, answered %v", c.text, c.path, file, m.files[file], call.Answered())
		}
		if want := (Result{Value: uint64(len(c.text))}); c.put && (call.Args[size] != 0 || call.Finish(Result{}) != want) {
			t.Errorf("%q: %d bytes are written, and %+v told", c.text, call.Args[size], call.Finish(Result{}))
		}
	}
}

// TestARefusalIsFinalForOneProgram fails if the model forgets a refusal, or refuses
// a program that was never refused.
func TestARefusalIsFinalForOneProgram(t *testing.T) {
	k, _ := abi.Lookup("mips64le")
	model, _ := Lookup("refusal-is-final")
	m := &machine{notes: map[string]uint64{}}
	for _, step := range []struct {
		kernel, told string
	}{{"EAGAIN", "EAGAIN"}, {"", ""}, {"EINVAL", "EINVAL"}, {"ENOSPC", "ENOSPC"}, {"", "EAGAIN"}, {"EINVAL", "EAGAIN"}} {
		call := &Call{Name: "clone", Kernel: k, Program: m}
		model.Act(call)
		got := call.Finish(Result{Errno: errnoOf(k, step.kernel)})
		if got.Errno != errnoOf(k, step.told) {
			t.Errorf("%+v is told as errno %d", step, got.Errno)
		}
	}
}

func errnoOf(k abi.Table, name string) int {
	if name == "" {
		return 0
	}
	return k.Errno(name)
}

// TestEventsAreSilenced fails if the counter that a program reads is not cleared,
// or if another file loses its numbers.
func TestEventsAreSilenced(t *testing.T) {
	model, _ := Lookup("pids-events-silent")
	for path, want := range map[string]string{"/sys/fs/cgroup/a/pids.events": "max 00\n", "/sys/fs/cgroup/a/pids.current": "max 12\n"} {
		m := &machine{path: path}
		call := m.write("max 12\n")
		model.Act(call)
		if got := call.Finish(Result{Value: 7}); got.Value != 7 || m.text != want {
			t.Errorf("%s: %q", path, m.text)
		}
	}
}

// TestSignalStacksAreReadInBothLayouts fails if the flags of MIPS are taken for a
// size.
func TestSignalStacksAreReadInBothLayouts(t *testing.T) {
	for _, k := range abi.All() {
		m := &machine{words: map[uint64]uint64{0x1000: 0x2000, 0x1008: 0, 0x1010: 1500}}
		if k.SigStackSizeFirst {
			m.words[0x1008], m.words[0x1010] = 1500, 0
		}
		model, _ := Lookup("signal-stack-too-small")
		call := &Call{Name: "sigaltstack", Kernel: k, Program: m, Args: [6]uint64{0x1000}}
		model.Act(call)
		if got := call.Finish(Result{Errno: k.Errno("ENOMEM")}); got.Errno != 0 {
			t.Errorf("%s: a stack of 1500 bytes: errno %d", k.GOARCH, got.Errno)
		}
	}
}

// request returns an mmap call for four pages of private anonymous memory.
func request(k abi.Table, flag uint64) *Call {
	const page = 4096
	return &Call{
		Name: "mmap", Kernel: k, Page: page,
		Args:    [6]uint64{0, 4 * page, k.Prot.Read | k.Prot.Write, k.Map.Private | k.Map.Anonymous | flag, ^uint64(0), 0},
		Program: &machine{},
	}
}

// TestPlainMappingsPassEveryDefectOfStacks is the control of the injector. A call
// without MAP_STACK must give the same as without the defect.
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

// TestMarkedModelsAreAboutMappingsWithTheFlag fails if a program would not stop where its
// model changes something.
func TestMarkedModelsAreAboutMappingsWithTheFlag(t *testing.T) {
	for _, k := range abi.All() {
		for _, m := range Models() {
			if !m.Marked {
				continue
			}
			if len(m.Calls) != 1 || m.Calls[0] != "mmap" || m.Stacks {
				t.Fatalf("%s is about %q", m.Name, m.Calls)
			}
			for _, flags := range []uint64{0, k.Map.Anonymous, k.Map.NoReserve, k.Map.Fixed} {
				c := request(k, flags)
				before := c.Args
				m.Act(c)
				if c.Args != before || c.Answered() {
					t.Errorf("%s: %s changes a mapping with flags %#x", k.GOARCH, m.Name, flags)
				}
			}
		}
	}
}

// TestRefusalsCarryTheArchitecturesErrno fails if a MIPS kernel refuses with the
// generic number, which would be another defect.
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

// TestCloneFlagsAreFoundInEveryOrder fails if the stack argument of s390x is taken
// for the flags.
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
