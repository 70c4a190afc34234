package export

import (
	"archive/zip"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/xuri/excelize/v2"

	"github.com/mapstack/conformance/harness/judge/certificate"
	"github.com/mapstack/conformance/harness/judge/report"
	"github.com/mapstack/conformance/harness/judge/verdict"
)

// forms returns the files of openEuler's forms by their names.
func forms(t *testing.T, in Input) map[string][]byte {
	t.Helper()
	files, err := Write("osv", in)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]byte{}
	for _, f := range files {
		all[f.Name] = f.Data
	}
	return all
}

// sheets reads a workbook, and returns the rows of its sheets.
func sheets(t *testing.T, workbook []byte) map[string][][]string {
	t.Helper()
	f, err := excelize.OpenReader(bytes.NewReader(workbook))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	all := map[string][][]string{}
	for _, name := range f.GetSheetList() {
		if all[name], err = f.GetRows(name); err != nil {
			t.Fatal(err)
		}
		for r, row := range all[name] {
			for c := range row {
				at, err := excelize.CoordinatesToCellName(c+1, r+1)
				if err != nil {
					t.Fatal(err)
				}
				if formula, err := f.GetCellFormula(name, at); err != nil || formula != "" {
					t.Errorf("%s %s is a formula: %q, %v", name, at, formula, err)
				}
			}
		}
	}
	return all
}

func described() Input {
	in := input(every()...)
	in.Suites = map[string]report.Text{"s": {Chinese: "关于栈。"}}
	return in
}

func TestTheEvaluationHasTheColumnsOfTheForm(t *testing.T) {
	all := forms(t, described())
	if len(all) != 2 || all["osv-x86_64.xlsx"] == nil || all["osv.json"] == nil {
		t.Fatalf("%d files", len(all))
	}
	read := sheets(t, all["osv-x86_64.xlsx"])
	sum := strings.Repeat("3", 64) + "  linux-image-6.1 6.1.1-1"
	if d := cmp.Diff([][]string{
		{"OSV技术测评报告"},
		{"OSV版本", "Debian 12"}, {"架构", "x86_64"}, {"发布地址", "（请填写）"}, {"checksum", sum},
		{"测评维度", "检测项", "检测点描述", "测试结果", "结论"},
		{"平台验证", "s", "关于栈。（10 条断言）", "通过 2，不通过 5，出错 1，不适用 1，未运行 1\nS-002（MUST）：预期 rw-p，实际 r--p\nS-006（MUST）：预期 rw-p，实际 r--p\n" +
			"S-007（MUST）：预期 rw-p，实际 r--p\nS-008（SHOULD）：预期 rw-p，实际 r--p\nS-009（MAY）：预期 rw-p，实际 r--p", "不通过"},
		{"总结论", "", "已判定的 7 条断言中，有 2 条 MUST 不成立", "通过 2，不通过 5，出错 1，不适用 1，未运行 1", "不通过"},
	}, read["OSV技术测评报告"]); d != "" {
		t.Error(d)
	}
	cases := read["测试用例"]
	if d := cmp.Diff([][]string{
		{"用例名称", "用例编号", "测试目的", "预置条件", "测试步骤", "预期结果", "备注", "实际结果", "结论"},
		{"s S-001（a）", "S-001", "它成立。", "内核 6.1.0-50-amd64\nq35 tcg", "探针 p，步骤 t\n运行 make conformance CELL=a FOCUS=S-001", "断言成立", "MUST\n来源：mmap(2)", "断言成立", "通过"},
		{"s S-002（a）", "S-002", "它成立。", "内核 6.1.0-50-amd64\nq35 tcg", "探针 p，步骤 t\n运行 make conformance CELL=a FOCUS=S-002", "rw-p", "MUST\n来源：mmap(2)\n原因：the subject\nof S-002", "r--p", "不通过"},
	}, cases[:3]); d != "" {
		t.Error(d)
	}
	var said []string
	for _, row := range cases[1:] {
		said = append(said, row[8])
	}
	if d := cmp.Diff([]string{"通过", "不通过", "出错", "未运行", "不适用", "不通过", "不通过", "不通过", "不通过", "通过"}, said); d != "" {
		t.Error(d)
	}
	if !strings.Contains(cases[6][6], "偏差：back-ported（changelog）") || !strings.Contains(cases[7][6], "已知失败：a page is freed（findings）") || cases[4][7] != "the subject\nof S-004" {
		t.Errorf("%q", cases)
	}
}

