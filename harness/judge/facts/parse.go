package facts

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/mapstack/conformance/harness/matrix/release"
	"github.com/mapstack/conformance/poc/abi"
	"github.com/mapstack/conformance/poc/wire"
)

const (
	// maxText is the longest value, in bytes. /proc/cmdline is the longest real one.
	maxText = 4 << 10
	// maxValues is the most values of one step. Real steps have dozens.
	maxValues = 512
)

// PageSizeOf returns the page size that a transcript of facts names, in bytes; 0 if it is none
// of facts.
func PageSizeOf(t wire.Transcript) int {
	f, err := Parse(t, nil)
	if err != nil {
		return 0
	}
	return f.PageSize
}

// Parse reads the transcripts of the probes facts and sysconf; sysconf is nil where
// it did not run. The error lists every value that is missing or impossible.
func Parse(t wire.Transcript, sysconf *wire.Transcript) (Facts, error) {
	if !t.Exit.Clean() {
		return Facts{}, fmt.Errorf("the facts probe did not run to its end: exit %d, signal %q, timed out %t",
			t.Exit.Code, t.Exit.Signal, t.Exit.TimedOut)
	}
	p := &parser{steps: map[string]wire.Observation{}, unknown: map[string]string{}}
	p.index(t)
	f := Facts{
		Arch:         p.text("program", "goarch"),
		Machine:      p.text("uname", "machine"),
		UnameRelease: p.text("uname", "release"),
		Version:      p.text("uname", "version"),
		Go:           p.text("program", "go"),
		PageSize:     p.pageSize(),
		THP:          p.flag("memory", "thp"),
		VABits:       int(p.number("va", "bits", 64)),
		DefaultMap:   p.number("va", "default", math.MaxUint64),
		MemTotal:     p.kib("memory", "MemTotal"),
		CPUs:         int(p.number("cpus", "affinity", 1<<20)),
		UID:          int(p.number("process", "uid", math.MaxUint32)),
		Capabilities: p.capabilities(),
		Filtered:     p.texts("process")["Seccomp"] == "2", // SECCOMP_MODE_FILTER
		Controllers:  p.controllers(),
		Limits:       p.limits(),
		Sysctls:      p.texts("sysctl"),
		Label:        p.texts("process")["label"],
		Permissive:   p.texts("kernel")["selinux.enforce"] == "0",
		Config:       p.texts("config"),
	}
	if f.Arch != "" {
		if _, ok := abi.Lookup(f.Arch); !ok {
			p.fault("program", "goarch", fmt.Sprintf("%q is an architecture poc/abi does not know", f.Arch))
		}
	}
	if f.UnameRelease != "" {
		r, err := release.Parse(f.UnameRelease)
		if err != nil {
			p.fault("uname", "release", err.Error())
		}
		f.Release = r
	}
	if lsm := p.texts("kernel")["lsm"]; lsm != "" {
		f.LSMs = strings.Split(lsm, ",")
	}
	if len(f.Config) == 0 {
		f.Config = nil
	}
	if sysconf != nil {
		f.Sysconf = p.sysconf(*sysconf)
	}
	f.Unknown = p.unknown
	if err := errors.Join(p.errs...); err != nil {
		return Facts{}, err
	}
	return f, nil
}

// parser collects every fault, so that one run of a broken guest shows all of them.
type parser struct {
	steps   map[string]wire.Observation
	unknown map[string]string
	errs    []error
}

// index checks the bytes of every step and stores the steps by name.
func (p *parser) index(t wire.Transcript) {
	for _, o := range t.Observations {
		if _, twice := p.steps[o.Step]; twice {
			p.errs = append(p.errs, fmt.Errorf("step %s is reported twice", quote(o.Step)))
			continue
		}
		if len(o.Values)+len(o.Unknown) > maxValues {
			p.errs = append(p.errs, fmt.Errorf("step %s has %d values, which is more than %d", quote(o.Step), len(o.Values)+len(o.Unknown), maxValues))
			continue
		}
		if !name(o.Step) {
			p.errs = append(p.errs, fmt.Errorf("%s is no name of a step", quote(o.Step)))
			continue
		}
		p.steps[o.Step] = o
		for key, why := range o.Unknown {
			if !name(key) || len(why) > maxText || !printable(why) {
				p.fault(o.Step, key, fmt.Sprintf("%s is no reason of at most %d bytes", quote(why), maxText))
				continue
			}
			p.unknown[o.Step+"."+key] = why
			if _, both := o.Values[key]; both {
				p.fault(o.Step, key, "is both known and unknown")
			}
		}
		for key, value := range o.Values {
			if !name(key) || len(value) > maxText || !printable(value) {
				p.fault(o.Step, key, fmt.Sprintf("%s is no text of at most %d bytes", quote(value), maxText))
			}
		}
	}
}

func (p *parser) fault(step, key, what string) {
	p.errs = append(p.errs, fmt.Errorf("fact %s of step %s: %s", quote(key), quote(step), what))
}

