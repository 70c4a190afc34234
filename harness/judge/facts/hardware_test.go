package facts

import (
	"strings"
	"testing"

	"github.com/mapstack/conformance/poc/wire"
)

// TestWhatFirmwareDoesNotSayIsSaid fails if a machine without names is taken for one that was
// not asked, or if bytes of a target pass for a name.
func TestWhatFirmwareDoesNotSayIsSaid(t *testing.T) {
	type values = map[string]string
	for name, tc := range map[string]struct {
		o       wire.Observation
		want    Hardware
		unknown string
	}{
		"a server": {wire.Observation{Step: "hardware", Values: values{"dmi.sys_vendor": "Vendor", "dmi.product_name": "S1", "dmi.board_vendor": "Maker", "dmi.board_name": "B2", "dmi.bios_vendor": "F", "dmi.bios_version": "1.0", "dmi.bios_date": "01/02/2026"}},
			Hardware{Vendor: "Vendor", Product: "S1", Board: "Maker B2", Firmware: "F 1.0 01/02/2026"}, ""},
		"a board with a device tree": {wire.Observation{Step: "hardware", Values: values{"devicetree.model": "Board 4"}}, Hardware{Product: "Board 4"}, ""},
		"neither":                    {wire.Observation{Step: "hardware"}, Hardware{}, "the system shows no names"},
		"not readable":               {wire.Observation{Step: "hardware", Values: values{"dmi.sys_vendor": "V"}, Unknown: values{"dmi.board_name": "permission denied"}}, Hardware{Vendor: "V"}, "permission denied"},
		"older evidence":             {wire.Observation{Step: "uname"}, Hardware{}, "before mapstack asked"},
		"a hostile name":             {wire.Observation{Step: "hardware", Values: values{"dmi.sys_vendor": "\x1b[31m", "dmi.board_name": "a\nb", "dmi.product_name": strings.Repeat("x", maxText+1)}}, Hardware{}, `dmi.board_name is no text: "a\nb"`},
	} {
		got := HardwareOf(wire.Transcript{Observations: []wire.Observation{tc.o}})
		if !strings.Contains(got.Unknown, tc.unknown) || (got.Unknown == "") != (tc.unknown == "") || strings.ContainsAny(got.Unknown, "\x1b\n") {
			t.Errorf("%s: unknown %q, want %q", name, got.Unknown, tc.unknown)
		}
		if got.Unknown = ""; got != tc.want {
			t.Errorf("%s: %+v, want %+v", name, got, tc.want)
		}
	}
}
