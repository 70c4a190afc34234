package matrix

import (
	"os"
	"strings"
	"testing"
	"time"
)

const goodKnown = `known:
  - claim: MS-001
    cells:
      - a-1
      - b-*
    reason: it is broken
    link: docs/findings.md#it-is-broken
    until: 2027-12-31
    fixedIn: "6.12"
`

// knownCells are the cells of a small matrix.
func knownCells() []Cell {
	return []Cell{{Name: "a-1", Arch: "amd64", Kernel: Kernel{Suite: "bookworm", Config: []string{"amd64"}}}, {Name: "b-1", Arch: "arm64"}, {Name: "b-2", Arch: "arm64"}}
}

func TestBadKnownFailuresSayFileLineAndWhatIsAllowed(t *testing.T) {
	again := strings.TrimPrefix(goodKnown, "known:\n")
	for name, c := range map[string]struct{ from, to, line, want string }{
		"unknown field":       {"    link:", "    url:", "7", "claim, cells, reason, link, owner, until and fixedIn"},
		"wrong type":          {"cells:\n      - a-1\n      - b-*", "cells: 7", "3", "cells"},
		"no claim":            {"MS-001", "PR", "2", "such as MS-003"},
		"no cell":             {"\n      - a-1\n      - b-*", " []", "2", "cells is empty"},
		"a cell of nothing":   {"a-1", "c-1", "2", `"c-1" matches no cell`},
		"a broken glob":       {"b-*", `"b-["`, "2", "shell glob"},
		"no reason":           {"it is broken", `""`, "2", "reason must be one line"},
		"a reason of a page":  {"it is broken", strings.Repeat("long ", 99), "2", "300 bytes"},
		"a reason with lines": {"it is broken", `"a\nb"`, "2", "reason must be one line"},
		"an owner with lines": {"    until", "    owner: \"a\\nb\"\n    until", "2", "owner must be one line"},
		"a page alone":        {"#it-is-broken", "", "2", "docs/findings.md#heading"},
		"another scheme":      {"docs/findings.md#it-is-broken", "javascript:alert(1)", "2", "http or https"},
		"no end":              {"    until: 2027-12-31\n    fixedIn: \"6.12\"\n", "", "2", "the last day, such as 2027-12-31"},
		"no such day":         {"2027-12-31", "2027-02-30", "2", "a day of the calendar"},
		"a month":             {"2027-12-31", "2027-12", "2", "a day of the calendar"},
		"a word as version":   {`"6.12"`, "soon", "2", "a kernel version"},
		"a whole release":     {`"6.12"`, "6.12.1-amd64", "2", "a kernel version"},
		"a cell twice":        {"known:\n", "known:\n" + strings.Replace(again, "b-*", "b-2", 1), "10", "cell a-1 is in an earlier entry"},
	} {
		text := strings.Replace(goodKnown, c.from, c.to, 1)
		if text == goodKnown {
			t.Fatalf("%s: nothing was replaced", name)
		}
		_, err := ParseKnown("known.yaml", []byte(text), knownCells())
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
			continue
		}
		if !strings.Contains(err.Error(), "known.yaml:"+c.line+":") && !strings.Contains(err.Error(), "["+c.line+":") {
			t.Errorf("%s: no line %s in %v", name, c.line, err)
		}
	}
}

