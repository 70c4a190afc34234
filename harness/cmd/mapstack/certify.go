package main

import (
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"time"

	"github.com/google/renameio/v2"
	"github.com/spf13/cobra"

	"github.com/mapstack/conformance/harness/judge/certificate"
	"github.com/mapstack/conformance/harness/judge/evidence"
	"github.com/mapstack/conformance/harness/judge/report"
	"github.com/mapstack/conformance/harness/judge/seal"
	"github.com/mapstack/conformance/harness/language"
	"github.com/mapstack/conformance/poc/stage0"
)

func certifyCommand() *cobra.Command {
	var vendor, key, out string
	var check bool
	cmd := &cobra.Command{
		Use: "certify DIR --vendor FILE", Short: "Make a certificate of a run",
		Long: "certify reads a finished run (out/<run>) of a vendor's kernel, computes its verdict again, and writes a\n" +
			"certificate: an in-toto test result over the hashes of the kernel and of the evidence, in a DSSE envelope.\n" +
			"It lists every reason against one and ends with 1, or with 2 if the run is only incomplete.\n" +
			"With --check it reads the vendor's file alone, and says everything that is missing there.",
		Args: func(cmd *cobra.Command, args []string) error {
			if check && len(args) > 0 {
				return errors.New("--check reads the vendor's file alone; leave out the folder")
			}
			if check {
				return nil
			}
			return cobra.ExactArgs(1)(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			v, err := readVendor(vendor)
			if err != nil {
				return err
			}
			if check {
				fmt.Fprintf(cmd.OutOrStdout(), tongue(cmd).Pick("%s has everything that a certificate needs.\n", "%s 具备证书所需的一切。\n"), vendor)
				return nil
			}
			return certify(cmd, runFolder(args[0]), v, key, out)
		},
	}
	cmd.Flags().StringVar(&vendor, "vendor", "", "YAML file with organisation, product, version, contact and links")
	cmd.Flags().StringVar(&key, "key", "", "private key that signs: ed25519 or SM2 as PEM in PKCS#8, or a key of ssh (default: no signature)")
	cmd.Flags().StringVar(&out, "out", "", "file of the certificate (default: "+certificateFile+" in the folder of the run)")
	cmd.Flags().BoolVar(&check, "check", false, "only check the vendor's file")
	cmd.MarkFlagsMutuallyExclusive("check", "key")
	cmd.MarkFlagsMutuallyExclusive("check", "out")
	if err := cmd.MarkFlagRequired("vendor"); err != nil {
		panic(err) // the flag is defined above
	}
	return cmd
}

// maxInput is the largest file of a vendor or key, and of a certificate, in bytes.
const maxInput = 4 << 20

// readInput reads a file of somebody's. what names it in the error.
func readInput(what, file string) ([]byte, error) {
	b, err := evidence.ReadFile(os.DirFS(filepath.Dir(file)), filepath.Base(file))
	if err == nil && len(b) > maxInput {
		err = fmt.Errorf("it is larger than %d MiB", maxInput>>20)
	}
	if err != nil {
		return nil, fmt.Errorf("read the %s %s: %w", what, file, err)
	}
	return b, nil
}

func readVendor(file string) (certificate.Vendor, error) {
	b, err := readInput("vendor's file", file)
	if err != nil {
		return certificate.Vendor{}, err
	}
	return certificate.ParseVendor(file, b)
}

// certify writes the certificate of the run in a folder, or says why there is none.
func certify(cmd *cobra.Command, folder string, vendor certificate.Vendor, keyFile, out string) error {
	pick := tongue(cmd).Pick
	if out == "" {
		out = filepath.Join(folder, certificateFile)
	}
	if err := beside(folder, out); err != nil {
		return err
	}
	var key *seal.PrivateKey
	if keyFile != "" {
		b, err := readInput("key", keyFile)
		if err != nil {
			return err
		}
		if key, err = seal.ParsePrivateKey(b); err != nil {
			return fmt.Errorf("%s: %w", keyFile, err)
		}
	}
	f, err := finish(folder)
	if err != nil {
		return err
	}
	in := f.inputs(vendor, version, time.Now())
	if reasons := append(f.unproven(), certificate.Refusals(in)...); len(reasons) > 0 {
		return refuse(cmd.OutOrStdout(), tongue(cmd), "No certificate of %s:", "%s 没有证书：", folder, reasons)
	}
	s := certificate.New(in)
	payload, err := s.Marshal()
	if err != nil {
		return err
	}
	envelope, err := seal.Seal(cmd.Context(), payload, key)
	if err != nil {
		return err
	}
	if err := renameio.WriteFile(out, envelope, 0o644); err != nil {
		return fmt.Errorf("write the certificate: %w", err)
	}
	if err := s.Write(cmd.OutOrStdout(), tongue(cmd)); err != nil {
		return err
	}
	if key == nil {
		fmt.Fprint(cmd.OutOrStdout(), pick("\nIt is not signed: anybody can have written it. --key signs it.\n", "\n证书没有签名：任何人都可能写出它。--key 为它签名。\n"))
	} else {
		fmt.Fprintf(cmd.OutOrStdout(), pick("\nSigned with the key %s.\n", "\n已用密钥 %s 签名。\n"), key.Public.ID())
	}
	fmt.Fprintf(cmd.OutOrStdout(), pick("Certificate: %s\n", "证书：%s\n"), out)
	return nil
}

// beside refuses a place in the folder of a run where a new file would change the evidence.
func beside(folder, out string) error {
	within, err := filepath.EvalSymlinks(folder)
	if err != nil {
		return fmt.Errorf("read evidence: %w", err)
	}
	at, err := filepath.EvalSymlinks(filepath.Dir(out))
	if err != nil {
		return fmt.Errorf("write the certificate: %w", err)
	}
	rel, err := filepath.Rel(within, filepath.Join(at, filepath.Base(out)))
	if err == nil && filepath.IsLocal(rel) && rel != certificateFile {
		return fmt.Errorf("--out %s would change the evidence in %s; name a file elsewhere, or leave --out away", out, folder)
	}
	return nil
}

// refuse lists reasons below a title, which is a format with the name of what is refused, and
// returns the exit status for them.
func refuse(w io.Writer, l language.Language, english, chinese, name string, reasons []certificate.Refusal) error {
	fmt.Fprintf(w, l.Pick(english, chinese)+"\n", name)
	for _, r := range reasons {
		fmt.Fprintf(w, "  - %s\n", l.Pick(r.Why, cmp.Or(r.Chinese, r.Why)))
	}
	return statusError(certificate.ExitCode(reasons))
}

// finished is the folder of a run, read and judged again.
type finished struct {
	folder string
	run    evidence.Run
	cells  []evidence.CellRun
	report report.Report
	hashes hashes
}

// hashes are those of a run's folder, as SHA-256.
type hashes struct{ evidence, report string }

// hash returns the hashes of a folder. That of a report that is missing is "".
func hash(folder string) (h hashes, err error) {
	if h.evidence, err = digest(folder); err != nil {
		return h, err
	}
	root, err := evidence.Open(folder)
	if err != nil {
		return h, err
	}
	defer root.Close()
	switch b, err := evidence.ReadReport(root.FS(), reportFile); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return h, fmt.Errorf("read the report: %w", err)
	default:
		h.report = fmt.Sprintf("%x", sha256.Sum256(b))
	}
	return h, nil
}

