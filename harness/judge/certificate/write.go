package certificate

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// Write shows the certificate to a reader.
func (s Statement) Write(w io.Writer) error {
	p, t := s.Predicate, s.Predicate.Terms
	fmt.Fprintf(w, "Certificate of mapstack %s: conformant\n\n", t.Suite)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(name string, values ...string) {
		for _, v := range values {
			if v != "" {
				fmt.Fprintf(table, "%s\t%s\n", name, v)
			}
			name = ""
		}
	}
	row("Organisation", t.Vendor.Organisation)
	row("Product", t.Vendor.Product+" "+t.Vendor.Version)
	row("Contact", t.Vendor.Contact...)
	row("Links", t.Vendor.Links.Website, t.Vendor.Links.Documentation, t.Vendor.Links.Repository)
	for _, c := range t.Cells {
		row("Cell", fmt.Sprintf("%s: %s, Linux %s, pages of %d bytes, on %s (%s)", c.Name, c.Arch, c.Release, c.PageSize, c.Machine, c.Accelerator))
	}
	for _, r := range s.Subject {
		row("SHA-256", r.Digest["sha256"]+"  "+r.Name)
	}
	row("Claims", fmt.Sprintf("%d hold, %d do not apply or were not decided", len(p.Passed), len(t.Undecided)))
	if len(p.Warned) > 0 {
		row("With a warning", strings.Join(p.Warned, ", "))
	}
	for _, d := range t.Deviations {
		row("Deviation", fmt.Sprintf("%s: %s (%s)", d.Test, d.Reason, d.Source))
	}
	row("Counts", fmt.Sprintf("run on %s, made on %s, ends after %s or with mapstack %s", t.Ran, t.Made, t.Ends, t.EndsWith))
	if err := table.Flush(); err != nil {
		return fmt.Errorf("show the certificate: %w", err)
	}
	fmt.Fprintln(w, "\nWhat it does not promise:")
	for _, text := range t.NoPromise {
		if _, err := fmt.Fprintf(w, "  - %s\n", text.English); err != nil {
			return fmt.Errorf("show the certificate: %w", err)
		}
	}
	return nil
}
