package arch

import "testing"

func TestEveryNameOfAnArchitectureIsFoundAndNoneIsShared(t *testing.T) {
	owner := map[string]string{}
	for _, r := range All() {
		names := append([]string{r.GOARCH, r.Debian, r.Uname, r.QEMU}, r.Aliases...)
		for _, n := range names {
			if n == "" && (r.Supplied || r.GNU != "") {
				continue // no archive names it
			}
			if o, taken := owner[n]; taken && o != r.GOARCH {
				t.Errorf("%q names both %s and %s", n, o, r.GOARCH)
			}
			owner[n] = r.GOARCH
			if got, err := Lookup(n); err != nil || got.GOARCH != r.GOARCH {
				t.Errorf("Lookup(%q) = %s, %v; want %s", n, got.GOARCH, err, r.GOARCH)
			}
		}
	}
	for _, unknown := range []string{"vax", ""} {
		if r, err := Lookup(unknown); err == nil {
			t.Errorf("%q was found as %s", unknown, r.GOARCH)
		}
	}
}

func TestEveryRecordIsComplete(t *testing.T) {
	for _, r := range All() {
		if (r.Package == "") != r.Supplied || r.ELF == 0 || r.Kbuild == "" || r.Slowness < 1 || len(r.Machines) == 0 {
			t.Errorf("%s: %+v", r.GOARCH, r)
		}
		for name, m := range r.Machines {
			if m.Name == "" || m.Console == "" || m.MaxCPUs < 1 {
				t.Errorf("%s machine %q: %+v", r.GOARCH, name, m)
			}
		}
	}
}
