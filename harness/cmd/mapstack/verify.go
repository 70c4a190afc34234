package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/mapstack/conformance/harness/judge/certificate"
	"github.com/mapstack/conformance/harness/judge/seal"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/harness/language"
	"github.com/mapstack/conformance/harness/source/intake"
)

func verifyCommand() *cobra.Command {
	var keyFile string
	var rerun bool
	var f runFlags
	cmd := &cobra.Command{
		Use: "verify CERTIFICATE EVIDENCE", Short: "Check a certificate against the evidence of its run",
		Long: "verify checks the signature of a certificate with --key, its hashes and its end, and computes the verdict\n" +
			"again from the evidence (out/<run>) without a network. It ends with 1 if the certificate is refused, and with 2\n" +
			"if its signature was not checked.\n" +
			"With --rerun it also boots the package that --kernel or --os-image names, and compares every outcome.",
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			w := cmd.OutOrStdout()
			if rerun && f.file() == "" && f.image == "" {
				return errors.New("--rerun boots the package again; name it with --kernel (a path with a slash) or --os-image")
			}
			first, err := verify(cmd.Context(), w, tongue(cmd), args[0], runFolder(args[1]), keyFile)
			if code := exitError(0); !rerun || err != nil && !(errors.As(err, &code) && code == verdict.ExitIncomplete) {
				return err
			}
			if err := f.repeat(cmd.Context(), w, tongue(cmd), first); err != nil {
				return err
			}
			return err
		},
	}
	f.given(cmd)
	cmd.Flags().StringVar(&keyFile, "key", "", "public key of who signed: ed25519 or SM2 as PEM, or a line as in id_ed25519.pub")
	cmd.Flags().BoolVar(&rerun, "rerun", false, "run the same package again, and compare the outcomes")
	return cmd
}

// verify checks a certificate and says what it found. It returns what the certificate is made
// of, with the exit status as an error: 2 if nobody checked the signature.
func verify(ctx context.Context, w io.Writer, l language.Language, file, folder, keyFile string) (in certificate.Inputs, err error) {
	b, err := readInput("certificate", file)
	if err != nil {
		return in, err
	}
	var key *seal.PublicKey
	if keyFile != "" {
		b, err := readInput("key", keyFile)
		if err != nil {
			return in, err
		}
		if key, err = seal.ParsePublicKey(b); err != nil {
			return in, fmt.Errorf("%s: %w", keyFile, err)
		}
	}
	if _, err := os.Stat(folder); err != nil {
		return in, fmt.Errorf("read evidence: %w", err)
	}
	s, in, signer, err := follow(ctx, b, folder, key)
	if err != nil {
		return in, refuse(w, l, "The certificate %s is refused:", "证书 %s 被拒绝：", file, []certificate.Refusal{{Why: err.Error()}})
	}
	if err := s.Write(w, l); err != nil {
		return in, err
	}
	fmt.Fprintf(w, l.Pick("\nThe evidence in %s gives this certificate.\n", "\n%s 中的证据能得出这份证书。\n"), folder)
	switch {
	case key != nil:
		fmt.Fprintf(w, l.Pick("The key %s signed it. Whose key that is must be known from elsewhere.\n", "由密钥 %s 签名。密钥属于谁，须另行得知。\n"), signer)
		return in, nil
	case signer == "":
		fmt.Fprint(w, l.Pick("It is not signed: anybody can have written it, and the evidence.\n", "证书没有签名：任何人都可能写出它和证据。\n"))
	default:
		fmt.Fprintf(w, l.Pick("Its signature was not checked. Give the public key %s with --key.\n", "没有核对它的签名。请用 --key 给出公钥 %s。\n"), signer)
	}
	return in, statusError(verdict.ExitIncomplete)
}

// follow checks a certificate in the order in which one failure makes the rest meaningless.
// signer is the ID of the key that it names.
func follow(ctx context.Context, file []byte, folder string, key *seal.PublicKey) (s certificate.Statement, in certificate.Inputs, signer string, err error) {
	e, err := seal.Open(file)
	if err != nil {
		return s, in, "", err
	}
	if key != nil {
		if err := e.Check(ctx, key); err != nil {
			return s, in, "", err
		}
	}
	if s, err = certificate.Parse(e.Payload); err != nil {
		return s, in, "", err
	}
	if err := s.Over(time.Now(), version); err != nil {
		return s, in, "", err
	}
	// The bytes come first: what is read of others is not worth a look.
	sums, err := hash(folder)
	if err != nil {
		return s, in, "", err
	}
	if err := s.OfFolder(sums.evidence, sums.report); err != nil {
		return s, in, "", err
	}
	f, err := finish(folder)
	if err != nil {
		return s, in, "", err
	}
	in = f.inputs(s.Predicate.Terms.Vendor, s.Predicate.Terms.Suite, s.MadeOn())
	if reasons := append(f.unproven(), certificate.Refusals(in)...); len(reasons) > 0 {
		return s, in, "", errors.New(reasons[0].Why)
	}
	return s, in, e.KeyID, s.Follows(certificate.New(in))
}

// repeat runs the package again, and compares the outcomes with those of the first run.
func (f *runFlags) repeat(ctx context.Context, w io.Writer, l language.Language, first certificate.Inputs) error {
	chosen, err := f.subjects()
	if err != nil {
		return err
	}
	if err := f.sameFile(first); err != nil { // nothing has to boot for this
		return refuse(w, l, "The run cannot be repeated with %s:", "无法用 %s 重复这次运行：", cmp.Or(f.file(), f.image), []certificate.Refusal{{Why: err.Error()}})
	}
	folder, results, _, err := f.report(ctx, chosen, nil)
	if err == nil {
		err = altered(results)
	}
	if err != nil {
		return err
	}
	again, err := finish(folder.Path())
	if err != nil {
		return err
	}
	differences, err := certificate.Repeats(first, again.inputs(first.Vendor, version, time.Now()))
	if err != nil {
		return refuse(w, l, "The run was not repeated in %s:", "没有在 %s 重复这次运行：", folder.Path(), []certificate.Refusal{{Why: err.Error()}})
	}
	fmt.Fprintf(w, l.Pick("\nEvidence of the second run: %s\n", "\n第二次运行的证据：%s\n"), folder.Path())
	if len(differences) > 0 {
		return refuse(w, l, "The second run, %s, differs from the certificate:", "第二次运行 %s 与证书不同：", folder.Path(), differences)
	}
	fmt.Fprintf(w, l.Pick("All %d outcomes are the same in the second run.\n", "第二次运行的全部 %d 个结果都相同。\n"), len(first.Outcomes))
	return nil
}

// sameFile returns an error if the file to run again is not the one of the first run. What is in a
// repository is known only when it was found there.
func (f *runFlags) sameFile(first certificate.Inputs) error {
	file := cmp.Or(f.file(), f.image)
	if intake.IsRepository(file) {
		return nil
	}
	sum, err := hashOf(file)
	if err != nil {
		return err
	}
	return first.Repeatable(filepath.Base(file), sum)
}