// TestARecordIsFoundOnItsOwnCellsAlone fails if the known failures of the matrix excuse a
// kernel of somebody else, or if the line that must go is another one.
func TestARecordIsFoundOnItsOwnCellsAlone(t *testing.T) {
	cells := knownCells()
	known, err := ParseKnown("known.yaml", []byte(goodKnown), cells)
	if err != nil {
		t.Fatal(err)
	}
	supplied, running, other := cells[0], cells[0], cells[0]
	supplied.Kernel = Kernel{From: Given}
	running.Host = Native
	other.Arch = "arm64"
	for name, c := range map[string]struct {
		claim string
		cell  Cell
		place string // "" for no record
	}{
		"by name":         {"MS-001", cells[0], "known.yaml:4"},
		"by glob":         {"MS-001", cells[2], "known.yaml:5"},
		"another claim":   {"MS-002", cells[0], ""},
		"another cell":    {"MS-001", Cell{Name: "b-3", Arch: "arm64"}, ""},
		"a given kernel":  {"MS-001", supplied, ""},
		"a running one":   {"MS-001", running, ""},
		"an architecture": {"MS-001", other, ""},
	} {
		f, place, ok := known.Find(c.claim, c.cell)
		if place != c.place || ok != (c.place != "") || ok && f.Reason != "it is broken" {
			t.Errorf("%s: %+v at %q, %t; want %q", name, f, place, ok, c.place)
		}
	}
}

func TestARecordEndsWithItsDayOrItsCure(t *testing.T) {
	day := func(s string) time.Time {
		d, err := time.Parse(time.RFC3339, s)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	both := KnownFailure{Until: "2027-12-31", FixedIn: "6.12"}
	for name, c := range map[string]struct {
		record  KnownFailure
		day     string
		release string
		want    string // part of the reason why it is over; "" if it counts
		about   bool
	}{
		"before":           {both, "2026-11-28T12:00:00Z", "6.1.0-50-5kc-malta", "", true},
		"its last second":  {both, "2027-12-31T23:59:59Z", "6.1.0", "", true},
		"a day later":      {both, "2028-01-01T00:00:00Z", "6.1.0", "its last day was 2027-12-31", true},
		"in another zone":  {both, "2028-01-01T07:59:59+08:00", "6.1.0", "", true},
		"cured":            {both, "2026-11-28T12:00:00Z", "6.12.95+deb12", "before Linux 6.12 alone, and this is 6.12.95+deb12", false},
		"no day":           {KnownFailure{FixedIn: "6.12"}, "2999-01-01T00:00:00Z", "6.1.0", "", true},
		"no cure":          {KnownFailure{Until: "2027-12-31"}, "2026-11-28T12:00:00Z", "7.2.0", "", true},
		"a strange kernel": {both, "2026-11-28T12:00:00Z", "mine", "", true},
		"nothing booted":   {both, "2026-11-28T12:00:00Z", "", "", true},
	} {
		got := c.record.Over(day(c.day), c.release)
		if (got == "") != (c.want == "") || !strings.Contains(got, c.want) || c.record.About(c.release) != c.about {
			t.Errorf("%s: over %q, about %t; want %q, %t", name, got, c.record.About(c.release), c.want, c.about)
		}
	}
}

// TestTheFileOfKnownFailuresIsRead fails if the list of the matrix has an error.
func TestTheFileOfKnownFailuresIsRead(t *testing.T) {
	known, err := LoadKnown(os.DirFS("../../fixtures"))
	if err != nil {
		t.Fatal(err)
	}
	if len(known.Claims()) == 0 {
		t.Error("the list is empty, so nothing was checked")
	}
}

func FuzzParseKnown(f *testing.F) {
	f.Add([]byte(goodKnown))
	f.Add([]byte("known:\n - {claim: [}"))
	f.Add([]byte("a: &x [a-1]\nknown: [{claim: MS-001, cells: *x}]"))
	f.Add([]byte("known:\n  - claim: AA-000\n    cells:\n      ! 0\n    000008: 0\n    0008: 0\n00000000008: 0")) // the library panics
	f.Fuzz(func(t *testing.T, data []byte) {
		known, err := ParseKnown("f", data, knownCells())
		if err != nil {
			return
		}
		for _, c := range knownCells() {
			for _, id := range known.Claims() {
				if r, _, ok := known.Find(id, c); ok && (r.Reason == "" || r.Link == "" || r.Until+r.FixedIn == "") {
					t.Errorf("%+v", r)
				}
			}
		}
	})
}
