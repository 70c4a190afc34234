package facts

import (
	"os"
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
		firmware(o, "dmi."+name, "/sys/class/dmi/id/"+name)
	}
	firmware(o, "devicetree.model", "/proc/device-tree/model")
	o.Emit()
}

// firmware records the content of a file that firmware wrote. Such text may end in NUL, and may
// have bytes that are no text; each is written as "?".
func firmware(o *probe.Obs, key, path string) {
	b, err := os.ReadFile(path)
	switch {
	case os.IsNotExist(err):
	case err != nil:
		o.Unknown(key, err.Error())
	default:
		text := strings.Map(func(r rune) rune {
			if !unicode.IsPrint(r) || r == unicode.ReplacementChar {
				return '?'
			}
			return r
		}, strings.TrimRight(string(b), "\x00\n "))
		o.Set(key, short(text))
	}
}
