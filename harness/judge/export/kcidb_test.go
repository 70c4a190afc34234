package export

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/mapstack/conformance/harness/failure"
	"github.com/mapstack/conformance/harness/judge/evidence"
	"github.com/mapstack/conformance/harness/judge/report"
)

// follow checks submissions against a schema, and that a submission with a fault is refused.
func follow(t *testing.T, file string) {
	t.Helper()
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft7)
	c.AssertFormat()
	schema, err := c.Compile(file)
	if err != nil {
		t.Fatal(err)
	}
	check := func(text string) error {
		document, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		return schema.Validate(document)
	}
	for _, in := range append(cases(), whole(strings.Repeat(hostile, 100)), whole("")) {
		if err := check(written(t, "kcidb", in)); err != nil {
			t.Error(err)
		}
	}
	good := written(t, "kcidb", twoByTwo())
	for was, fault := range map[string]string{
		`"id": "mapstack:`:            `"id": "Mapstack:`,
		`"origin": "mapstack"`:        `"origin": "map stack"`,
		`"path": "mapstack.s.S-001"`:  `"path": "mapstack..S-001"`,
		`"status": "MISS"`:            `"status": "BROKEN"`,
		`"start_time": "2001-09-09T`:  `"start_time": "2001-09-09 `,
		`"build_id": `:                `"build": `,
		`"log_excerpt": "the subject`: `"log_excerpt": "` + strings.Repeat("x", 16<<10),
		`"architecture": "x86_64"`:    `"architecture": "x86-64"`,
		`"minor": 3`:                  `"minor": 4`,
		`"comment": "It holds."`:      `"comment": "\u0000"`,
	} {
		if bad := strings.Replace(good, was, fault, 1); bad == good || check(bad) == nil {
			t.Errorf("a submission with %q for %q is accepted, or has none", fault, was)
		}
	}
}

// TestKCIDBFollowsWhatIsKnownOfTheSchema checks with our own words of what the schema asks.
func TestKCIDBFollowsWhatIsKnownOfTheSchema(t *testing.T) {
	follow(t, filepath.Join("testdata", "kcidb.json"))
}

func TestKCIDBFollowsTheSchema(t *testing.T) { follow(t, reader(t, readers, "kcidb.schema.json")) }

// TestKCIDBRefersToWhatItHas fails where no schema can: KCIDB drops a test without its build, and a
// build without its checkout, and takes the later of two objects with one ID.
func TestKCIDBRefersToWhatItHas(t *testing.T) {
	for _, in := range append(cases(), whole(strings.Repeat(hostile, 100))) {
		for _, in.Origin = range []string{"", "example_lab"} {
			f, ids := submission(t, in), map[string]bool{}
			add := func(kind, id, origin, refers string) {
				if want := map[string]string{"": "mapstack", "example_lab": "example_lab"}[in.Origin]; origin != want || !strings.HasPrefix(id, want+":") {
					t.Errorf("%s %s is of %q", kind, id, origin)
				}
				if kind != "checkout" && !ids[refers] {
					t.Errorf("%s %s refers to %q, which is not there", kind, id, refers)
				}
				if ids[kind+" "+id] && len(in.Report.Cells) == 1 { // the claims of two cells of the tests have equal names
					t.Errorf("two objects are %s %s", kind, id)
				}
				ids[kind+" "+id] = true
			}
			for _, c := range f.Checkouts {
				add("checkout", c.ID, c.Origin, "")
			}
			for _, b := range f.Builds {
				add("build", b.ID, b.Origin, "checkout "+b.CheckoutID)
			}
			for _, one := range f.Tests {
				add("test", one.ID, one.Origin, "build "+one.BuildID)
				if one.StartTime.IsZero() || one.StartTime.Location() != time.UTC || one.Duration < 0 {
					t.Errorf("test %s began at %v and took %v s", one.ID, one.StartTime, one.Duration)
				}
			}
			if len(f.Tests) != len(in.Report.Outcomes)+len(in.Report.Cells) {
				t.Errorf("%d tests of %d outcomes and %d cells", len(f.Tests), len(in.Report.Outcomes), len(in.Report.Cells))
			}
		}
	}
}

// submission returns what a reader finds in a report.
func submission(t *testing.T, in Input) (f kcidbFile) {
	t.Helper()
	if err := json.Unmarshal([]byte(written(t, "kcidb", in)), &f); err != nil {
		t.Fatal(err)
	}
	return f
}

