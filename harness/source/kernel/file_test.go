package kernel

import (
	"strings"
	"testing"

	"github.com/mapstack/conformance/harness/source/intake"
	"github.com/mapstack/conformance/harness/source/quarantine"
)

func TestAFileThatHoldsNoKernelIsNamed(t *testing.T) {
	for _, tc := range []struct {
		found intake.Found
		want  string
	}{
		{intake.Found{File: "/etc/passwd", Kernel: []byte("root:x:0:0:"), Chain: []string{"file"}}, "/etc/passwd: unwrap kernel: 11 bytes"},
		{intake.Found{File: "/a/x.rpm", Kernel: []byte("text"), Chain: []string{"rpm", "/boot/vmlinuz"}}, "/a/x.rpm (rpm, /boot/vmlinuz): unwrap kernel: 4 bytes"},
	} {
		if _, _, err := Architecture(t.Context(), quarantine.Program{}, tc.found); err == nil || !strings.HasPrefix(err.Error(), tc.want) {
			t.Errorf("%v, want %q", err, tc.want)
		}
	}
}
