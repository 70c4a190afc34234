package subject

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestAPasswordThatOthersMayReadIsRefused(t *testing.T) {
	file := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(file, []byte("secret\r\nmore\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	f := FullBoot{PasswordFile: file}
	if got, err := f.password(); err != nil || got != "secret" {
		t.Errorf("%q, %v", got, err)
	}
	for _, mode := range []os.FileMode{0o640, 0o604} {
		if err := os.Chmod(file, mode); err != nil {
			t.Fatal(err)
		}
		if got, err := f.password(); err == nil || got != "" || !strings.Contains(err.Error(), "chmod 600") {
			t.Errorf("mode %v: %q, %v", mode, got, err)
		}
	}
}