func TestKCIDBSaysWhatTheOutcomesSay(t *testing.T) {
	f := submission(t, input(every()...))
	var said []string
	for _, one := range f.Tests {
		_, deviation := one.Misc["deviation"]
		_, known := one.Misc["known_failure"]
		said = append(said, fmt.Sprint(one.ID, " ", one.Path, " ", one.Status, " ", deviation, known))
	}
	if d := cmp.Diff([]string{
		"mapstack:digest.a.boot boot PASS false false",
		"mapstack:digest.a.S-001 mapstack.s.S-001 PASS false false",
		"mapstack:digest.a.S-002 mapstack.s.S-002 FAIL false false",
		"mapstack:digest.a.S-003 mapstack.s.S-003 MISS false false",
		"mapstack:digest.a.S-004 mapstack.s.S-004 MISS false false",
		"mapstack:digest.a.S-005 mapstack.s.S-005 SKIP false false",
		"mapstack:digest.a.S-006 mapstack.s.S-006 FAIL true false",
		"mapstack:digest.a.S-007 mapstack.s.S-007 FAIL false true",
		"mapstack:digest.a.S-008 mapstack.s.S-008 FAIL false false",
		"mapstack:digest.a.S-009 mapstack.s.S-009 DONE false false",
		"mapstack:digest.a.S-010 mapstack.s.S-010 PASS false false",
	}, said); d != "" {
		t.Error(d)
	}
	build, checkout, failed := f.Builds[0], f.Checkouts[0], f.Tests[2]
	if build.Architecture != "x86_64" || build.CheckoutID != checkout.ID || failed.BuildID != build.ID || build.Misc["config_sha256"] != strings.Repeat("2", 64) ||
		checkout.Misc["package"] != "linux-image-6.1" || checkout.Misc["package_version"] != "6.1.1-1" || checkout.Comment != "linux-image-6.1 6.1.1-1" {
		t.Errorf("%+v\n%+v", build, checkout)
	}
	if failed.LogExcerpt != "the subject\nof S-002\nexpected: rw-p\nobserved: r--p" || failed.Duration != 0.3 || failed.Misc["level"] != "MUST" || failed.Comment != "It holds." ||
		failed.Misc["again"] != "make conformance CELL=a FOCUS=S-002" || failed.Environment.Misc["accelerator"] != "tcg" {
		t.Errorf("%+v", failed)
	}
	two := submission(t, twoByTwo())
	if len(two.Builds) != 1 || len(two.Checkouts) != 1 || len(two.Tests) != 42 {
		t.Errorf("two cells with one kernel: %d builds, %d checkouts, %d tests", len(two.Builds), len(two.Checkouts), len(two.Tests))
	}
	ids := map[string]bool{}
	for _, one := range two.Tests {
		ids[one.ID] = true
	}
	if len(ids) != 22 { // the two suites have claims of the same names
		t.Errorf("%d IDs", len(ids))
	}
}

// TestAKernelThatDiesFailsToBoot fails if KCIDB would not show that a kernel died, or would blame
// it for something else.
func TestAKernelThatDiesFailsToBoot(t *testing.T) {
	dead := func(kind failure.Kind) *failure.Failure {
		return &failure.Failure{Kind: kind, Message: "it died", Console: "Oops: 0002"}
	}
	for name, c := range map[string]struct {
		change func(*report.CellReport, *evidence.CellRun)
		status string
		says   string
	}{
		"panic": {func(c *report.CellReport, r *evidence.CellRun) { r.Failure = dead(failure.Panic) }, "FAIL", "panic: it died\n  the console's last lines:\nOops: 0002"},
		"hang under a probe, after one that was refused": {func(c *report.CellReport, r *evidence.CellRun) {
			r.Runs = map[string]evidence.ProbeRun{"a": {Failure: dead(failure.Refused)}, "b": {Failure: dead(failure.Hang)}}
		}, "FAIL", "hang: it died"},
		"no QEMU": {func(c *report.CellReport, r *evidence.CellRun) {
			r.Failure, c.Guest, c.Failure = dead(failure.Infra), nil, &report.Failure{Kind: "infra", Message: "no QEMU"}
		}, "MISS", "infra: no QEMU"},
		"no kernel":     {func(c *report.CellReport, r *evidence.CellRun) { c.Guest = nil }, "MISS", "was not booted"},
		"a running one": {func(c *report.CellReport, r *evidence.CellRun) { c.Target = "native" }, "SKIP", "ran already"},
		"one that runs": {func(c *report.CellReport, r *evidence.CellRun) {}, "PASS", ""},
	} {
		in := input(every()...)
		c.change(&in.Report.Cells[0], &in.Cells[0])
		if boot := submission(t, in).Tests[0]; boot.Status != c.status || !strings.Contains(boot.LogExcerpt, c.says) {
			t.Errorf("%s: %s %q", name, boot.Status, boot.LogExcerpt)
		}
	}
}

// TestOnlyIDsAndTimesDifferInKCIDB fails if two runs with the same result differ in anything else.
func TestOnlyIDsAndTimesDifferInKCIDB(t *testing.T) {
	one, other := input(every()...), input(every()...)
	h := &other.Report.Header
	h.Started, h.Evidence, h.ProbeSeconds, h.Tool.Revision = h.Started.AddDate(1, 0, 0), "other", nil, "other"
	plain := func(in Input) string {
		f := submission(t, in)
		for i := range f.Checkouts {
			f.Checkouts[i].StartTime = one.Report.Header.Started
		}
		for i := range f.Builds {
			f.Builds[i].StartTime = one.Report.Header.Started
		}
		for i := range f.Tests {
			t := &f.Tests[i]
			t.ID, t.StartTime, t.Duration = "", one.Report.Header.Started, 0
		}
		b, err := json.Marshal(f)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	if d := cmp.Diff(plain(one), plain(other)); d != "" {
		t.Error(d)
	}
	if first, second := written(t, "kcidb", one), written(t, "kcidb", one); first != second {
		t.Error("the same report gives other bytes")
	}
}

func TestAnOriginMustBeOneOfKCIDB(t *testing.T) {
	in := input(every()...)
	for origin, good := range map[string]bool{"example_lab": true, "": true, "Example": false, "a:b": false, "a b": false} {
		in.Origin = origin
		if _, err := Write("kcidb", in); (err == nil) != good {
			t.Errorf("%q: %v", origin, err)
		}
	}
	in.Origin = "example_lab"
	if text := written(t, "kcidb", in); strings.Contains(text, `"mapstack:`) || !strings.Contains(text, `"example_lab:`) {
		t.Error(text)
	}
}
