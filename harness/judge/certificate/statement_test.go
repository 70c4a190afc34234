package certificate

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	testresult "github.com/in-toto/attestation/go/predicates/test_result/v0"
	intoto "github.com/in-toto/attestation/go/v1"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/mapstack/conformance/harness/judge/evidence"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/harness/matrix/arch"
	"github.com/mapstack/conformance/poc/wire"
)

// run returns the inputs of a certificate, with outcomes of every kind that it may have.
func run(t *testing.T) Inputs {
	t.Helper()
	cell := matrix.Cell{Name: "given-kernel-amd64", Arch: "amd64", OS: "unknown", Kernel: matrix.Kernel{From: matrix.Given}}
	cells := []evidence.CellRun{{Cell: cell,
		Kernel: &evidence.Kernel{ImageSHA256: strings.Repeat("b", 64), ConfigSHA256: strings.Repeat("c", 64),
			Provenance: evidence.Provenance{Filename: "kernel.rpm", SHA256: strings.Repeat("a", 64)}},
		QEMU:  &evidence.QEMU{Version: "10.0", Accelerator: "tcg", Machine: "q35", Params: []arch.Param{{Value: "panic=-1", Reason: "r"}}},
		Guest: &evidence.Guest{Image: "i", Go: "go1.26.8", Hello: wire.Hello{Release: "4.19.90"}}}}
	run := evidence.Run{Cells: []matrix.Cell{cell}, Started: time.Date(2026, 11, 29, 23, 0, 0, 0, time.UTC)}
	vendor, err := ParseVendor("v", []byte(goodVendor))
	if err != nil {
		t.Fatal(err)
	}
	o := func(id string, l verdict.Level, s verdict.Status) verdict.Outcome {
		return verdict.Outcome{Cell: run.Cells[0].Name, Suite: "s", Claim: id, Level: l, Status: s, Reason: "because\nof this"}
	}
	return Inputs{Vendor: vendor, Suite: "0.1.0", Made: run.Started.AddDate(0, 0, 3), Run: run, Cells: cells,
		Outcomes: []verdict.Outcome{o("AA-001", verdict.Must, verdict.Pass), o("AA-002", verdict.Should, verdict.Fail), o("AA-003", verdict.Must, verdict.Unsupported)},
		Evidence: strings.Repeat("e", 64), Report: strings.Repeat("f", 64)}
}

// TestTheInTotoLibraryAcceptsAStatement fails if a reader of in-toto attestations refuses what
// we write, or reads it otherwise.
func TestTheInTotoLibraryAcceptsAStatement(t *testing.T) {
	payload, err := New(run(t)).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	var s intoto.Statement
	if err := protojson.Unmarshal(payload, &s); err != nil {
		t.Fatal(err)
	}
	if err := s.Validate(); err != nil {
		t.Error(err)
	}
	if len(s.Subject) != 4 || s.Subject[0].Digest["sha256"] != strings.Repeat("a", 64) {
		t.Errorf("%v", s.Subject)
	}
	predicate, err := protojson.Marshal(s.Predicate)
	if err != nil {
		t.Fatal(err)
	}
	var r testresult.TestResult
	if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(predicate, &r); err != nil {
		t.Fatal(err)
	}
	if r.Result != "WARNED" || !slices.Equal(r.PassedTests, []string{"given-kernel-amd64/AA-001"}) ||
		!slices.Equal(r.WarnedTests, []string{"given-kernel-amd64/AA-002"}) || len(r.FailedTests) != 0 || len(r.Configuration) != 4 {
		t.Errorf("%v", &r)
	}
	for _, c := range r.Configuration {
		if err := c.Validate(); err != nil {
			t.Errorf("%v: %v", c, err)
		}
	}
}

func TestAStatementReadsBackAndFollowsFromTheSameRun(t *testing.T) {
	in := run(t)
	payload, err := New(in).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	s, err := Parse(payload)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Follows(New(in)); err != nil {
		t.Error(err)
	}
	terms := s.Predicate.Terms
	if terms.Ran != "2026-11-29" || terms.Made != "2026-12-02" || terms.Ends != "2027-11-29" || terms.EndsWith != "1.0.0" ||
		!slices.Equal(terms.Undecided, []string{"given-kernel-amd64/AA-003"}) || len(terms.NoPromise) < 4 {
		t.Errorf("%+v", terms)
	}
	for _, other := range [][]byte{append(payload, '\n'), bytes.Replace(payload, []byte("{"), []byte(`{"x":1,`), 1), []byte("[]")} {
		if _, err := Parse(other); err == nil {
			t.Errorf("%.40q is accepted", other)
		}
	}
}

