package subject

import (
	"strings"
	"testing"

	"github.com/mapstack/conformance/harness/matrix"
)

func TestTargetsAreNamedAsTheHelpSays(t *testing.T) {
	env := func(name string) string {
		if name == "SW64_QEMU_USER" {
			return "/opt/qemu-sw64 -cpu core3"
		}
		return ""
	}
	for _, c := range []struct {
		where, arch string
		want        matrix.Host
		wrong       string
	}{
		{"native", "", matrix.Native, ""},
		{"ssh://root@board:22", "", matrix.SSH, ""},
		{"user", "sw64", matrix.UserMode, ""},
		{"user", "", "", "needs --arch"},
		{"user", "vax", "", "unknown architecture"},
		{"board", "", "", "use native"},
	} {
		o, err := Running{Target: c.where, Arch: c.arch}.options(env)
		if c.wrong != "" {
			if err == nil || !strings.Contains(err.Error(), c.wrong) {
				t.Errorf("%s: %v", c.where, err)
			}
			continue
		}
		if err != nil || o.Host != c.want {
			t.Errorf("%s: %+v, %v", c.where, o, err)
		}
		if c.want == matrix.UserMode && strings.Join(o.Emulator, " ") != "/opt/qemu-sw64 -cpu core3" {
			t.Errorf("%q", o.Emulator)
		}
	}
}