func TestTheListOfSystemsHasItsFields(t *testing.T) {
	in := described()
	in.Vendor = certificate.Vendor{Organisation: "Example", Product: "Example Linux Server", Version: "22.03", Links: certificate.Links{Website: "https://linux.example"}}
	var got []map[string]any
	if err := json.Unmarshal(forms(t, in)["osv.json"], &got); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]map[string]any{{
		"arch": "x86_64", "osvName": "Example", "osVersion": "Example Linux Server 22.03", "osDownloadLink": "", "type": "", "date": "2001-09-09", "details": "",
		"friendlyLink": "https://linux.example", "totalResult": "fail", "checksum": strings.Repeat("3", 64) + "  linux-image-6.1 6.1.1-1", "baseOpeneulerVersion": "",
		"toolsResult": []any{}, "platformResult": []any{map[string]any{"name": "s", "percent": "28.5%", "result": "fail"}},
	}}, got); d != "" {
		t.Error(d)
	}
}

// TestAnEvaluationPassesOnlyIfEverythingWasDecided fails if what was not decided is called a pass.
func TestAnEvaluationPassesOnlyIfEverythingWasDecided(t *testing.T) {
	pass, unsupported := outcome("S-001", verdict.Pass), outcome("S-005", verdict.Unsupported)
	without := input(pass)
	without.Report.Cells = append(slices.Clone(without.Report.Cells), report.CellReport{Name: "b", Arch: "amd64", Verdict: verdict.Decide(nil)})
	for want, in := range map[string][]Input{
		osvPass:       {input(pass), input(pass, unsupported)},
		osvFail:       {input(pass, outcome("S-002", verdict.Fail)), input(outcome("S-002", verdict.Fail), outcome("S-003", verdict.Error))},
		osvIncomplete: {input(pass, outcome("S-003", verdict.Error)), input(pass, outcome("S-004", verdict.NotRun)), without, input()},
		osvUnneeded:   {input(unsupported)},
	} {
		for _, one := range in {
			var got []osvRecord
			if err := json.Unmarshal(forms(t, one)["osv.json"], &got); err != nil || len(got) != 1 || got[0].TotalResult != want {
				t.Errorf("%+v, %v, want %s", got, err, want)
			}
		}
	}
	if p := percent(verdict.Counts{Pass: 9999, Fail: 1}); p != "99.9%" {
		t.Error(p)
	}
}

// TestAPartOfTheClaimsIsNoEvaluation fails if a kernel could pass of which little was asked.
func TestAPartOfTheClaimsIsNoEvaluation(t *testing.T) {
	in := input(outcome("S-001", verdict.Pass))
	in.Report.Focus = "S-001"
	if _, err := Write("osv", in); err == nil || !strings.Contains(err.Error(), "without --focus") {
		t.Error(err)
	}
}

// TestHostileTextsStayTextsInAWorkbook fails if a text could be a formula or the name of a file in
// another folder, or if a workbook could not be read.
func TestHostileTextsStayTextsInAWorkbook(t *testing.T) {
	in := whole("=cmd|' /C calc'!A0 ../../x" + hostile)
	in.Report.Focus = ""
	in.Vendor = certificate.Vendor{Organisation: hostile, Product: hostile, Version: hostile}
	in.Suites = map[string]report.Text{"s": {Chinese: strings.Repeat(hostile, 500)}}
	files, err := Write("osv", in)
	if err != nil || len(files) != 2 || strings.ContainsAny(files[0].Name, "/\\ <|=") {
		t.Fatalf("%v, %+v", err, files)
	}
	for name, rows := range sheets(t, files[0].Data) {
		for _, row := range rows {
			for _, cell := range row {
				if strings.ContainsAny(cell, "\x1b\u202e\x00\u2028") || len([]rune(cell)) > 32767 {
					t.Errorf("%s has %q", name, cell)
				}
			}
		}
	}
}

