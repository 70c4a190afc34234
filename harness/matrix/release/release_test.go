package release

import (
	"strings"
	"testing"
)

func TestVendorSuffixDoesNotChangeTheVersion(t *testing.T) {
	for in, want := range map[string]Release{
		"6.1.0-50-amd64":                 {6, 1, 0},
		"7.2.12+deb14-amd64":             {7, 2, 12},
		"4.19.90-23.8.v2101.ky10.x86_64": {4, 19, 90},
		"6.6":                            {6, 6, 0},
		"6.6-rc1":                        {6, 6, 0},
		"5.10.rc1":                       {5, 10, 0},
		"6.18~rc4":                       {6, 18, 0},
		"3.10.0_vendor":                  {3, 10, 0},
		"4.4.131.20190505":               {4, 4, 131},
	} {
		got, err := Parse(in)
		if err != nil || got != want {
			t.Errorf("Parse(%q) = %v, %v; want %v", in, got, err, want)
		}
	}
}

func TestNonsenseIsNotTakenForAVersion(t *testing.T) {
	for _, in := range []string{
		"", "6", "6-1", "linux", ".6.1", "6.", "6..1", "-6.1", "6.x", "v6.1", "6.1abc",
		"1234567.1", "6.1234567", strings.Repeat("6", 65), "6.1." + strings.Repeat("0", 61), "6.1\x00",
	} {
		if got, err := Parse(in); err == nil {
			t.Errorf("Parse(%q) = %v, want an error", in, got)
		}
	}
}

func TestOrderIsNumericNotTextual(t *testing.T) {
	ordered := []Release{{4, 19, 90}, {5, 9, 0}, {5, 10, 0}, {5, 10, 9}, {5, 10, 10}, {6, 1, 0}, {6, 12, 0}, {7, 0, 0}}
	for i, a := range ordered {
		for j, b := range ordered {
			if a.Less(b) != (i < j) {
				t.Errorf("%v.Less(%v) = %v", a, b, a.Less(b))
			}
			if a.AtLeast(b.Major, b.Minor, b.Patch) != (i >= j) {
				t.Errorf("%v.AtLeast(%v) is wrong", a, b)
			}
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"6.1.0-50-amd64", "7.2.12+deb14-amd64", "4.19.90-23.8.v2101.ky10.x86_64", "6.", "1234567.1", "6.1\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, err := Parse(s)
		if err != nil {
			return
		}
		again, err := Parse(r.String())
		if err != nil || again != r {
			t.Fatalf("Parse(%q) = %v, whose String is read back as %v, %v", s, r, again, err)
		}
	})
}
