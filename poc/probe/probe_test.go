package probe

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mapstack/conformance/poc/sys"
	"github.com/mapstack/conformance/poc/wire"
)

// TestMain lets this test binary act as a child that a probe starts. With
// PROBE_TEST it is a whole probe.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == childFlag || os.Getenv("PROBE_TEST") != "" {
		Run(testProbe, map[string]func(*P){
			"speak": func(p *P) {
				p.Observe("said").Set("args", strings.Join(p.Args, ",")).Set("uid", os.Getuid()).Emit()
			},
			"segv": func(p *P) { *at(p.Page) = 1 },
			"die":  func(p *P) { _ = syscall.Kill(os.Getpid(), syscall.SIGKILL); select {} },
			"hang": func(p *P) {
				// A grandchild that holds the pipes must not block the probe.
				cmd := exec.Command("/proc/self/exe", childFlag, "sleep")
				cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
				_ = cmd.Start()
				_ = cmd.Wait()
			},
			"sleep": func(*P) { time.Sleep(time.Hour) },
			"lie": func(p *P) {
				fmt.Println("no observation")
				p.Observe("truth").Emit()
				fmt.Println(`{"call":"without a step"}`)
				fmt.Println(strings.Repeat("x", maxChildLine+1))
				fmt.Fprint(os.Stderr, strings.Repeat("y", 1<<20))
			},
		})
	}
	os.Exit(m.Run())
}

func testProbe(p *P) {
	p.Observe("first").Set("args", len(p.Args)).Emit()
	p.Observe("second").Unknown("why", "because").Emit()
}

// recorder returns a P that keeps its observations.
func recorder(t *testing.T) (*P, *[]wire.Observation) {
	t.Helper()
	p, err := start(os.Stdout)
	if err != nil {
		t.Fatal(err)
	}
	var got []wire.Observation
	p.emit = func(o wire.Observation) { got = append(got, o) }
	return p, &got
}

func TestEveryLineIsOneObservation(t *testing.T) {
	cmd := exec.Command("/proc/self/exe", "one", "two")
	cmd.Env = append(os.Environ(), "PROBE_TEST=1")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
	if len(lines) != 2 {
		t.Fatalf("%d lines: %q", len(lines), out)
	}
	var first, second wire.Observation
	if err := json.Unmarshal([]byte(lines[0]), &first); err != nil || first.Step != "first" || first.Values["args"] != "2" {
		t.Errorf("%s, %v", lines[0], err)
	}
	if err := json.Unmarshal([]byte(lines[1]), &second); err != nil || second.Unknown["why"] != "because" || second.Values != nil {
		t.Errorf("%s, %v", lines[1], err)
	}
}

// TestTouchTellsFaultFromSuccess fails if a fault kills the probe, or if an access
// that did not happen is reported as ok.
func TestTouchTellsFaultFromSuccess(t *testing.T) {
	p, got := recorder(t)
	k := p.Kernel
	o := p.Observe("step")
	addr, ok := o.Mmap(0, 4*p.Page, k.Prot.Read|k.Prot.Write, k.Map.Private|k.Map.Anonymous, -1, 0)
	if !ok {
		t.Fatalf("%+v", o.o)
	}
	o.Resident("before", addr, 4).Store("rw", addr).Byte("byte", addr).Byte("zero", addr+p.Page).Resident("after", addr, 4)
	k.Mprotect(addr, p.Page, k.Prot.Read)
	o.Read("r.read", addr).Write("r.write", addr)
	k.Mprotect(addr, p.Page, 0)
	o.Read("none.read", addr).Write("none.write", addr).Store("none.store", addr).Byte("none.byte", addr)
	k.Munmap(addr, 4*p.Page)
	o.Read("unmapped", addr).Read("null", 0).Resident("unmapped.resident", addr, 4)
	o.Emit()
	for key, want := range map[string]string{
		"before": "0", "rw": "ok", "byte": "165", "zero": "0", "after": "2",
		"r.read": "ok", "r.write": "fault",
		"none.read": "fault", "none.write": "fault", "none.store": "fault", "none.byte": "fault",
		"unmapped": "fault", "null": "fault",
	} {
		if have := (*got)[0].Values[key]; have != want {
			t.Errorf("%s: %q, want %q", key, have, want)
		}
	}
	if why := (*got)[0].Unknown["unmapped.resident"]; !strings.Contains(why, "ENOMEM") {
		t.Errorf("residency of unmapped pages: %+v", (*got)[0])
	}
}

