package target

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestTheTargetGetsNothingOfThisHost asks the real ssh what it would do for a board whose
// configuration forwards everything.
func TestTheTargetGetsNothingOfThisHost(t *testing.T) {
	ssh, err := exec.LookPath("ssh")
	if err != nil {
		t.Skip("ssh is missing")
	}
	config := filepath.Join(t.TempDir(), "config")
	text := "Host board\n ForwardAgent yes\n ForwardX11 yes\n RemoteForward 9000 localhost:22\n LocalForward 9001 localhost:22\n DynamicForward 9002\n PermitLocalCommand yes\n LocalCommand touch x\n Tunnel yes\n"
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	sh, err := overSSH([]string{ssh, "-G", "-F", config}, "ssh://user@board")
	if err != nil {
		t.Fatal(err)
	}
	words := sh.argv[:slices.Index(sh.argv, "--")+2]
	out, err := exec.Command(words[0], words[1:]...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	got := strings.Split(string(out), "\n")
	for _, want := range []string{"forwardagent no", "forwardx11 no", "permitlocalcommand no", "clearallforwardings yes", "tunnel false"} {
		if !slices.Contains(got, want) {
			t.Errorf("ssh does not say %q", want)
		}
	}
}

func TestAPasswordInAnAddressIsNotPrinted(t *testing.T) {
	for _, address := range []string{"ssh://user:secret@host", "ssh://user:sec%zzret@host", "http://user:secret@host", "ssh://user:se@cret@ho st", "ssh://user:secret@host/path"} {
		_, err := overSSH([]string{"ssh"}, address)
		if err == nil || strings.Contains(err.Error(), "ret") {
			t.Errorf("%v", err)
		}
	}
}