func finish(folder string) (f finished, err error) {
	f.folder = folder
	if f.run, f.cells, err = evidence.Load(folder); err != nil {
		return f, err
	}
	if f.hashes, err = hash(folder); err != nil {
		return f, err
	}
	f.report, err = judge(f.run, f.cells)
	return f, err
}

func (f finished) inputs(vendor certificate.Vendor, suite string, made time.Time) certificate.Inputs {
	return certificate.Inputs{Vendor: vendor, Suite: suite, Made: made, Run: f.run, Cells: f.cells, Outcomes: f.report.Outcomes,
		Evidence: f.hashes.evidence, Report: f.hashes.report}
}

// unproven lists what shows that the verdict does not follow from the evidence.
func (f finished) unproven() (all []certificate.Refusal) {
	replayed, err := replay(f.folder, f.cells)
	if err != nil {
		all = append(all, certificate.Refusal{Why: err.Error()})
	}
	var silent []string
	for at := range replayed.Unseen {
		if path.Base(at) != stage0.Probe {
			silent = append(silent, at)
		}
	}
	if len(silent) > 0 {
		slices.Sort(silent)
		all = append(all, certificate.Refusal{Why: fmt.Sprintf("%d transcripts have no console log that shows them, the first is %s; take the folder as the run wrote it", len(silent), silent[0]),
			Chinese: fmt.Sprintf("%d 份记录没有能佐证的控制台日志，第一份是 %s；请使用运行写出的原始文件夹", len(silent), silent[0])})
	}
	if f.hashes.report == "" {
		return append(all, certificate.Refusal{Why: fmt.Sprintf("there is no %s, so the run did not end; run it again", reportFile),
			Chinese: fmt.Sprintf("没有 %s，说明运行没有结束；请重新运行", reportFile), Incomplete: true})
	}
	if err := compare(f.folder, f.report); err != nil {
		all = append(all, certificate.Refusal{Why: err.Error()})
	}
	return all
}