// TestARowIsAsHighAsItsTexts fails if what prints a workbook without Excel cuts texts off.
func TestARowIsAsHighAsItsTexts(t *testing.T) {
	in := twoByTwo()
	low := heightOfTheFirstItem(t, in)
	in.Suites = map[string]report.Text{"s": {Chinese: strings.Repeat("很长的说明", 40)}}
	if high := heightOfTheFirstItem(t, in); high < 5*lineHeight || high <= low || high > maxHeight {
		t.Errorf("a text of 200 characters has a row %v points high, a short one %v", high, low)
	}
}

func heightOfTheFirstItem(t *testing.T, in Input) float64 {
	t.Helper()
	book, err := excelize.OpenReader(bytes.NewReader(forms(t, in)["osv-x86_64.xlsx"]))
	if err != nil {
		t.Fatal(err)
	}
	defer book.Close()
	height, err := book.GetRowHeight(osvTitle, 7)
	if err != nil {
		t.Fatal(err)
	}
	return height
}

// TestOnlyTheDateDiffersInAnEvaluation fails if two runs with the same result differ in anything
// but the properties of the document, and the date of the record.
func TestOnlyTheDateDiffersInAnEvaluation(t *testing.T) {
	one, other := twoByTwo(), twoByTwo()
	h := &other.Report.Header
	h.Started, h.Evidence, h.Tool.Revision, h.ProbeSeconds = h.Started.AddDate(1, 0, 0), "other", "other", nil
	a, b := forms(t, one), forms(t, other)
	for name, data := range forms(t, one) {
		if !bytes.Equal(data, a[name]) {
			t.Errorf("%s: the same report gives other bytes", name)
		}
	}
	if d := cmp.Diff(string(a["osv.json"]), strings.ReplaceAll(string(b["osv.json"]), "2002-09-09", "2001-09-09")); d != "" {
		t.Error(d)
	}
	parts, others := unzipped(t, a["osv-x86_64.xlsx"]), unzipped(t, b["osv-x86_64.xlsx"])
	for name, text := range parts {
		if same := text == others[name]; same == (name == "docProps/core.xml") {
			t.Errorf("%s is the same: %t", name, same)
		}
	}
	if len(parts) < 8 || len(parts) != len(others) {
		t.Errorf("%d and %d parts", len(parts), len(others))
	}
}

func unzipped(t *testing.T, data []byte) map[string]string {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		all[f.Name] = string(text)
	}
	return all
}

// TestAnotherReaderReadsTheWorkbook fails if SheetJS finds other texts than excelize, which wrote
// them, or anything but texts.
func TestAnotherReaderReadsTheWorkbook(t *testing.T) {
	sheetjs := reader(t, modules, "xlsx")
	const script = `
const XLSX = require(process.argv[1])
const book = XLSX.read(require('fs').readFileSync(0, 'utf8'), {type: 'base64', cellFormula: true})
const all = {}
for (const name of book.SheetNames) {
  all[name] = []
  const sheet = book.Sheets[name], range = XLSX.utils.decode_range(sheet['!ref'])
  for (let r = range.s.r; r <= range.e.r; r++) for (let c = range.s.c; c <= range.e.c; c++) {
    const cell = sheet[XLSX.utils.encode_cell({r, c})]
    if (cell && (cell.f || cell.t !== 's' && cell.t !== 'z')) throw new Error(JSON.stringify(cell))
    if (cell && cell.v) all[name].push(cell.v)
  }
}
console.log(JSON.stringify(all))
`
	attacked := whole("=1+1" + hostile)
	attacked.Report.Focus = ""
	for _, in := range []Input{described(), twoByTwo(), attacked} {
		for name, data := range forms(t, in) {
			if name == "osv.json" {
				continue
			}
			got, want := map[string][]string{}, map[string][]string{}
			answer(t, base64.StdEncoding.EncodeToString(data), &got, "node", "-e", script, sheetjs)
			for sheet, rows := range sheets(t, data) {
				for _, row := range rows {
					want[sheet] = append(want[sheet], slices.DeleteFunc(row, func(s string) bool { return s == "" })...)
				}
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Error(d)
			}
		}
	}
}