// TestVMADescribesTheMapping fails if flags of a neighbour are reported for the
// mapping in question.
func TestVMADescribesTheMapping(t *testing.T) {
	p, got := recorder(t)
	k := p.Kernel
	o := p.Observe("step")
	addr, _ := o.Mmap(0, 3*p.Page, 0, k.Map.Private|k.Map.Anonymous, -1, 0)
	k.Mprotect(addr+p.Page, p.Page, k.Prot.Read)
	o.VMA("in.", addr+p.Page+p.Page/2)
	k.Munmap(addr, 3*p.Page)
	o.VMA("out.", addr+p.Page).Emit()
	v := (*got)[0].Values
	if v["in.mapped"] != "true" || v["in.perms"] != "r--p" || v["in.name"] != "" ||
		v["in.start"] != fmt.Sprintf("%#x", addr+p.Page) || v["in.end"] != fmt.Sprintf("%#x", addr+2*p.Page) {
		t.Errorf("%v", v)
	}
	if flags := v["in.vmflags"]; !strings.Contains(" "+flags+" ", " rd ") || strings.Contains(" "+flags+" ", " wr ") {
		t.Errorf("VmFlags of a read-only mapping: %q", flags)
	}
	if v["out.mapped"] != "false" || v["out.perms"] != "" {
		t.Errorf("%v", v)
	}
}

func TestFailedCallsKeepTheRawErrno(t *testing.T) {
	p, got := recorder(t)
	o := p.Observe("step")
	if _, ok := o.Mmap(1, p.Page, 0, p.Kernel.Map.Fixed|p.Kernel.Map.Private|p.Kernel.Map.Anonymous, -1, 0); ok {
		t.Fatal("an unaligned fixed mapping succeeds")
	}
	o.Emit()
	if w := (*got)[0]; w.Errno != 22 || w.Error != "EINVAL" || w.Ret != "" || !strings.HasPrefix(w.Call, "mmap(0x1, ") {
		t.Errorf("%+v", w)
	}
}

func TestObservingAStepTwiceIsADefect(t *testing.T) {
	p, _ := recorder(t)
	p.Observe("step")
	defer func() {
		if recover() == nil {
			t.Error("the second observation of a step is accepted")
		}
	}()
	p.Observe("step")
}

func TestChildrenEndAsTheyDid(t *testing.T) {
	tests := []struct {
		name  string
		child Child
		want  map[string]string
		steps []string
	}{
		{"a child that speaks", Child{Name: "speak", Args: []string{"a", "b"}},
			map[string]string{"exit": "0", "timedout": "false", "stderr": ""}, []string{"step.said"}},
		{"a child that faults", Child{Name: "segv"},
			map[string]string{"exit": "2", "timedout": "false"}, nil},
		{"a child that is killed", Child{Name: "die"},
			map[string]string{"signal": "killed", "timedout": "false"}, nil},
		{"a child that hangs and leaves a grandchild", Child{Name: "hang", Limit: 300 * time.Millisecond},
			map[string]string{"signal": "killed", "timedout": "true"}, nil},
		{"a child that lies", Child{Name: "lie"},
			map[string]string{"exit": "0", "dropped": "3"}, []string{"step.truth"}},
		{"a child that does not exist", Child{Name: "nobody"},
			map[string]string{"exit": "1", "stderr": "this probe has no child \"nobody\"\n"}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, got := recorder(t)
			p.Observe("step").Child(tt.child).Emit()
			obs := *got
			last := obs[len(obs)-1]
			for key, want := range tt.want {
				if have, ok := last.Values[key]; !ok || have != want {
					t.Errorf("%s: %q, want %q", key, have, want)
				}
			}
			stuck := last.Values["stuck"]
			if (last.Values["timedout"] == "true") != strings.Contains(stuck, " S ") {
				t.Errorf("stuck: %q", stuck)
			}
			if n := len(last.Values["stderr"]); n > maxChildStderr {
				t.Errorf("%d bytes of stderr are kept", n)
			}
			var steps []string
			for _, o := range obs[:len(obs)-1] {
				steps = append(steps, o.Step)
			}
			if fmt.Sprint(steps) != fmt.Sprint(tt.steps) {
				t.Errorf("the child's steps are %v, want %v", steps, tt.steps)
			}
		})
	}
}

