// Package features claims that a kernel has what its version brought, whatever its
// configuration. A kernel may lack such a feature by a vendor's choice: that is a finding
// and no failure, because the claims that need the feature say unsupported.
package features

import (
	"fmt"

	"github.com/onsi/gomega"

	"github.com/mapstack/conformance/harness/judge/facts"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/poc/abi"
	"github.com/mapstack/conformance/poc/wire"
	"github.com/mapstack/conformance/suites/internal/claim"
	"github.com/mapstack/conformance/suites/internal/feature"
)

// Suite returns the claims of this suite.
func Suite() claim.Suite {
	return claim.Suite{
		Name: "features", Prefix: "FE", Probe: "facts",
		Unmodelled: "a feature that a kernel lacks makes claims unsupported and none of them fail, so no model takes one away",
		About: claim.Text{
			English: "Whether a kernel has the features that came with its version.",
			Chinese: "内核是否具有其版本带来的特性。",
		},
		Claims: []claim.Claim{
			brought("FE-001", feature.Clone3(), "clone(2), HISTORY: clone3 since Linux 5.3; kernel/fork.c of 5.4 to 7.3 compiles it in wherever the architecture defines its number"),
			brought("FE-002", feature.SetTID(), "clone(2), \"The set_tid array\": since Linux 5.5; copy_clone_args_from_user in kernel/fork.c of 5.10 to 7.2, which no configuration changes", feature.Clone3()),
			brought("FE-003", feature.ClearSighand(), "clone(2): CLONE_CLEAR_SIGHAND since Linux 5.5; clone3_args_valid in kernel/fork.c of 5.10 to 7.2, which no configuration changes", feature.Clone3()),
			brought("FE-004", feature.NewTime(), "commit \"fork: allow CLONE_NEWTIME in clone3 flags\" (March 2023, taken for 6.3), which 5.10.223 and 6.1.176 have too; clone3_args_valid in kernel/fork.c of 7.2, which no configuration changes", feature.Clone3()),
			brought("FE-005", feature.IntoCgroup(), "clone(2): CLONE_INTO_CGROUP since Linux 5.7; clone3_args_valid in kernel/fork.c of 5.10 to 7.2, which no configuration changes", feature.Clone3()),
			brought("FE-006", feature.PidFD(), "clone(2): CLONE_PIDFD since Linux 5.2; copy_process in kernel/fork.c of 5.10 to 7.2, which no configuration changes"),
			traced(brought("FE-007", feature.SyscallInfo(), "ptrace(2): PTRACE_GET_SYSCALL_INFO since Linux 5.3; kernel/ptrace.c of 5.10 to 7.3", feature.Ptrace())),
			traced(brought("FE-008", feature.SetSyscallInfo(), "kernel/ptrace.c of 6.16 to 7.3: PTRACE_SET_SYSCALL_INFO; observed on 6.16 to 7.3, and EIO on 5.10 to 6.12", feature.Ptrace(), feature.SyscallInfo())),
			brought("FE-009", feature.SeccompListener(), "seccomp_unotify(2): SECCOMP_FILTER_FLAG_NEW_LISTENER since Linux 5.0; kernel/seccomp.c of 5.10 to 7.3", feature.SeccompFilters()),
			brought("FE-010", feature.PidfdGetfd(), "pidfd_getfd(2): since Linux 5.6; kernel/pid.c of 5.10 to 7.3", feature.SeccompFilters(), feature.SeccompListener()),
		},
	}
}

// brought claims that a kernel which is new enough has a feature. A part of something larger
// needs the whole, so that what is missing is found once.
func brought(id string, f claim.Feature, source string, whole ...claim.Feature) claim.Claim {
	return claim.Claim{
		ID: id, Level: verdict.Should,
		English:     fmt.Sprintf("A kernel of Linux %d.%d or later has %s.", f.Since.Major, f.Since.Minor, f.Name),
		Chinese:     fmt.Sprintf("Linux %d.%d 及以后的内核具有 %s。", f.Since.Major, f.Since.Minor, f.Chinese),
		Source:      source,
		Probe:       f.Probe,
		Features:    append([]claim.Feature{newEnough(f), unfiltered()}, whole...),
		Unsupported: claim.Where(ported),
		Check: func(g gomega.Gomega, t claim.Transcript, known facts.Facts) {
			s := claim.Shows(known, map[string]wire.Transcript{t.Probe: t.Transcript})
			sight := f.Seen(s)
			if sight.State == claim.CouldNotTell {
				panic(claim.Missing{Probe: f.Probe, Reason: sight.How})
			}
			g.Expect(sight.State).To(gomega.Equal(claim.Present), "%s: %s; this is Linux %s", f.Name, sight.How, s.Facts.UnameRelease)
		},
	}
}

// traced narrows a claim to architectures whose kernels trace as the others do.
func traced(c claim.Claim) claim.Claim {
	c.Needs = []abi.Feature{abi.Trace}
	return c
}

// newEnough is a kernel of a version that brought a feature.
func newEnough(f claim.Feature) claim.Feature {
	return claim.Feature{
		Name: "kernel new enough for " + f.Name, Chinese: "足够新、应有 " + f.Chinese + " 的内核",
		Seen: func(s claim.Shown) claim.Sight {
			if r, first := s.Facts.Release, f.First(s.Facts.Arch); r.Less(first) {
				return claim.Sight{State: claim.Absent, How: fmt.Sprintf("this is Linux %d.%d, and %s came with %d.%d", r.Major, r.Minor, f.Name, first.Major, first.Minor)}
			}
			return claim.Sight{State: claim.Present}
		},
	}
}

// unfiltered is a system on which the kernel itself answers the probes.
func unfiltered() claim.Feature {
	return claim.Feature{
		Name: "answer of the kernel itself", Chinese: "内核自身的应答",
		Seen: func(s claim.Shown) claim.Sight {
			if s.Facts.Filtered {
				return claim.Sight{State: claim.Absent, How: "a seccomp filter may answer in its place"}
			}
			return claim.Sight{State: claim.Present}
		},
	}
}

// ported excludes sw64: no version of Linux has that architecture, so none promises it.
func ported(a abi.Table) string {
	if a.GOARCH == "sw64" {
		return "no version of Linux has this architecture, so none says what its kernels have"
	}
	return ""
}