func TestACertificateEndsAfterAYearOrWithTheNextMajorVersion(t *testing.T) {
	s := New(run(t))
	for name, c := range map[string]struct{ now, suite, want string }{
		"its first day":        {"2026-12-02T00:00:00Z", "0.1.0", ""},
		"its last second":      {"2027-11-29T23:59:59Z", "0.9.3", ""},
		"the second after":     {"2027-11-30T00:00:00Z", "0.1.0", "it ended on 2027-11-29"},
		"in the west":          {"2027-11-29T20:00:00-08:00", "0.1.0", "it ended on 2027-11-29"},
		"before it was made":   {"2026-12-01T23:59:59Z", "0.1.0", "it was made on 2026-12-02, which is not yet"},
		"the next major":       {"2026-12-02T00:00:00Z", "1.0.0", "it ended with mapstack 1.0.0"},
		"the major after that": {"2026-12-02T00:00:00Z", "2.3.0", "it ended with mapstack 1.0.0"},
	} {
		now, err := time.Parse(time.RFC3339, c.now)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Over(now, c.suite); (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	s.Predicate.Terms.Ends = "never"
	if err := s.Over(s.MadeOn(), "0.1.0"); err == nil {
		t.Error("a certificate without an end is accepted")
	}
}

func TestEveryReasonIsListedAndDecidesTheExitStatus(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Inputs)
		exit   int
		want   []string
	}{
		"nothing": {func(*Inputs) {}, 0, nil},
		"an error and a claim that was not decided": {func(in *Inputs) {
			in.Outcomes[0].Status, in.Outcomes[1].Status = verdict.NotRun, verdict.Error
		}, 2, []string{"AA-001, a MUST, on cell given-kernel-amd64, was not decided: because", "AA-002, a SHOULD, on cell given-kernel-amd64, ended in an error: because"}},
		"a status that nobody knows": {func(in *Inputs) { in.Outcomes[0].Status = "fine" }, 2, []string{"ended in an error"}},
		"a MUST, a focus, a focus of the cell, and a claim that was not decided": {func(in *Inputs) {
			in.Outcomes[0].Status, in.Outcomes[1].Status = verdict.Fail, verdict.NotRun
			in.Run.Focus, in.Cells[0].Cell.Focus = "MS-001", "mmapabi"
		}, 1, []string{"narrowed to MS-001", "cell given-kernel-amd64: only mmapabi was checked on it", "AA-001, a MUST, on cell given-kernel-amd64, does not hold: because", "AA-002"}},
		"a deviation with a link": {func(in *Inputs) {
			in.Outcomes[0].Status, in.Outcomes[0].Deviation = verdict.Fail, verdict.Deviation{Reason: "r", Source: "docs/findings.md#x", Until: "2026-11-29"}
		}, 0, nil},
		"a deviation without a reason or a link, and past its end": {func(in *Inputs) {
			in.Outcomes[0].Status, in.Outcomes[0].Deviation = verdict.Fail, verdict.Deviation{Source: "a mail", Until: "2026-11-28"}
		}, 1, []string{"AA-001, a MUST, on cell given-kernel-amd64, fails as a deviation accepts, and the deviation has no reason", `has no link: its source is "a mail"`, "is past its end, 2026-11-28"}},
		"a stale deviation of a SHOULD": {func(in *Inputs) { in.Outcomes[1].Reason = verdict.StaleDeviation + "it holds" }, 1, []string{"AA-002, a SHOULD, on cell given-kernel-amd64, does not hold: stale deviation: it holds"}},
		"no outcome":                    {func(in *Inputs) { in.Outcomes = nil }, 2, []string{"the verdict is incomplete: no claim was decided"}},
		"nothing but undecided":         {func(in *Inputs) { in.Outcomes = in.Outcomes[2:] }, 2, []string{"the verdict is incomplete: no claim was decided"}},
		"a run of the future":           {func(in *Inputs) { in.Made = in.Run.Started.AddDate(0, 0, -1) }, 1, []string{"the run is of 2026-11-29, which is not yet"}},
		"a run of another product": {func(in *Inputs) {
			in.Run.Product = in.Vendor.Tested()
			in.Run.Product.Version = "of yesterday"
		}, 1, []string{"of yesterday"}},
		"a run of the same product":  {func(in *Inputs) { in.Run.Product = in.Vendor.Tested() }, 0, nil},
		"a run of long ago":          {func(in *Inputs) { in.Made = in.Run.Started.AddDate(1, 0, 1) }, 1, []string{"a certificate of it ended on 2027-11-29"}},
		"an emulator":                {func(in *Inputs) { in.Cells[0].Cell.Host = matrix.UserMode }, 1, []string{"it is a user-mode emulator"}},
		"a kernel of the twin":       {func(in *Inputs) { in.Cells[0].Cell.Tier = matrix.Twin }, 1, []string{"it is a twin"}},
		"a system behind ssh":        {func(in *Inputs) { in.Cells[0].Cell.Host = matrix.SSH }, 1, []string{"a system that ran already"}},
		"a hash that is none":        {func(in *Inputs) { in.Cells[0].Kernel.ImageSHA256 = "0x12" }, 1, []string{"no SHA-256 of what was tested"}},
		"no kernel":                  {func(in *Inputs) { in.Cells[0].Kernel = nil }, 1, []string{"no SHA-256 of what was tested"}},
		"a parameter of the cell":    {func(in *Inputs) { in.Cells[0].Cell.Params = in.Cells[0].QEMU.Params[:1] }, 1, []string{"the parameter panic=-1, with which it is not shipped"}},
		"a system booted in full":    {func(in *Inputs) { in.Cells[0].Cell.Host, in.Cells[0].Cell.Kernel.From = matrix.FullBoot, "" }, 0, nil},
		"a kernel that was supplied": {func(in *Inputs) { in.Cells[0].Cell.Kernel.From, in.Cells[0].Cell.Tier = matrix.Supplied, matrix.Real }, 0, nil},
	} {
		in := run(t)
		c.change(&in)
		reasons := Refusals(in)
		if code := ExitCode(reasons); code != c.exit || len(reasons) != len(c.want) {
			t.Errorf("%s: exit status %d, want %d and %d reasons: %+v", name, code, c.exit, len(c.want), reasons)
			continue
		}
		for i, r := range reasons {
			if !strings.Contains(r.Why, c.want[i]) {
				t.Errorf("%s: %q, want %q", name, r.Why, c.want[i])
			}
			if r.Chinese == "" || r.Chinese == r.Why || strings.Contains(r.Why+r.Chinese, "%!") {
				t.Errorf("%s: %q is %q in Chinese", name, r.Why, r.Chinese)
			}
		}
	}
}

