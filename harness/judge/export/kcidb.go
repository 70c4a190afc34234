package export

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/mapstack/conformance/harness/failure"
	"github.com/mapstack/conformance/harness/foreign"
	"github.com/mapstack/conformance/harness/judge/evidence"
	"github.com/mapstack/conformance/harness/judge/report"
	"github.com/mapstack/conformance/harness/judge/summary"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/harness/matrix/arch"
)

// DefaultOrigin is the name of the CI system in KCIDB, if the user does not give another one.
const DefaultOrigin = "mapstack"

// The statuses of KCIDB that are used here. ERROR, by its words, is of a test's own code; what
// mapstack calls an error may be of the infrastructure as well, and that is MISS.
const (
	kcidbPass = "PASS"
	kcidbFail = "FAIL"
	kcidbMiss = "MISS" // it did not run, or not to its end
	kcidbSkip = "SKIP" // it does not apply
	kcidbDone = "DONE" // it ran, and says nothing of the kernel
)

// kcidbFile is a submission, by version 5.3 of the schema (kernelci/kcidb-io, kcidb_io/schema/v05_03.py).
type kcidbFile struct {
	Version   kcidbVersion    `json:"version"`
	Checkouts []kcidbCheckout `json:"checkouts"`
	Builds    []kcidbBuild    `json:"builds"`
	Tests     []kcidbTest     `json:"tests"`
}

type kcidbVersion struct {
	Major int `json:"major"`
	Minor int `json:"minor"`
}

// kcidbCheckout is the source of a kernel. A package of a distribution names no commit.
type kcidbCheckout struct {
	ID        string         `json:"id"`
	Origin    string         `json:"origin"`
	Comment   string         `json:"comment"`
	StartTime time.Time      `json:"start_time"`
	Misc      map[string]any `json:"misc"`
}

// kcidbBuild is a kernel. It was built elsewhere, so nothing is said of its status.
type kcidbBuild struct {
	ID           string         `json:"id"`
	CheckoutID   string         `json:"checkout_id"`
	Origin       string         `json:"origin"`
	Comment      string         `json:"comment"`
	Architecture string         `json:"architecture,omitempty"` // as in ARCH of the kernel's make
	StartTime    time.Time      `json:"start_time"`
	Misc         map[string]any `json:"misc"`
}

type kcidbTest struct {
	ID          string           `json:"id"`
	BuildID     string           `json:"build_id"`
	Origin      string           `json:"origin"`
	Path        string           `json:"path"`
	Comment     string           `json:"comment"`
	Status      string           `json:"status"`
	StartTime   time.Time        `json:"start_time"`
	Duration    float64          `json:"duration,omitempty"`    // seconds; 0 if it is not known
	LogExcerpt  string           `json:"log_excerpt,omitempty"` // at most 16384 characters
	Environment kcidbEnvironment `json:"environment"`
	Misc        map[string]any   `json:"misc"`
}

type kcidbEnvironment struct {
	Comment string         `json:"comment"`
	Misc    map[string]any `json:"misc"`
}

