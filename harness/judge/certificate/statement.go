// Package certificate makes the certificate of a run: what it says, why it is refused, and
// whether one that somebody shows follows from the evidence beside it. It signs nothing.
package certificate

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/mapstack/conformance/harness/judge/evidence"
	"github.com/mapstack/conformance/harness/judge/facts"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/poc/catalog"
)

// The types of an in-toto statement about a test: https://github.com/in-toto/attestation,
// spec/v1/statement.md and spec/predicates/test-result.md.
const (
	statementType = "https://in-toto.io/Statement/v1"
	predicateType = "https://in-toto.io/attestation/test-result/v0.1"
)

// Inputs is all that a certificate is made of.
type Inputs struct {
	Vendor   Vendor
	Suite    string // the version of mapstack
	Made     time.Time
	Run      evidence.Run
	Cells    []evidence.CellRun
	Outcomes []verdict.Outcome
	Evidence string // SHA-256 of the run's evidence, see evidence.Digest
	Report   string // SHA-256 of the run's report
}

// Statement is what a certificate says, as an in-toto statement. The same run of the same
// vendor gives the same statement on the same day.
type Statement struct {
	Type          string     `json:"_type"`
	Subject       []Resource `json:"subject"`
	PredicateType string     `json:"predicateType"`
	Predicate     Predicate  `json:"predicate"`
}

