package facts

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/mapstack/conformance/harness/matrix/release"
	"github.com/mapstack/conformance/poc/wire"
)

// recorded returns what a probe reported on an amd64 host with Linux 6.18.
func recorded(t testing.TB, name string) wire.Transcript {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	var transcript wire.Transcript
	if err := json.Unmarshal(b, &transcript); err != nil {
		t.Fatal(err)
	}
	return transcript
}

func TestRecordedFactsAreRead(t *testing.T) {
	sysconf := recorded(t, "sysconf")
	f, err := Parse(recorded(t, "facts"), &sysconf)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		what      string
		got, want any
	}{
		{"Arch", f.Arch, "amd64"},
		{"Machine", f.Machine, "x86_64"},
		{"Release", f.Release, release.Release{Major: 6, Minor: 18, Patch: 44}},
		{"PageSize", f.PageSize, 4096},
		{"THP", f.THP, true},
		{"VABits", f.VABits, 47},
		{"CPUs", f.CPUs, 2},
		{"UID", f.UID, 0},
		{"MemTotal", f.MemTotal, int64(24684084) << 10},
		{"RLIMIT_STACK", f.Limits["RLIMIT_STACK"], Limit{8 << 20, Unlimited}},
		{"LSMs", strings.Join(f.LSMs, " "), "lockdown capability landlock yama"},
		{"CONFIG_ANON_VMA_NAME", f.Config["CONFIG_ANON_VMA_NAME"], "n"},
		{"SC_PAGESIZE", f.Sysconf["SC_PAGESIZE"], int64(4096)},
		{"SC_THREAD_THREADS_MAX", f.Sysconf["SC_THREAD_THREADS_MAX"], int64(-1)},
	} {
		if c.got != c.want {
			t.Errorf("%s is %v, want %v", c.what, c.got, c.want)
		}
	}
	if overcommit, ok := f.Sysctl("vm.overcommit_memory"); !ok || overcommit != "0" {
		t.Errorf("vm.overcommit_memory is %q, %t", overcommit, ok)
	}
	if _, ok := f.Sysctl("kernel.unprivileged_userns_clone"); ok {
		t.Error("a sysctl this kernel does not have is reported")
	}
}

func TestFactsWithoutSysconf(t *testing.T) {
	f, err := Parse(recorded(t, "facts"), nil)
	if err != nil || f.Sysconf != nil {
		t.Errorf("%v, %v", f.Sysconf, err)
	}
}

func TestConfinementNamesTheModuleAndTheLabel(t *testing.T) {
	for name, c := range map[string]struct{ lsm, label, enforce, want string }{
		"SELinux":            {"capability,selinux", "u:r:t:s0", "1", "SELinux (enforcing) as u:r:t:s0"},
		"permissive SELinux": {"capability,selinux", "u:r:t:s0", "0", "SELinux (permissive) as u:r:t:s0"},
		"AppArmor":           {"lockdown,apparmor", "unconfined", "", "AppArmor as unconfined"},
		"a module unknown":   {"capability,kysec", "strict", "", "a security module as strict"},
		"none":               {"capability,yama", "", "", ""},
	} {
		tr := recorded(t, "facts")
		for _, change := range []func(*wire.Transcript){set("kernel", "lsm", c.lsm), set("process", "label", c.label), set("kernel", "selinux.enforce", c.enforce)} {
			change(&tr)
		}
		f, err := Parse(tr, nil)
		if got := f.Confinement(); err != nil || got != c.want {
			t.Errorf("%s: %q, want %q, %v", name, got, c.want, err)
		}
	}
}

// set returns a change of one value of a transcript; "" removes it.
func set(step, key, value string) func(*wire.Transcript) {
	return func(t *wire.Transcript) {
		for i := range t.Observations {
			if o := &t.Observations[i]; o.Step == step {
				o.Values[key] = value
				if value == "" {
					delete(o.Values, key)
				}
			}
		}
	}
}

