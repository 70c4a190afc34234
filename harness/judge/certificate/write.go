package certificate

import (
	"fmt"
	"io"
	"strings"

	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/mapstack/conformance/harness/language"
)

// Write shows the certificate to a reader of a language.
func (s Statement) Write(w io.Writer, l language.Language) error {
	p, t := s.Predicate, s.Predicate.Terms
	fmt.Fprintf(w, l.Pick("Certificate of mapstack %s: conformant\n\n", "mapstack %s 的证书：符合\n\n"), t.Suite)
	var rows [][2]string
	row := func(name string, values ...string) {
		for _, v := range values {
			if v != "" {
				rows = append(rows, [2]string{name, v})
			}
			name = ""
		}
	}
	row(l.Pick("Organisation", "机构"), t.Vendor.Organisation)
	row(l.Pick("Product", "产品"), t.Vendor.Product+" "+t.Vendor.Version)
	row(l.Pick("Contact", "联系方式"), t.Vendor.Contact...)
	row(l.Pick("Links", "链接"), t.Vendor.Links.Website, t.Vendor.Links.Documentation, t.Vendor.Links.Repository)
	for _, c := range t.Cells {
		row(l.Pick("Cell", "单元"), fmt.Sprintf(l.Pick("%s: %s, Linux %s, pages of %d bytes, on %s (%s)", "%s：%s，Linux %s，页大小 %d 字节，机器 %s（%s）"), c.Name, c.Arch, c.Release, c.PageSize, c.Machine, c.Accelerator))
	}
	for _, r := range s.Subject {
		row("SHA-256", r.Digest["sha256"]+"  "+r.Name)
	}
	row(l.Pick("Claims", "断言"), fmt.Sprintf(l.Pick("%d hold, %d do not apply or were not decided", "%d 条成立，%d 条不适用或未判定"), len(p.Passed), len(t.Undecided)))
	if len(p.Warned) > 0 {
		row(l.Pick("With a warning", "有警告"), strings.Join(p.Warned, ", "))
	}
	for _, d := range t.Deviations {
		row(l.Pick("Deviation", "偏差"), fmt.Sprintf("%s: %s (%s)", d.Test, d.Reason, d.Source))
	}
	row(l.Pick("Counts", "有效期"), fmt.Sprintf(l.Pick("run on %s, made on %s, ends after %s or with mapstack %s", "运行于 %s，制作于 %s，%s 之后或 mapstack %s 起失效"), t.Ran, t.Made, t.Ends, t.EndsWith))
	width := 0
	for _, r := range rows {
		width = max(width, text.StringWidth(r[0]))
	}
	for _, r := range rows {
		fmt.Fprintf(w, "%s  %s\n", text.Pad(r[0], width, ' '), r[1])
	}
	fmt.Fprintln(w, l.Pick("\nWhat it does not promise:", "\n它不作的承诺："))
	for _, promise := range t.NoPromise {
		if _, err := fmt.Fprintf(w, "  - %s\n", l.Pick(promise.English, promise.Chinese)); err != nil {
			return fmt.Errorf("show the certificate: %w", err)
		}
	}
	return nil
}
