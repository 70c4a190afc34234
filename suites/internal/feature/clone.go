package feature

import (
	"github.com/mapstack/conformance/harness/matrix/release"
	"github.com/mapstack/conformance/suites/internal/claim"
)

// Clone3 is the call clone3(2), since Linux 5.3. A libc falls back to clone on ENOSYS. A
// container's seccomp filter may answer that, or EPERM.
func Clone3() claim.Feature {
	const probe, step = "cloneflags", "dry.clone3 process"
	return claim.Feature{
		Name: "clone3", Chinese: "clone3", Since: since(5, 3), Probe: probe,
		Later: map[string]release.Release{"alpha": since(6, 12)}, // arch/alpha/kernel/syscalls/syscall.tbl
		Seen: func(s claim.Shown) claim.Sight {
			sight := s.Errno(probe, step, "ENOSYS")
			if sight.State == claim.Present && s.Facts.Filtered {
				sight = s.Errno(probe, step, "ENOSYS", "EPERM")
			}
			return sight
		},
	}
}
