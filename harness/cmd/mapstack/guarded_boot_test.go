//go:build boot

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mapstack/conformance/harness/judge/verdict"
)

// guardedProfile confines the probes as the usual profile of a container engine confines its
// programs.
const guardedProfile = `
profile mapstack-guarded /run/mapstack/** flags=(attach_disconnected) {
  capability,
  network,
  signal,
  unix,
  file,
  deny /proc/sys/** w,
  deny /sys/** w,
  ptrace peer=mapstack-guarded,
}
`

// withSELinux has SELinux enforcing with Debian's policy. There allow_execmem is off, as
// hardened systems have it, so that no domain may map executable memory without a file.
var withSELinux = system{
	Name: "selinux-debian12", Packages: []string{"selinux-policy-default", "policycoreutils"}, Parameters: "security=selinux",
	Files:  map[string]string{"etc/selinux/config": "SELINUX=enforcing\nSELINUXTYPE=default\n"},
	Logins: map[string]string{"execmem": "setsebool allow_execmem on"},
	Last:   "setfiles -F /etc/selinux/default/contexts/files/file_contexts /",
}

// TestGuardedSystemsConform boots whole systems under the guard of a security module, and
// decides every claim in them. What the guard refuses to plain memory is no fault of the
// kernel, and must be named. It takes half an hour the first time: `make guarded` runs it.
func TestGuardedSystemsConform(t *testing.T) {
	if why := cannotInstall(); why != "" {
		t.Fatal(why) // who asks for this test alone must not take a skip for a pass
	}
	for _, c := range []struct {
		name    string
		system  system
		login   string
		says    string   // of the operating system in the report
		refused []string // claims that the guard makes unsupported
		granted []string // claims that hold in spite of the guard
	}{
		{"apparmor", withAppArmor, "root", "AppArmor as unconfined", nil, []string{"PR-005", "PR-006", "PR-007"}},
		{"apparmor-profile", withAppArmor, "guarded", "AppArmor as mapstack-guarded (enforce)", nil, []string{"PR-005", "PR-006", "PR-007"}},
		{"selinux", withSELinux, "root", "SELinux (enforcing) as unconfined_u:unconfined_r:unconfined_t:", []string{"PR-005", "PR-006", "PR-007", "PR-102"}, nil},
		{"selinux-execmem", withSELinux, "execmem", "SELinux (enforcing) as unconfined_u:unconfined_r:unconfined_t:", nil, []string{"PR-005", "PR-006", "PR-007", "PR-102"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			image := c.system.installed(t)
			args := []string{"--os-image", image, "--full-boot", "--login", c.login, "--password-file", passwordFile(t), "--destructive"}
			out := t.TempDir()
			if kept := os.Getenv("MAPSTACK_OUT"); kept != "" {
				out = filepath.Join(kept, c.name)
			}
			said, err := execute(t, append([]string{"run", "--out", out}, args...)...)
			if code := exitCode(err); code != verdict.ExitConformant {
				t.Fatalf("ends with %d: %v\n%s", code, err, said)
			}
			r := reported(t, out)
			if !strings.Contains(r.Cells[0].OS, c.says) {
				t.Errorf("the system says %q, and not %q", r.Cells[0].OS, c.says)
			}
			status := map[string]verdict.Status{}
			for _, o := range r.Outcomes {
				status[o.Claim] = o.Status
				if o.Status == verdict.Unsupported && o.Reason == "" {
					t.Errorf("%s is unsupported without a reason", o.Claim)
				}
			}
			for _, id := range c.refused {
				if status[id] != verdict.Unsupported {
					t.Errorf("%s is %s, and the guard refuses what it is about", id, status[id])
				}
			}
			for _, id := range append(c.granted, "MS-018", "MS-008", "PR-001", "PR-002", "PR-012", "PR-106") {
				if status[id] != verdict.Pass {
					t.Errorf("%s is %s", id, status[id])
				}
			}
			counts := r.Cells[0].Verdict.Counts
			t.Logf("%s: %d pass, %d fail, %d unsupported", r.Cells[0].OS, counts.Pass, counts.Fail, counts.Unsupported)
		})
	}
}
