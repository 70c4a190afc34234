package feature

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/mapstack/conformance/poc/wire"
	"github.com/mapstack/conformance/suites/internal/claim"
)

// Probes whose steps tell of features below.
const (
	tracing = "tracing"
	address = "address"
)

// Capabilities of capabilities(7) by number.
const (
	sysRawIO    = 17
	sysResource = 24
	sysAdmin    = 21
)

// RawIO is the right to map below vm.mmap_min_addr: capabilities(7), CAP_SYS_RAWIO.
func RawIO() claim.Feature { return Capability("CAP_SYS_RAWIO", sysRawIO) }

// Mounting is the right to mount: capabilities(7), CAP_SYS_ADMIN.
func Mounting() claim.Feature { return Capability("CAP_SYS_ADMIN", sysAdmin) }

// AddressBits is an address space of so many bits or more.
func AddressBits(bits int) claim.Feature {
	return claim.Feature{
		Name: fmt.Sprintf("address space of %d bits", bits), Chinese: fmt.Sprintf("%d 位的地址空间", bits),
		Seen: func(s claim.Shown) claim.Sight {
			// What is unknown is left to the check, which tries addresses.
			if known := s.Facts.VABits; known != 0 && known < bits {
				return claim.Sight{State: claim.Absent, How: fmt.Sprintf("the highest address that can be mapped has %d bits", known)}
			}
			return claim.Sight{State: claim.Present}
		},
	}
}

// Bits of personality(2).
const (
	noRandomize  = 0x40000
	compatLayout = 0x200000
)

// DefaultLayout is the layout of mappings that a program gets if nobody asks for another.
// A system may ask: by vm.legacy_va_layout, RLIMIT_STACK or a personality.
func DefaultLayout() claim.Feature {
	return claim.Feature{
		Name: "default layout of mappings", Chinese: "默认的映射布局", Probe: address,
		Seen: func(s claim.Shown) claim.Sight {
			o, why := conditions(s)
			switch persona, err := strconv.ParseUint(o.Values["personality"], 0, 64); {
			case why != "":
				return claim.Sight{State: claim.CouldNotTell, How: why}
			case o.Values["legacy"] == "1":
				return claim.Sight{State: claim.Absent, How: "vm.legacy_va_layout is 1, so new programs get the layout from the bottom up"}
			case o.Values["stack limit"] == "unlimited":
				return claim.Sight{State: claim.Absent, How: "RLIMIT_STACK is unlimited for the probes, which selects another layout"}
			case err == nil && persona&compatLayout != 0:
				return claim.Sight{State: claim.Absent, How: fmt.Sprintf("the probes run under the personality %#x, with ADDR_COMPAT_LAYOUT", persona)}
			}
			return claim.Sight{State: claim.Present}
		},
	}
}

// Randomization is that of addresses: kernel.randomize_va_space and the personality may
// turn it off.
func Randomization() claim.Feature {
	return claim.Feature{
		Name: "randomization of addresses", Chinese: "地址随机化", Probe: address,
		Seen: func(s claim.Shown) claim.Sight {
			o, why := conditions(s)
			switch persona, err := strconv.ParseUint(o.Values["personality"], 0, 64); {
			case why != "":
				return claim.Sight{State: claim.CouldNotTell, How: why}
			case o.Values["randomize"] == "0":
				return claim.Sight{State: claim.Absent, How: "kernel.randomize_va_space is 0"}
			case err == nil && persona&noRandomize != 0:
				return claim.Sight{State: claim.Absent, How: fmt.Sprintf("the probes run under the personality %#x, with ADDR_NO_RANDOMIZE", persona)}
			}
			return claim.Sight{State: claim.Present}
		},
	}
}

// conditions returns the step that says under what settings an ordinary program of the
// probe started, or why there is none.
func conditions(s claim.Shown) (o wire.Observation, why string) {
	const step = "run 1.conditions"
	o, ok := s.Step(address, step)
	if !ok {
		return o, s.Unreported(address, step).How
	}
	return o, ""
}

// Personality is a bit of personality(2), which the filters of containers may refuse.
func Personality(name, step string) claim.Feature {
	return claim.Feature{
		Name: "personality " + name, Chinese: "personality " + name, Probe: address,
		Seen: func(s claim.Shown) claim.Sight { return filtered(s, address, step) },
	}
}

// UnlimitedStack is the right to raise RLIMIT_STACK without end: above the hard limit it
// needs CAP_SYS_RESOURCE (getrlimit(2)).
func UnlimitedStack() claim.Feature {
	return claim.Feature{
		Name: "unlimited RLIMIT_STACK", Chinese: "不受限的 RLIMIT_STACK", Probe: address,
		Seen: func(s claim.Shown) claim.Sight {
			if has, known := s.Facts.Capable(sysResource); known && !has {
				return s.Errno(address, "unlimited.set", "EPERM")
			}
			return claim.Sight{State: claim.Present}
		},
	}
}

// Settable is a sysctl that the probes may change. A container's /proc/sys may be
// read-only. The step holds the value that was read back, under "value".
func Settable(name, probe, step string) claim.Feature {
	return claim.Feature{
		Name: "writable sysctl " + name, Chinese: "可写的 sysctl " + name, Probe: probe,
		Seen: func(s claim.Shown) claim.Sight {
			o, ok := s.Step(probe, step)
			if !ok {
				return s.Unreported(probe, step)
			}
			for _, refusal := range []string{"read-only file system", "permission denied", "operation not permitted", "no such file or directory"} {
				if why := o.Unknown["value"]; strings.HasSuffix(why, refusal) {
					return claim.Sight{State: claim.Absent, How: fmt.Sprintf("%s (step %q of probe %s)", why, step, probe)}
				}
			}
			return claim.Sight{State: claim.Present}
		},
	}
}