// text returns a value that every target must report.
func (p *parser) text(step, key string) string {
	o := p.steps[step]
	value, ok := o.Values[key]
	switch {
	case o.Unknown[key] != "":
		p.fault(step, key, "could not be determined: "+quote(o.Unknown[key]))
	case !ok || value == "":
		p.fault(step, key, "is missing")
	case len(value) > 256:
		p.fault(step, key, "is longer than 256 bytes")
		return ""
	}
	return value
}

// number returns a value of at most max, 0 when the target could not determine it.
func (p *parser) number(step, key string, max uint64) uint64 {
	o := p.steps[step]
	if _, unknown := o.Unknown[key]; unknown {
		return 0
	}
	value := p.text(step, key)
	if value == "" {
		return 0
	}
	n, err := strconv.ParseUint(value, 0, 64)
	if err != nil || n > max {
		p.fault(step, key, fmt.Sprintf("%s is no number up to %d", quote(value), max))
		return 0
	}
	return n
}

func (p *parser) flag(step, key string) bool {
	value := p.text(step, key)
	if value != "true" && value != "false" && value != "" {
		p.fault(step, key, fmt.Sprintf("%s is neither true nor false", quote(value)))
	}
	return value == "true"
}

// kib reads a value such as "24684084 kB" and returns bytes, 0 when it is missing.
func (p *parser) kib(step, key string) int64 {
	value, told := p.steps[step].Values[key]
	if !told {
		return 0
	}
	n, err := strconv.ParseInt(strings.TrimSuffix(value, " kB"), 10, 64)
	if err != nil || n < 0 || n > math.MaxInt64>>10 {
		p.fault(step, key, fmt.Sprintf("%s is no amount in kB", quote(value)))
		return 0
	}
	return n << 10
}

// pageSize returns the page size. The Go runtime and the kernel both report it, the
// kernel in the auxiliary vector, and they must agree.
func (p *parser) pageSize() int {
	size := p.number("program", "pagesize", 1<<20)
	if size < 4<<10 || size&(size-1) != 0 {
		p.fault("program", "pagesize", fmt.Sprintf("%d is no page size", size))
	}
	if _, told := p.steps["program"].Values["auxv.pagesz"]; told {
		if auxv := p.number("program", "auxv.pagesz", 1<<20); auxv != size {
			p.fault("program", "auxv.pagesz", fmt.Sprintf("is %d, but the program was told %d", auxv, size))
		}
	}
	return int(size)
}

func (p *parser) limits() map[string]Limit {
	limits := map[string]Limit{}
	for key := range p.steps["limits"].Values {
		name, isCurrent := strings.CutSuffix(key, ".current")
		if !isCurrent {
			continue
		}
		limits[name] = Limit{Current: p.limit(key), Max: p.limit(name + ".max")}
	}
	if len(limits) == 0 {
		p.errs = append(p.errs, errors.New("no resource limit is reported"))
	}
	return limits
}

// capabilities reads CapEff, nil when the target does not show it.
func (p *parser) capabilities() *uint64 {
	text, told := p.steps["process"].Values["CapEff"]
	if !told {
		return nil
	}
	n, err := strconv.ParseUint(text, 16, 64)
	if err != nil {
		p.fault("process", "CapEff", fmt.Sprintf("%s is no set of capabilities", quote(text)))
		return nil
	}
	return &n
}

// controllers reads cgroup.controllers, nil when the target does not show it.
func (p *parser) controllers() []string {
	text, told := p.steps["cgroup"].Values["controllers"]
	if !told {
		return nil
	}
	return append([]string{}, strings.Fields(text)...)
}

func (p *parser) limit(key string) uint64 {
	if p.steps["limits"].Values[key] == "unlimited" {
		return Unlimited
	}
	return p.number("limits", key, math.MaxUint64)
}

// texts returns a copy of all values of a step.
func (p *parser) texts(step string) map[string]string {
	texts := map[string]string{}
	for key, value := range p.steps[step].Values {
		texts[key] = value
	}
	return texts
}

func (p *parser) sysconf(t wire.Transcript) map[string]int64 {
	if !t.Exit.Clean() {
		p.errs = append(p.errs, fmt.Errorf("the sysconf probe did not run to its end: exit %d, signal %q", t.Exit.Code, t.Exit.Signal))
		return nil
	}
	p.index(t)
	values := map[string]int64{}
	for name, value := range p.steps["sysconf"].Values {
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil {
			p.fault("sysconf", name, fmt.Sprintf("%s is no number", quote(value)))
			continue
		}
		values[name] = n
	}
	if len(values) == 0 {
		p.errs = append(p.errs, errors.New("the sysconf probe reports no value"))
	}
	return values
}

// name reports whether a string can be the name of a fact's step or value.
func name(s string) bool {
	return s != "" && len(s) <= 128 && !strings.ContainsFunc(s, func(r rune) bool {
		return r > unicode.MaxASCII || !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("._-", r)
	})
}

// printable reports whether a string is printable text. Tabs and line ends are, as
// files of /proc have them.
func printable(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool {
		return !unicode.IsPrint(r) && r != '\n' && r != '\t'
	})
}

// quote makes the bytes of a guest safe to print, and short.
func quote(s string) string {
	const limit = 80
	if len(s) > limit {
		s = s[:limit] + "..."
	}
	return strconv.QuoteToASCII(s)
}
