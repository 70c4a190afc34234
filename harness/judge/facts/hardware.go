package facts

import (
	"slices"
	"strings"

	"github.com/mapstack/conformance/poc/wire"
)

// Hardware is what the firmware of a target says of its machine. A field is "" where it does not
// say. Unknown tells what could not be read, and why, or that nothing was said; "" for nothing.
type Hardware struct {
	Vendor, Product, Board, Firmware string
	Unknown                          string
}

// HardwareOf reads the transcript of the probe facts. Text that is too long or cannot be printed
// counts as unknown.
func HardwareOf(t wire.Transcript) (h Hardware) {
	i := slices.IndexFunc(t.Observations, func(o wire.Observation) bool { return o.Step == "hardware" })
	if i < 0 {
		h.Unknown = "the probe facts did not observe it; it ran before mapstack asked for it, or not to its end"
		return h
	}
	o := t.Observations[i]
	var unknown []string
	for key, why := range o.Unknown {
		unknown = append(unknown, quote(key)+": "+quote(why))
	}
	text := func(key string) string {
		value := strings.TrimSpace(o.Values[key])
		if len(value) > maxText || !printable(value) || strings.ContainsAny(value, "\n\t") {
			unknown = append(unknown, key+" is no text: "+quote(value))
			return ""
		}
		return value
	}
	joined := func(keys ...string) string {
		var all []string
		for _, key := range keys {
			if value := text(key); value != "" {
				all = append(all, value)
			}
		}
		return strings.Join(all, " ")
	}
	h.Vendor, h.Product = joined("dmi.sys_vendor"), joined("dmi.product_name")
	h.Board, h.Firmware = joined("dmi.board_vendor", "dmi.board_name"), joined("dmi.bios_vendor", "dmi.bios_version", "dmi.bios_date")
	if model := joined("devicetree.model"); h.Product == "" {
		h.Product = model
	}
	slices.Sort(unknown)
	if h == (Hardware{}) && len(unknown) == 0 {
		unknown = []string{"the system shows no names in /sys/class/dmi/id and no /proc/device-tree/model"}
	}
	h.Unknown = strings.Join(unknown, "; ")
	return h
}
