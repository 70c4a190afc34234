package load

import (
	"os"
	"runtime"
	"strings"

	"github.com/mapstack/conformance/poc/limit"
	"github.com/mapstack/conformance/poc/probe"
)

// machine records what bears on the speed of this machine.
func machine(p *probe.P) {
	o := p.Observe(Machine)
	o.Set("go", runtime.Version()).Set("goarch", runtime.GOARCH).Set("cpus", runtime.NumCPU()).Set("gomaxprocs", runtime.GOMAXPROCS(0))
	if n, known := allowed(); known {
		o.Set("cpus.allowed", n)
	}
	if n, limited := quota(); limited {
		o.Set("cpus.quota", n) // in thousandths
	}
	if text := os.Getenv("GOMAXPROCS"); text != "" {
		o.Set("gomaxprocs.env", clean(text))
	}
	for key, file := range map[string]string{
		"kernel": "/proc/sys/kernel/osrelease", "loadavg": "/proc/loadavg",
		"clocksource":   "/sys/devices/system/clocksource/clocksource0/current_clocksource",
		"governor":      "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor",
		"khz.now":       "/sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq",
		"khz.most":      "/sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq",
		"smt":           "/sys/devices/system/cpu/smt/control",
		"dmi.product":   "/sys/class/dmi/id/product_name",
		"dmi.vendor":    "/sys/class/dmi/id/sys_vendor",
		"device.model":  "/proc/device-tree/model",
		"hypervisor":    "/sys/hypervisor/type",
		"thp":           "/sys/kernel/mm/transparent_hugepage/enabled",
		"pressure.some": "/proc/pressure/cpu",
	} {
		if text, ok := line(file); ok {
			o.Set(key, text)
		}
	}
	if b, err := os.ReadFile("/proc/cpuinfo"); err != nil {
		o.Unknown("cpu", err.Error())
	} else {
		name, flags := processor(string(b))
		o.Set("cpu", name).Set("virtual", flags)
	}
	for _, key := range []string{"MemTotal", "MemAvailable"} {
		if kib, err := limit.Number("/proc/meminfo", key); err == nil {
			o.Set(key, kib)
		}
	}
	o.Emit()
}

// maxLine bounds a text that is reported, in bytes.
const maxLine = 200

// line returns the first line of a file, without what cannot be printed; false if there is
// none. What firmware says may end with a zero byte.
func line(file string) (string, bool) {
	b, err := os.ReadFile(file)
	if err != nil {
		return "", false
	}
	return clean(strings.SplitN(string(b), "\n", 2)[0]), true
}

func clean(text string) string {
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return -1
		}
		return r
	}, strings.TrimSpace(text))
	if len(text) > maxLine {
		text = text[:maxLine]
	}
	return text
}

// processor returns what /proc/cpuinfo calls the first processor, and whether its flags say
// that it is a hypervisor's. Every architecture has other words for it; the first of them that
// are there are taken. arm64 has numbers alone.
func processor(cpuinfo string) (name string, virtual bool) {
	found := map[string]string{}
	for _, text := range strings.Split(cpuinfo, "\n") {
		pair := strings.SplitN(text, ":", 2)
		if len(pair) != 2 {
			continue
		}
		key := strings.ToLower(strings.TrimSpace(pair[0]))
		if key == "flags" && strings.Contains(" "+pair[1]+" ", " hypervisor ") {
			virtual = true
		}
		if _, known := found[key]; !known {
			found[key] = clean(pair[1])
		}
	}
	for _, key := range []string{"model name", "cpu model", "uarch", "isa", "processor 0", "cpu", "vendor_id"} {
		if name = found[key]; name != "" {
			break
		}
	}
	if part := found["cpu part"]; name == "" && part != "" {
		name = "implementer " + found["cpu implementer"] + " part " + part + " variant " + found["cpu variant"]
	}
	return name, virtual
}
