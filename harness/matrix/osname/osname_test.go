package osname

import (
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
	if _, err := Lookup("windows"); err == nil || !strings.Contains(err.Error(), "openeuler, uos") {
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
