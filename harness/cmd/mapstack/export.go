package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mapstack/conformance/harness/foreign"
	"github.com/mapstack/conformance/harness/judge/evidence"
	"github.com/mapstack/conformance/harness/judge/export"
	"github.com/mapstack/conformance/harness/judge/report"
	"github.com/mapstack/conformance/harness/language"
	"github.com/mapstack/conformance/suites"
)

// formatUsage explains --format.
var formatUsage = "one of: " + strings.Join(formatNames(), ", ")

func exportCommand() *cobra.Command {
	var format, out, origin, vendor string
	var strict bool
	cmd := &cobra.Command{
		Use: "export DIR... --format FORMAT", Short: "Write the report of a run in another format",
		Long: "export reads the evidence of a finished run (out/<run>), checks it as verdict does, and writes its report\n" +
			"in the format of another program. It ends with 0 if the report was written, whatever the verdict is.\n" +
			"The format compatibility takes several runs: a page of kernels, systems and architectures, in Markdown and HTML.",
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			for _, of := range []struct{ flag, value, format string }{{"origin", origin, "kcidb"}, {"vendor", vendor, "osv"}} {
				if of.value != "" && format != of.format {
					return fmt.Errorf("--%s is about the format %s, and this is %q; leave it out", of.flag, of.format, format)
				}
			}
			if format == export.Compatible {
				return compatible(cmd, args, out, strict)
			}
			if len(args) > 1 {
				return fmt.Errorf("the format %s is of one run, and these are %d; name one, or give --format %s", format, len(args), export.Compatible)
			}
			in, said, err := exported(runFolder(args[0]))
			if err != nil {
				return err
			}
			fmt.Fprint(cmd.ErrOrStderr(), shown(said, tongue(cmd))) // the standard output may be the report
			p := in.Report.Product
			switch {
			case vendor != "":
				if in.Vendor, err = readVendor(vendor); err != nil {
					return err
				}
				if r := in.Vendor.Contradicts((*evidence.Product)(p)); r != nil {
					return errors.New(tongue(cmd).Pick(r.Why, r.Chinese))
				}
			case p != nil:
				in.Vendor.Organisation, in.Vendor.Product, in.Vendor.Version = p.Organisation, p.Name, p.Version
			}
			for _, c := range in.Cells {
				if format == "osv" && in.Vendor.Product != "" && c.Cell.Ours() {
					return &language.Error{
						English: fmt.Sprintf("cell %s is of the built-in matrix, and its kernel is none of %s: no evaluation of that product can be made of it; export a run of the vendor's own kernel", c.Cell.Name, in.Vendor.Product),
						Chinese: fmt.Sprintf("单元 %s 属于内置矩阵，其内核不是 %s 的：不能由它得出该产品的测评；请导出厂商自己内核的运行", c.Cell.Name, in.Vendor.Product),
					}
				}
			}
			in.Language, in.Strict, in.Origin = tongue(cmd), strict, origin
			files, err := export.Write(format, in)
			if err != nil {
				return err
			}
			return deliver(cmd, files, runFolder(args[0]), out)
		},
	}
	cmd.Flags().StringVar(&format, "format", "", formatUsage)
	cmd.Flags().StringVar(&out, "out", "", "write to this folder (default: the standard output, if the format has one file)")
	cmd.Flags().StringVar(&origin, "origin", "", "name of the CI system that submits to KCIDB (default: "+export.DefaultOrigin+")")
	cmd.Flags().StringVar(&vendor, "vendor", "", "the file that certify takes, whose product the format osv then names (default: what run --vendor named)")
	cmd.Flags().BoolVar(&strict, "strict", false, strictUsage)
	if err := cmd.MarkFlagRequired("format"); err != nil {
		panic(err) // the flag is defined above
	}
	return cmd
}

// formatNames returns the formats that export takes.
func formatNames() []string { return append(export.Names(), export.Compatible) }

// compatible writes the page of what several runs tested.
func compatible(cmd *cobra.Command, places []string, out string, strict bool) error {
	if strict {
		return errors.New("--strict changes an exit status, and the page says of each verdict whether it is known; leave it out")
	}
	folders, err := withoutLatest(places)
	if err != nil {
		return err
	}
	var reports []report.Report
	for _, folder := range folders {
		in, _, err := exported(folder)
		if err != nil {
			return err
		}
		reports = append(reports, in.Report)
	}
	files, err := export.Compatibility(reports, tongue(cmd))
	if err != nil {
		return err
	}
	for _, folder := range folders[1:] {
		if out == "" {
			break
		}
		if err := apart("--out", folder, out); err != nil {
			return err
		}
	}
	return deliver(cmd, files, folders[0], out)
}

// exported judges the evidence in a folder, and checks it as `mapstack verdict` does. said is what
// was compared with the console logs.
func exported(folder string) (in export.Input, said evidence.Replayed, err error) {
	asked, cells, err := evidence.Load(folder)
	if err != nil {
		return in, said, err
	}
	if said, err = replay(folder, cells); err != nil {
		return in, said, err
	}
	in.Cells, in.Suites = cells, suites.About()
	if in.Report, err = judge(asked, cells); err != nil {
		return in, said, err
	}
	if err := compare(folder, in.Report); err != nil {
		return in, said, err
	}
	in.Report.Header.Evidence, err = digest(folder)
	return in, said, err
}

// deliver writes files to a folder, or one file to the standard output.
func deliver(cmd *cobra.Command, files []export.File, evidence, out string) error {
	if out == "" {
		if len(files) != 1 {
			return fmt.Errorf("this format has %d files; name a folder for them with --out", len(files))
		}
		_, err := cmd.OutOrStdout().Write(files[0].Data)
		return err
	}
	if err := apart("--out", evidence, out); err != nil {
		return err
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		return fmt.Errorf("make a folder for the report: %w; give another one with --out", err)
	}
	for _, f := range files {
		if err := writeReport(out, f.Name, func(w io.Writer) error { _, err := w.Write(f.Data); return err }); err != nil {
			return err
		}
		fmt.Fprintln(cmd.OutOrStdout(), foreign.Text(filepath.Join(out, f.Name)))
	}
	return nil
}

// apart refuses a file or folder inside of a run's, where new files would change the evidence.
func apart(flag, folder, out string) error {
	within, err := filepath.EvalSymlinks(folder)
	if err != nil {
		return fmt.Errorf("read evidence: %w", err)
	}
	if within, err = filepath.Abs(within); err != nil {
		return fmt.Errorf("read evidence: %w", err)
	}
	at, err := filepath.Abs(out)
	if err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	for { // what is not there yet leads nowhere else
		real, err := filepath.EvalSymlinks(at)
		if err == nil {
			at = real
			break
		}
		if parent := filepath.Dir(at); errors.Is(err, fs.ErrNotExist) && parent != at {
			at = parent
			continue
		}
		return fmt.Errorf("write the report: %w", err)
	}
	if rel, err := filepath.Rel(within, at); err == nil && filepath.IsLocal(rel) {
		return fmt.Errorf("%s %s would change the evidence in %s; name a place elsewhere", flag, out, folder)
	}
	return nil
}
