package osname

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestEveryNameFindsItsSystemAndNoOther(t *testing.T) {
	owner := map[string]string{}
	for _, r := range All() {
		for _, n := range append([]string{r.ID, strings.ToUpper(r.ID)}, r.Release...) {
			if o, taken := owner[n]; taken {
				t.Errorf("%q names both %s and %s", n, o, r.ID)
			}
			owner[n] = r.ID
			if got, err := Lookup(n); err != nil || got.ID != r.ID {
				t.Errorf("Lookup(%q) = %s, %v; want %s", n, got.ID, err, r.ID)
			}
		}
		if r.English == "" || r.Chinese == "" {
			t.Errorf("%s has no name in one language", r.ID)
		}
	}
	if !slices.IsSortedFunc(All(), func(a, b Record) int { return strings.Compare(a.ID, b.ID) }) {
		t.Error("the records are not sorted")
	}
	if _, err := Lookup("windows"); err == nil || !strings.Contains(err.Error(), "openkylin, uos") {
		t.Errorf("%v", err)
	}
}

func TestATitleSaysBothLanguagesOnce(t *testing.T) {
	uos, err := Lookup("UnionTech")
	if err != nil {
		t.Fatal(err)
	}
	for own, want := range map[string]string{"": "UnionTech OS (统信 UOS)", "UOS Server 20": "UnionTech OS (统信 UOS): UOS Server 20", "uniontech os": "UnionTech OS (统信 UOS)"} {
		if got := uos.Title(own); got != want {
			t.Errorf("%q: %q, want %q", own, got, want)
		}
	}
}

// TestAProductIsWhollyDescribed fails if a product belongs to no system, or if its variable or
// its name is that of another one.
func TestAProductIsWhollyDescribed(t *testing.T) {
	taken := map[string]string{}
	for _, s := range Systems() {
		if _, err := Lookup(s.OS); err != nil || !strings.HasPrefix(s.ID, s.OS+"-") {
			t.Errorf("%s is of %q: %v", s.ID, s.OS, err)
		}
		if _, err := Lookup(s.ID); err == nil {
			t.Errorf("%s names a whole system too", s.ID)
		}
		if s.English == "" || s.Chinese == "" || s.Packages != "deb" && s.Packages != "rpm" {
			t.Errorf("%+v", s)
		}
		for _, k := range s.Kernels {
			if !regexp.MustCompile(`^[0-9]+\.[0-9]+$`).MatchString(k) {
				t.Errorf("%s: the series %q", s.ID, k)
			}
		}
		for _, trap := range s.Traps {
			if trap.English == "" || trap.Chinese == "" {
				t.Errorf("%s: a trap in one language: %+v", s.ID, trap)
			}
		}
		if s.Release != "" {
			if r, err := Lookup(s.Release); err != nil || r.ID != s.OS {
				t.Errorf("%s: an image that says ID=%s is taken for %s, %v", s.ID, s.Release, r.ID, err)
			}
		}
		if other := taken[s.Variable()]; other != "" {
			t.Errorf("%s and %s have one variable", s.ID, other)
		}
		taken[s.Variable()] = s.ID
		if got, ok := LookupSystem(strings.ToUpper(s.ID)); !ok || got.ID != s.ID {
			t.Errorf("%s is not found", s.ID)
		}
	}
	if !slices.IsSortedFunc(Systems(), func(a, b System) int { return strings.Compare(a.OS, b.OS) }) {
		t.Error("the products are not sorted by their systems")
	}
}

func TestANameSelectsTheProductsOfASystemOrOneOfThem(t *testing.T) {
	for name, want := range map[string]int{"kylin": 6, "KYLIN-SERVER-V10-SP3": 1, "UnionTech": 2, "nfschina": 2} {
		if got, err := Products(name); err != nil || len(got) != want {
			t.Errorf("%s: %d products, %v", name, len(got), err)
		}
	}
	for name, want := range map[string]string{"windows": "uos; or a product such as uos-server-20", "debian": "no product of Debian is known"} {
		if _, err := Products(name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if v := Systems()[0].Variable(); v != "ANOLIS_8_IMAGE" && v != "ANOLIS_23_IMAGE" {
		t.Errorf("the variable is %s", v)
	}
}