// Resource is an in-toto ResourceDescriptor.
type Resource struct {
	Name        string            `json:"name"`
	Digest      map[string]string `json:"digest,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

// Predicate is an in-toto test result. A test is named after its cell and its claim.
type Predicate struct {
	Result        string     `json:"result"` // PASSED, or WARNED if Warned has tests
	Configuration []Resource `json:"configuration"`
	Passed        []string   `json:"passedTests"`
	// Warned are SHOULDs and MAYs that do not hold or ended in an error of the tests, and
	// MUSTs that do not hold as a recorded deviation accepts.
	Warned []string `json:"warnedTests"`
	Failed []string `json:"failedTests"` // always empty
	// Terms is what mapstack adds to the predicate.
	Terms Terms `json:"mapstack_certificate"`
}

// Terms says whom a certificate is for, how long it counts, and what it does not promise.
type Terms struct {
	Vendor Vendor `json:"vendor"`
	Suite  string `json:"suite"` // the version of mapstack that made it
	// Ran and Made are days in UTC: of the run, and of the certificate. Ends is the last day
	// on which it counts.
	Ran  string `json:"ran"`
	Made string `json:"made"`
	Ends string `json:"ends"`
	// EndsWith is the first version of mapstack with which it counts no more.
	EndsWith string `json:"endsWith"`
	Cells    []Cell `json:"cells"`
	// Undecided are the claims that do not apply, or that the system does not let decide.
	Undecided  []string    `json:"undecidedTests"`
	Deviations []Deviation `json:"deviations"`
	NoPromise  []Text      `json:"doesNotPromise"`
}

// Cell is what a kernel ran on.
type Cell struct {
	Name     string `json:"name"`
	Arch     string `json:"arch"`
	OS       string `json:"os"`
	Release  string `json:"release"` // uname -r
	PageSize int    `json:"pageSize"`
	// Accelerator is kvm, or tcg where QEMU emulated the processor.
	Accelerator string `json:"accelerator"`
	Machine     string `json:"machine"`
}

// Deviation is a claim that does not hold, and the record that accepts it.
type Deviation struct {
	Test string `json:"test"`
	verdict.Deviation
}

// Text is a sentence in both languages.
type Text struct {
	English string `json:"en"`
	Chinese string `json:"zh"`
}

// noPromise is what no certificate promises.
func noPromise() []Text {
	return []Text{
		{"It is about the files with these hashes alone, and not about other builds or versions of the kernel or the product.",
			"它只涉及具有这些哈希值的文件，不涉及该内核或产品的其他构建和版本。"},
		{"It is about the listed claims alone. It says nothing of performance, security, drivers or other hardware.",
			"它只涉及所列的断言，不涉及性能、安全、驱动程序或其他硬件。"},
		{"It promises nothing about the undecided claims.",
			"对未判定的断言，它不作任何承诺。"},
		{"Whoever runs the tests can forge the evidence. The signature shows who vouches for it, and not that the run took place; repeat the run to see that.",
			"运行测试的人可以伪造证据。签名只表明由谁担保，不表明运行确实发生过；要确认这一点，请重新运行。"},
		{"The authors of mapstack did not look at the product and do not endorse it.",
			"mapstack 的作者没有检查该产品，也不为其背书。"},
	}
}

// New returns the statement about a run that Refusals finds nothing against.
func New(in Inputs) Statement {
	ran := day(in.Run.Started)
	s := Statement{
		Type: statementType, PredicateType: predicateType, Subject: subjects(in),
		Predicate: Predicate{
			Result: "PASSED", Configuration: configuration(in), Passed: []string{}, Warned: []string{}, Failed: []string{},
			Terms: Terms{
				Vendor: in.Vendor, Suite: in.Suite, Ran: ran.Format(time.DateOnly), Made: day(in.Made).Format(time.DateOnly),
				Ends: end(ran).Format(time.DateOnly), EndsWith: strconv.Itoa(major(in.Suite)+1) + ".0.0",
				Cells: cells(in.Cells), Undecided: []string{}, Deviations: []Deviation{}, NoPromise: noPromise(),
			},
		},
	}
	p := &s.Predicate
	for _, o := range in.Outcomes {
		test := o.Cell + "/" + o.Claim
		if o.Accepted() {
			p.Terms.Deviations = append(p.Terms.Deviations, Deviation{test, o.Deviation})
		}
		switch {
		case o.Status == verdict.Unsupported:
			p.Terms.Undecided = append(p.Terms.Undecided, test)
		case o.Status == verdict.Pass:
			p.Passed = append(p.Passed, test)
		default:
			p.Result = "WARNED"
			p.Warned = append(p.Warned, test)
		}
	}
	return s
}

// day returns the begin of a time's day in UTC.
func day(t time.Time) time.Time { return t.UTC().Truncate(24 * time.Hour) }

// end returns the last day of a certificate about a run of a day: a year later.
func end(ran time.Time) time.Time { return ran.AddDate(1, 0, 0) }

// major returns the first number of a version.
func major(version string) int {
	first, _, _ := strings.Cut(version, ".")
	n, _ := strconv.Atoi(first)
	return n
}

// The roles of subjects.
const (
	rolePackage  = "kernel package, kernel file or disk image, as it was given"
	roleImage    = "kernel image, as it was booted"
	roleEvidence = "evidence of the run"
	roleReport   = "report of the run"
)

// subjects lists what the certificate is about.
func subjects(in Inputs) []Resource {
	var all []Resource
	add := func(name, sum, role, cell string) {
		if sum == "" {
			return
		}
		r := Resource{Name: name, Digest: map[string]string{"sha256": sum}, Annotations: map[string]string{"role": role}}
		if cell != "" {
			r.Annotations["cell"] = cell
		}
		all = append(all, r)
	}
	for _, c := range in.Cells {
		if c.Kernel == nil {
			continue
		}
		add(c.Kernel.Provenance.Filename, c.Kernel.Provenance.SHA256, rolePackage, c.Cell.Name)
		add("kernel image", c.Kernel.ImageSHA256, roleImage, c.Cell.Name)
	}
	add("evidence", in.Evidence, roleEvidence, "")
	add("report.json", in.Report, roleReport, "")
	return all
}

// configuration lists what the tests ran with.
func configuration(in Inputs) []Resource {
	all := []Resource{{Name: "mapstack", Annotations: map[string]string{"version": in.Suite, "revision": in.Run.Revision}}}
	for _, c := range in.Cells {
		if k := c.Kernel; k != nil && k.ConfigSHA256 != "" {
			all = append(all, Resource{Name: "kernel configuration", Digest: map[string]string{"sha256": k.ConfigSHA256}, Annotations: map[string]string{"cell": c.Cell.Name}})
		}
		if q := c.QEMU; q != nil {
			var params []string
			for _, p := range q.Params {
				params = append(params, p.Value)
			}
			all = append(all, Resource{Name: "qemu", Annotations: map[string]string{"cell": c.Cell.Name, "version": q.Version, "build": q.Build, "kernelParameters": strings.Join(params, " ")}})
		}
		if g := c.Guest; g != nil {
			all = append(all, Resource{Name: "guest programs", Annotations: map[string]string{"cell": c.Cell.Name, "image": g.Image, "go": g.Go}})
		}
	}
	return all
}

func cells(runs []evidence.CellRun) []Cell {
	all := []Cell{}
	for _, c := range runs {
		cell := Cell{Name: c.Cell.Name, Arch: c.Cell.Arch, OS: c.Cell.OS, PageSize: cmp.Or(c.Cell.PageSize, facts.PageSizeOf(c.Transcripts[catalog.Facts]))}
		if g := c.Guest; g != nil {
			cell.Release = g.Hello.Release
		}
		if q := c.QEMU; q != nil {
			cell.Accelerator, cell.Machine = q.Accelerator, q.Machine
		}
		all = append(all, cell)
	}
	return all
}

// Marshal returns the statement as JSON. The same statement always gives the same bytes.
func (s Statement) Marshal() ([]byte, error) {
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("write the statement: %w", err)
	}
	return b, nil
}

// Parse reads a statement. It accepts what Marshal writes alone, of a vendor that ParseVendor
// would accept.
func Parse(payload []byte) (Statement, error) {
	var s Statement
	if err := json.Unmarshal(payload, &s); err != nil {
		return s, fmt.Errorf("it holds no statement of mapstack: %w", err)
	}
	switch again, err := s.Marshal(); {
	case err != nil:
		return s, err
	case s.Type != statementType || s.PredicateType != predicateType || !bytes.Equal(again, payload):
		return s, errors.New("it holds no statement as mapstack writes one; another version of mapstack or another program wrote it")
	}
	if !s.Predicate.Terms.Vendor.valid() {
		return s, errors.New("what it says of the vendor is nothing that a vendor's file can say")
	}
	return s, nil
}
