package intake

import (
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/mapstack/conformance/harness/matrix"
)

// TestAnOrdinaryProgramGetsWhatTheSystemSets fails if a guest gets other limits than
// a program of the system, or if a setting is left out without a reason.
func TestAnOrdinaryProgramGetsWhatTheSystemSets(t *testing.T) {
	v := volume{FS: fstest.MapFS{
		"etc/os-release":  {Data: []byte("ID=openeuler\n")},
		"etc/sysctl.conf": {Data: []byte("vm.max_map_count = 2000\nvm.overcommit_memory = 2 or so\nkernel/pid_max=4096\n")},
		"etc/security/limits.conf": {Data: []byte(
			"* soft nproc 512\n* hard nproc 1024\n* - as unlimited\n* soft stack 8192\n@dba - nproc 9\nroot hard nproc 8\n* hard data lots\n* soft nofile 7\n")},
		"etc/security/limits.d/20-nproc.conf":                   {Data: []byte("* soft nproc 4096 # wins\n")},
		"etc/systemd/system.conf":                               {Data: []byte("[Manager]\n#DefaultTasksMax=15%\n#DefaultLimitAS=1\nDefaultLimitNPROC=100:infinity\nDefaultLimitSTACK=8M\nDefaultLimitDATA=x\n")},
		"etc/systemd/logind.conf":                               {Data: []byte("#UserTasksMax=33%\n")},
		"usr/lib/systemd/system/user-.slice.d/10-defaults.conf": {Data: []byte("[Slice]\nTasksMax=33%\n")},
		"etc/systemd/system/user-.slice.d/90-mine.conf":         {Data: []byte("[Slice]\nTasksMax=infinity\n")},
		"etc/selinux/config":                                    {Data: []byte("SELINUX=enforcing\n")},
	}}
	_, found := v.system()
	applied, all := Apply(found)
	want := []matrix.Setting{
		{Of: matrix.OfService, Name: "nproc", Value: "100:max", Source: "/etc/systemd/system.conf:4"},
		{Of: matrix.OfService, Name: "stack", Value: "8388608:8388608", Source: "/etc/systemd/system.conf:5"},
		{Of: matrix.OfService, Name: "tasks", Value: "15%", Source: "/etc/systemd/system.conf:2, the default that it shows"},
		{Of: matrix.OfSysctl, Name: "kernel.pid_max", Value: "4096", Source: "/etc/sysctl.conf:3"},
		{Of: matrix.OfSession, Name: "tasks", Value: "max", Source: "/etc/systemd/system/user-.slice.d/90-mine.conf:2"},
		{Of: matrix.OfSysctl, Name: "vm.max_map_count", Value: "2000", Source: "/etc/sysctl.conf:1"},
	}
	for _, w := range want {
		if !slices.Contains(applied, w) {
			t.Errorf("%+v is not among %+v", w, applied)
		}
	}
	session := map[string]string{}
	for _, s := range applied {
		if err := s.Check(); err != nil {
			t.Error(err)
		}
		if s.Of == matrix.OfSession {
			session[s.Name] = s.Value
		}
	}
	for name, value := range map[string]string{"nproc": "4096:1024", "as": "max:max", "stack": "8388608:-"} {
		if session[name] != value {
			t.Errorf("the session's %s is %q, want %q", name, session[name], value)
		}
	}
	left := map[string]string{}
	for _, s := range all {
		left[s.Name] = s.Left
	}
	for name, why := range map[string]string{"@dba - nproc": "of @dba alone", "root hard nproc": "of root alone", "* hard data": "no number", "vm.overcommit_memory": "must be a number",
		"SELINUX": "a boot of the system itself", "DefaultLimitDATA": "no limit", "UserTasksMax": "user-.slice", "* soft nproc": ""} {
		if got, known := left[name]; !known || !strings.Contains(got, why) || (why == "") != (got == "") {
			t.Errorf("%s is left out for %q (%v), want %q", name, got, known, why)
		}
	}
	if len(all) != len(found) {
		t.Errorf("%d of %d settings are told", len(all), len(found))
	}
}

