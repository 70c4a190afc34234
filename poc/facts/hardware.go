package facts

import (
	"strings"
	"unicode"

	"github.com/mapstack/conformance/poc/probe"
)

// hardware observes what firmware says of the machine. Serial numbers, which name one machine
// and its owner, are not read. A name that is neither a value nor unknown does not exist here:
// machines have DMI, a device tree, both, or none.
func hardware(p *probe.P) {
	o := p.Observe("hardware")
	for _, name := range []string{"sys_vendor", "product_name", "board_vendor", "board_name", "bios_vendor", "bios_version", "bios_date"} {
		content(o, "dmi."+name, "/sys/class/dmi/id/"+name, firmware)
	}
	content(o, "devicetree.model", "/proc/device-tree/model", firmware)
	o.Emit()
}

// firmware returns a text as firmware wrote it, without the NUL that may end it. It may have
// bytes that are no text; each is written as "?".
func firmware(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) || r == unicode.ReplacementChar {
			return '?'
		}
		return r
	}, strings.TrimRight(s, "\x00\n "))
}