// kcidb writes a submission: a checkout and a build for each kernel, a test that each cell boots,
// and a test for each claim.
func kcidb(in Input) ([]File, error) {
	w := kcidbWriter{Input: in, origin: cmp.Or(in.Origin, DefaultOrigin), claims: in.claims(), built: map[string]bool{}}
	if !regexp.MustCompile(`^[a-z0-9_]+$`).MatchString(w.origin) {
		return nil, fmt.Errorf("%q is no origin of KCIDB; it has the characters a-z, 0-9 and _ alone", w.origin)
	}
	w.file = kcidbFile{kcidbVersion{5, 3}, []kcidbCheckout{}, []kcidbBuild{}, []kcidbTest{}}
	runs := map[string]evidence.CellRun{}
	for _, c := range in.Cells {
		runs[c.Cell.Name] = c
	}
	of := in.of()
	for _, c := range in.Report.Cells {
		w.cell(c, runs[c.Name], of[c.Name])
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	if err := e.Encode(w.file); err != nil {
		return nil, fmt.Errorf("write the submission to KCIDB: %w", err)
	}
	return []File{{"kcidb.json", foreign.JSON(b.Bytes())}}, nil
}

type kcidbWriter struct {
	Input
	origin string
	claims map[string]report.Claim
	built  map[string]bool // the IDs of builds
	file   kcidbFile
}

// id returns an ID that this origin gives.
func (w *kcidbWriter) id(parts ...string) string {
	return w.origin + ":" + foreign.Text(strings.Join(parts, "."))
}

func (w *kcidbWriter) cell(c report.CellReport, run evidence.CellRun, outcomes []verdict.Outcome) {
	build := w.build(c)
	env := kcidbEnvironment{
		Comment: line(strings.TrimSpace(c.Runs() + " " + c.Accelerator)),
		Misc: misc("cell", c.Name, "os", c.OS, "machine", c.Runs(), "product", w.Report.Product.String(), "accelerator", c.Accelerator, "qemu", emulator(w.Report, c.QEMU),
			"target", c.Target, "page_size", c.PageSize, "cpus", c.CPUs, "memory_mib", c.MemoryMiB),
	}
	add := func(name string, t kcidbTest) {
		t.ID, t.BuildID, t.Origin = w.id(w.Report.Header.Evidence, c.Name, name), build, w.origin
		t.StartTime, t.Environment = w.Report.Header.Started, env
		w.file.Tests = append(w.file.Tests, t)
	}
	add("boot", boot(c, run))
	readers := map[string]int{}
	for _, o := range outcomes {
		readers[o.Probe]++
	}
	for _, o := range outcomes {
		t := w.test(o)
		// The claims of a probe share its time, so that the times add up.
		t.Duration = math.Round(1000*w.Report.Header.ProbeSeconds[o.Cell][o.Probe]/float64(readers[o.Probe])) / 1000
		add(o.Claim, t)
	}
}

// build returns the ID of the build of a cell's kernel. It is there once, with its checkout.
func (w *kcidbWriter) build(c report.CellReport) string {
	k, p := c.Kernel, c.Kernel.Provenance
	key := k.ImageSHA256
	if key == "" { // a system that runs already, or a kernel that was not had
		key = fmt.Sprintf("%x", sha256.Sum256([]byte(strings.Join([]string{c.Name, c.Arch, k.Release, k.ConfigSHA256, source(c)}, "\x00"))))
	}
	id := w.id(key, c.Arch)
	if w.built[id] {
		return id
	}
	w.built[id] = true
	started := w.Report.Header.Started
	w.file.Checkouts = append(w.file.Checkouts, kcidbCheckout{ID: id, Origin: w.origin, Comment: line(cmp.Or(source(c), k.Release, c.Name)), StartTime: started,
		Misc: misc("package", p.Package, "package_version", p.Version, "package_sha256", p.SHA256, "filename", p.Filename, "kind", p.Kind, "suite", p.Suite, "os", c.OS)})
	b := kcidbBuild{ID: id, CheckoutID: id, Origin: w.origin, Comment: line(cmp.Or(k.Release, source(c), c.Name)), StartTime: started,
		Misc: misc("release", k.Release, "image_sha256", k.ImageSHA256, "config_sha256", k.ConfigSHA256, "format", k.Format, "compiler", p.Compiler)}
	if r, err := arch.Lookup(c.Arch); err == nil {
		b.Architecture = r.Kbuild
	}
	w.file.Builds = append(w.file.Builds, b)
	return id
}

// boot says whether the kernel of a cell booted, and did not die. KCIDB has no other place for a
// kernel that dies under a test.
func boot(c report.CellReport, run evidence.CellRun) kcidbTest {
	t := kcidbTest{Path: "boot", Comment: "The kernel boots, and does not die before the end of the tests.", Misc: misc("cell", c.Name)}
	died := death(run)
	switch {
	case c.Target == "native" || c.Target == "ssh":
		t.Status, t.LogExcerpt = kcidbSkip, "The system ran already."
	case died != nil:
		t.Status, t.LogExcerpt = kcidbFail, excerpt(died.Error())
		t.Misc["failure"] = string(died.Kind)
	case c.Guest != nil:
		t.Status = kcidbPass
	default:
		t.Status, t.LogExcerpt = kcidbMiss, "The kernel was not booted, or not as far as its agent."
		if c.Failure != nil {
			t.LogExcerpt = excerpt(c.Failure.Kind + ": " + c.Failure.Message)
			t.Misc["failure"] = line(c.Failure.Kind)
		}
	}
	return t
}

// death returns the failure of a cell that is the kernel's, else that of its first probe by name,
// else nil.
func death(run evidence.CellRun) *failure.Failure {
	if run.Failure != nil && run.Failure.OfKernel() {
		return run.Failure
	}
	for _, probe := range slices.Sorted(maps.Keys(run.Runs)) {
		if f := run.Runs[probe].Failure; f != nil && f.OfKernel() {
			return f
		}
	}
	return nil
}

// test is the outcome of a claim.
func (w *kcidbWriter) test(o verdict.Outcome) kcidbTest {
	c := w.claims[o.Claim]
	t := kcidbTest{Path: "mapstack." + step(o.Suite) + "." + step(o.Claim), Comment: line(c.English), Status: kcidbStatus(o),
		Misc: misc("cell", o.Cell, "claim", o.Claim, "level", string(o.Level), "outcome", string(o.Status), "probe", o.Probe, "source", c.Source,
			"expected", o.Expected, "observed", o.Observed, "evidence", o.Where.Path, "step", o.Where.Step, "again", summary.Repeat(w.Report, o.Cell, o.Claim))}
	if o.Status != verdict.Pass {
		t.LogExcerpt = excerpt(o.Text())
	}
	if o.Accepted() {
		t.Misc["deviation"] = misc("reason", o.Deviation.Reason, "source", o.Deviation.Source, "until", o.Deviation.Until)
	}
	if k := o.Known; o.AsKnown() {
		t.Misc["known_failure"] = misc("reason", k.Reason, "link", k.Link, "owner", k.Owner, "until", k.Until, "fixed_in", k.FixedIn)
	}
	return t
}

// kcidbStatus returns the status of an outcome. A failure is one although a record expects it;
// Misc has the record. A MAY that fails is a finding about something other than the kernel.
func kcidbStatus(o verdict.Outcome) string {
	switch {
	case o.Status == verdict.Pass:
		return kcidbPass
	case o.Status == verdict.Fail && o.Level == verdict.May:
		return kcidbDone
	case o.Status == verdict.Fail:
		return kcidbFail
	case o.Status == verdict.Unsupported:
		return kcidbSkip
	}
	return kcidbMiss
}

// step returns a step of a path.
func step(s string) string {
	return regexp.MustCompile(`[^A-Za-z0-9_-]`).ReplaceAllString(cmp.Or(s, "_"), "_")
}

// line returns a text on one line.
func line(s string) string { return foreign.Text(cut(s, maxShown)) }

// excerpt returns a text that fits into a log_excerpt.
func excerpt(s string) string { return cut(foreign.Lines(s), 16<<10-1) }

// misc returns the values that are there by their names.
func misc(pairs ...any) map[string]any {
	all := map[string]any{}
	for i := 0; i < len(pairs); i += 2 {
		switch v := pairs[i+1].(type) {
		case string:
			if v != "" {
				all[pairs[i].(string)] = foreign.Lines(cut(v, maxWhole))
			}
		case int:
			if v != 0 {
				all[pairs[i].(string)] = v
			}
		}
	}
	return all
}