// TestCopiesEndAsTheyDid fails if a copy's observations or its end are not those of a
// child that is a program.
func TestCopiesEndAsTheyDid(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // as in a probe
	say := func(p *P) { p.Observe("said").Set("args", strings.Join(p.Args, ",")).Set("uid", os.Getuid()).Emit() }
	for name, tt := range map[string]struct {
		body func(*P)
		want map[string]string
		step string
	}{
		"a copy that speaks": {say, map[string]string{"exit": "0", "timedout": "false", "stderr": ""}, "step.said"},
		"a copy that faults": {func(p *P) { Poke(p.Page) }, map[string]string{"exit": "2", "timedout": "false"}, ""},
		"a copy that is killed": {func(p *P) { _ = syscall.Kill(os.Getpid(), syscall.SIGKILL) },
			map[string]string{"signal": "killed", "timedout": "false"}, ""},
		"a copy with a copy": {func(p *P) { p.Observe("in").Copy(Copy{Body: say}).Emit() },
			map[string]string{"exit": "0", "stderr": ""}, "step.in.said"},
		"a copy with a child": {func(p *P) { p.Observe("in").Child(Child{Name: "speak"}).Emit() },
			map[string]string{"exit": "0", "stderr": ""}, "step.in.said"},
		"a copy that leaves a process behind": {func(p *P) {
			_, _ = p.Kernel.Clone(&sys.CloneArgs{Flags: p.Kernel.Signal.Chld, Pause: true})
		}, map[string]string{"exit": "0", "timedout": "false"}, ""},
	} {
		p, got := recorder(t)
		p.Observe("step").Copy(Copy{Name: "speak", Body: tt.body}).Emit()
		first, last := (*got)[0], (*got)[len(*got)-1]
		for key, want := range tt.want {
			if have, ok := last.Values[key]; !ok || have != want {
				t.Errorf("%s: %s is %q, want %q", name, key, have, want)
			}
		}
		if tt.step != "" && first.Step != tt.step {
			t.Errorf("%s: %+v", name, *got)
		}
		if name == "a copy that faults" && !strings.Contains(last.Values["stderr"], "signal SIGSEGV: segmentation violation code=0x1") {
			t.Errorf("%s: %q", name, last.Values["stderr"])
		}
	}
}

// TestCopiesHaveTheRightsAskedFor fails if a copy is another user than it is said to be,
// or has other capabilities.
func TestCopiesHaveTheRightsAskedFor(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can make a process of another user")
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	body := func(p *P) {
		o := p.Observe("who").Set("uid", os.Getuid())
		text, err := os.ReadFile("/proc/self/status")
		o.Set("error", err)
		for _, line := range strings.Split(string(text), "\n") {
			if strings.HasPrefix(line, "CapEff:") {
				o.Set("capeff", strings.TrimSpace(line[len("CapEff:"):]))
			}
		}
		o.Emit()
	}
	const kill = 5 // CAP_KILL
	for _, tt := range []struct {
		copy        Copy
		uid, capeff string
	}{
		{Copy{UID: 65534}, "65534", "0000000000000000"},
		{Copy{UID: 65534, Keep: kill}, "65534", "0000000000000020"},
		{Copy{Namespaces: newUser}, "0", ""},
	} {
		tt.copy.Body = body
		p, got := recorder(t)
		p.Observe("step").Copy(tt.copy).Emit()
		if v := (*got)[0].Values; v["uid"] != tt.uid || v["error"] != "<nil>" || tt.capeff != "" && v["capeff"] != tt.capeff {
			t.Errorf("%+v", *got)
		}
	}
}