func TestUntrueFactsAreRefused(t *testing.T) {
	tests := []struct {
		name   string
		change func(*wire.Transcript)
		want   string // in the error
	}{
		{"a probe that died", func(t *wire.Transcript) { t.Exit.Code = 2 }, "did not run to its end"},
		{"a probe that was killed", func(t *wire.Transcript) { t.Exit.TimedOut = true }, "did not run to its end"},
		{"no steps at all", func(t *wire.Transcript) { t.Observations = nil }, `"release" of step "uname": is missing`},
		{"an unknown architecture", set("program", "goarch", "vax"), "poc/abi does not know"},
		{"no architecture", set("program", "goarch", ""), "is missing"},
		{"a release without a version", set("uname", "release", "linux"), "does not begin with numbers"},
		{"a page size that is none", set("program", "pagesize", "4095"), "4095 is no page size"},
		{"a page size of one byte", set("program", "pagesize", "1"), "1 is no page size"},
		{"a page size in words", set("program", "pagesize", "big"), `"big" is no number`},
		{"two page sizes", set("program", "auxv.pagesz", "0x4000"), "is 16384, but the program was told 4096"},
		{"a third truth value", set("memory", "thp", "perhaps"), "neither true nor false"},
		{"no word on THP", set("memory", "thp", ""), "is missing"},
		{"too many bits", set("va", "bits", "65"), "no number up to 64"},
		{"a negative limit", set("limits", "RLIMIT_STACK.current", "-1"), "no number"},
		{"half a limit", set("limits", "RLIMIT_STACK.max", ""), "is missing"},
		{"memory in another unit", set("memory", "MemTotal", "24 GB"), "no amount in kB"},
		{"a control character", set("uname", "version", "\x1b[2J"), `"\x1b[2J" is no text`},
		{"a very long text", set("sysctl", "kernel.pid_max", strings.Repeat("9", maxText+1)), "is no text"},
		{"a name that is none", set("sysctl", "a\nb", "1"), `"a\nb"`},
		{"a step twice", func(t *wire.Transcript) { t.Observations = append(t.Observations, t.Observations[0]) }, "reported twice"},
		{"a value that is also unknown", func(t *wire.Transcript) {
			t.Observations[0].Unknown = map[string]string{"machine": "why not"}
		}, "both known and unknown"},
		{"a necessary fact unknown", func(t *wire.Transcript) {
			set("memory", "thp", "")(t)
			for i := range t.Observations {
				if t.Observations[i].Step == "memory" {
					t.Observations[i].Unknown = map[string]string{"thp": "no /proc"}
				}
			}
		}, `could not be determined: "no /proc"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			transcript := recorded(t, "facts")
			tt.change(&transcript)
			f, err := Parse(transcript, nil)
			if err == nil {
				t.Fatalf("accepted: %+v", f)
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("the error does not say %q:\n%v", tt.want, err)
			}
		})
	}
}

func TestUntrueSysconfIsRefused(t *testing.T) {
	for name, change := range map[string]func(*wire.Transcript){
		"died":   func(t *wire.Transcript) { t.Exit.Signal = "killed" },
		"silent": func(t *wire.Transcript) { t.Observations = nil },
		"words":  set("sysconf", "SC_PAGESIZE", "four thousand"),
	} {
		sysconf := recorded(t, "sysconf")
		change(&sysconf)
		if _, err := Parse(recorded(t, "facts"), &sysconf); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// TestUnknownFactsStayUnknown fails if a fact that a target could not determine is
// read as a zero.
func TestUnknownFactsStayUnknown(t *testing.T) {
	transcript := recorded(t, "facts")
	set("va", "bits", "")(&transcript)
	for i := range transcript.Observations {
		switch o := &transcript.Observations[i]; o.Step {
		case "va":
			o.Unknown = map[string]string{"bits": "no page could be mapped"}
		case "config":
			o.Values, o.Unknown = nil, map[string]string{"CONFIG_USER_NS": "no /proc/config.gz"}
		}
	}
	f, err := Parse(transcript, nil)
	if err != nil {
		t.Fatal(err)
	}
	if f.VABits != 0 || f.Unknown["va.bits"] != "no page could be mapped" {
		t.Errorf("VABits %d, unknown %v", f.VABits, f.Unknown)
	}
	if f.Config != nil || f.Unknown["config.CONFIG_USER_NS"] == "" {
		t.Errorf("Config %v, unknown %v", f.Config, f.Unknown)
	}
}

func FuzzParse(f *testing.F) {
	for _, name := range []string{"facts", "sysconf"} {
		b, err := json.Marshal(recorded(f, name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte(`{"observations":[{"step":"program","values":{"pagesize":"0x8000000000000000"}}]}`))
	f.Add([]byte(`{"observations":[{"step":"limits","values":{".current":""}}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var transcript wire.Transcript
		if json.Unmarshal(b, &transcript) != nil {
			return
		}
		got, err := Parse(transcript, &transcript)
		if err != nil {
			if !printable(err.Error()) {
				t.Errorf("the error carries the guest's bytes: %q", err)
			}
			return
		}
		if got.PageSize < 4096 || got.Arch == "" || got.VABits < 0 || got.VABits > 64 || got.MemTotal < 0 {
			t.Errorf("%+v", got)
		}
	})
}