func TestASecondRunIsOfTheSameFilesAndGivesTheSameOutcomes(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Inputs)
		exit   int
		want   string
	}{
		"the same, renamed": {func(in *Inputs) { in.Cells[0].Cell.Name, in.Cells[0].Kernel.Provenance.Filename = "other", "other" }, 0, ""},
		"another package":   {func(in *Inputs) { in.Cells[0].Kernel.Provenance.SHA256 = "0" }, 0, "give the same file"},
		"another image":     {func(in *Inputs) { in.Cells[0].Kernel.ImageSHA256 = "0" }, 0, "and here 0 was booted"},
		"nothing":           {func(in *Inputs) { in.Cells[0].Kernel = nil }, 0, "no kernel was found"},
		"two cells":         {func(in *Inputs) { in.Cells = append(in.Cells, in.Cells...) }, 0, "only a run of one cell"},
		"another outcome":   {func(in *Inputs) { in.Outcomes[0].Status = verdict.Fail }, 1, "AA-001 is pass in the certificate and fail here: because"},
		"a better outcome":  {func(in *Inputs) { in.Outcomes[1].Status, in.Outcomes[1].Reason = verdict.Pass, "" }, 1, "AA-002 is fail in the certificate and pass here"},
		"an error":          {func(in *Inputs) { in.Outcomes[0].Status = verdict.Error }, 2, "AA-001 is pass in the certificate and error here"},
		"a claim less":      {func(in *Inputs) { in.Outcomes = in.Outcomes[1:] }, 2, "AA-001 was not run again"},
	} {
		second := run(t)
		c.change(&second)
		differences, err := Repeats(run(t), second)
		if err != nil {
			differences = append(differences, Refusal{Why: err.Error(), Incomplete: true})
		}
		if code := ExitCode(differences); err == nil && code != c.exit || (len(differences) == 0) != (c.want == "") || len(differences) > 0 && !strings.Contains(differences[0].Why, c.want) {
			t.Errorf("%s: exit status %d, %v %+v, want %q", name, code, err, differences, c.want)
		}
	}
}