func TestChildRunsAsAnotherUser(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can start a process as another user")
	}
	p, got := recorder(t)
	p.Observe("step").Child(Child{Name: "speak", UID: 65534}).Emit()
	if uid := (*got)[0].Values["uid"]; uid != "65534" {
		t.Errorf("the child's user is %s: %+v", uid, *got)
	}
}

func TestFaultCodeIsInTheChildsLastWords(t *testing.T) {
	p, got := recorder(t)
	p.Observe("step").Child(Child{Name: "segv"}).Emit()
	if words := (*got)[0].Values["stderr"]; !strings.Contains(words, "signal SIGSEGV: segmentation violation code=0x1") {
		t.Errorf("%q", words)
	}
}

// TestSmapsOfOldKernelsAreRead fails if the field that Linux 5.0 to 5.7 print with a tab and
// no space is taken for a mapping.
func TestSmapsOfOldKernelsAreRead(t *testing.T) {
	const text = "7f0000000000-7f0000001000 rw-p 00000000 00:00 0 \nRss:                   4 kB\nTHPeligible:\t\t0\nVmFlags: rd wr mr mw me ac sd \n"
	vmas, err := parseSmaps(strings.NewReader(text), all)
	if err != nil || len(vmas) != 1 || vmas[0].Fields["THPeligible"] != "0" || vmas[0].Fields["Rss"] != "4 kB" {
		t.Errorf("%+v, %v", vmas, err)
	}
}

func FuzzSmaps(f *testing.F) {
	own, err := os.ReadFile(smaps)
	if err != nil {
		f.Fatal(err)
	}
	if vmas, err := parseSmaps(strings.NewReader(string(own)), all); err != nil || len(vmas) < 5 {
		f.Fatalf("%d mappings of this process, %v", len(vmas), err)
	}
	f.Add(own)
	f.Add([]byte("7f0000000000-7f0000001000 rw-p 00000000 00:00 0 \nVmFlags: rd wr mr mw me ac \n"))
	f.Add([]byte("Size: 4 kB\n"))
	f.Add([]byte("1-0 rw-p 0 0:0 0\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		vmas, err := parseSmaps(strings.NewReader(string(b)), all)
		if err != nil {
			return
		}
		for _, v := range vmas {
			if v.Start >= v.End || len(v.Perms) != 4 || v.Fields == nil {
				t.Errorf("%+v", v)
			}
		}
	})
}

// TestACallThatFailsIsNotReportedAsOneThatSucceeded fails if the line that is made before a
// call outlives its failure.
func TestACallThatFailsIsNotReportedAsOneThatSucceeded(t *testing.T) {
	p, got := recorder(t)
	var ready []byte
	p.write = func(line []byte) { ready = append(ready, line...) }
	p.Observe("refused").Around("f()", func() syscall.Errno { return syscall.EPERM })
	if len(ready) > 0 || len(*got) != 1 || (*got)[0].Error != "EPERM" || (*got)[0].Ret != "" {
		t.Errorf("%q, %+v", ready, *got)
	}
	p.Observe("done").Around("f()", func() syscall.Errno { return 0 })
	if string(ready) != `{"step":"done","call":"f()","ret":"0x0"}`+"\n" || len(*got) != 1 {
		t.Errorf("%q, %+v", ready, *got)
	}
}