// TestTheLastLineOfLimitsConfWins fails if the order of limits.conf is lost:
// pam_limits applies lines in order, and "-" sets both limits.
func TestTheLastLineOfLimitsConfWins(t *testing.T) {
	for text, want := range map[string]string{
		"* soft nproc 4096\n* - nproc 100\n":                      "100:100",
		"* - nproc 100\n* soft nproc 50\n":                        "50:100",
		"* hard nproc 500\n":                                      "-:500",
		"* - nproc 100\n* hard nproc 300\n* - nproc 200\n":        "200:200",
		"* soft nproc 4096\n* soft nproc 10\n* hard nproc 4096\n": "10:4096",
	} {
		v := volume{FS: fstest.MapFS{"etc/os-release": {Data: []byte("ID=x\n")}, "etc/security/limits.conf": {Data: []byte(text)}}}
		_, found := v.system()
		applied, _ := Apply(found)
		got := ""
		for _, s := range applied {
			if s.Of == matrix.OfSession && s.Name == "nproc" {
				got = s.Value
			}
		}
		if got != want {
			t.Errorf("%q gives %s, want %s", text, got, want)
		}
	}
}

// TestSystemdsOwnDefaultCounts fails if silent configuration files of systemd are
// taken for no limit, or if a system without systemd gets its default.
func TestSystemdsOwnDefaultCounts(t *testing.T) {
	for name, c := range map[string]struct {
		files fstest.MapFS
		want  string
	}{
		"silent":        {fstest.MapFS{"usr/lib/systemd/systemd": {}, "etc/systemd/system.conf": {Data: []byte("[Manager]\n")}}, "15%"},
		"before usr":    {fstest.MapFS{"lib/systemd/systemd": {}}, "15%"},
		"says a number": {fstest.MapFS{"usr/lib/systemd/systemd": {}, "etc/systemd/system.conf": {Data: []byte("DefaultTasksMax=200\n")}}, "200"},
		"no systemd":    {fstest.MapFS{}, ""},
	} {
		c.files["etc/os-release"] = &fstest.MapFile{Data: []byte("ID=x\n")}
		_, found := volume{FS: c.files}.system()
		applied, _ := Apply(found)
		got := ""
		for _, s := range applied {
			if s.Of == matrix.OfService && s.Name == "tasks" {
				got = s.Value
			}
		}
		if got != c.want {
			t.Errorf("%s: DefaultTasksMax is %q, want %q", name, got, c.want)
		}
	}
}

// TestEverySysctlThatIsWatchedCanBeApplied fails if a watched name is refused by a
// cell, as kernel.threads-max was.
func TestEverySysctlThatIsWatchedCanBeApplied(t *testing.T) {
	for _, name := range watched {
		if applied, all := Apply([]PolicyLine{{Name: name, Value: "1", Source: "/etc/sysctl.conf:1"}}); len(applied) != 1 {
			t.Errorf("%s is left out: %s", name, all[0].Left)
		}
	}
}

// FuzzPolicy fails if a system's files lead to a setting that a guest cannot get: it
// becomes a word of a kernel's command line, or of a probe's.
func FuzzPolicy(f *testing.F) {
	f.Add("* soft nproc 512\n* - as unlimited\n", "[Manager]\nDefaultTasksMax=15%\nDefaultLimitSTACK=8M:infinity\n", "vm.max_map_count = 2000\n")
	f.Fuzz(func(t *testing.T, session, manager, sysctl string) {
		v := volume{FS: fstest.MapFS{
			"etc/os-release":                              {Data: []byte("ID=x\n")},
			"etc/security/limits.conf":                    {Data: []byte(session)},
			"etc/systemd/system.conf":                     {Data: []byte(manager)},
			"etc/sysctl.conf":                             {Data: []byte(sysctl)},
			"usr/lib/systemd/system/user-.slice.d/1.conf": {Data: []byte(manager)},
		}}
		_, found := v.system()
		applied, all := Apply(found)
		if len(all) != len(found) {
			t.Errorf("%d of %d settings are told", len(all), len(found))
		}
		for _, s := range applied {
			if err := s.Check(); err != nil || strings.ContainsAny(s.Name+s.Value, " \t\n\"") {
				t.Errorf("%+v: %v", s, err)
			}
		}
	})
}
