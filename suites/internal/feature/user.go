package feature

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mapstack/conformance/poc/wire"
	"github.com/mapstack/conformance/suites/internal/claim"
)

// AnotherUser is a user other than root that a probe becomes in a step. Root may not without
// CAP_SETUID (EPERM), and a user namespace may not have that user (EINVAL): setresuid(2),
// user_namespaces(7).
func AnotherUser(probe, step string) claim.Feature {
	return claim.Feature{
		Name: "other user", Chinese: "其他用户", Probe: probe,
		Seen: func(s claim.Shown) claim.Sight {
			o, ok := s.Step(probe, step)
			if !ok {
				return s.Unreported(probe, step)
			}
			// Any other user than root is told to run the probes as root.
			if why := NotBecome(o); why != "" && s.Facts.UID == 0 {
				return claim.Sight{State: claim.Absent, How: fmt.Sprintf("%s (step %q of probe %s)", why, step, probe)}
			}
			return claim.Sight{State: claim.Present}
		},
	}
}

// NotBecome returns why a step did not become another user, or "". The step called setresuid
// itself, or it started a child as that user.
func NotBecome(o wire.Observation) string {
	switch o.Values["setresuid"] { // stage 0 shows what the kernel returns
	case "0xffffffffffffffff", "0x1":
		return "setresuid(65534) answers EPERM"
	case "0xffffffffffffffea", "0x16":
		return "setresuid(65534) answers EINVAL"
	}
	if strings.HasPrefix(o.Call, "setresuid") && slices.Contains([]string{"EPERM", "EINVAL"}, o.Error) {
		return fmt.Sprintf("%s answers %s", o.Call, o.Error)
	}
	for _, refusal := range []string{"operation not permitted", "invalid argument"} {
		if why := o.Unknown["exit"]; strings.HasPrefix(why, "the child could not be started: ") && strings.HasSuffix(why, refusal) {
			return why
		}
	}
	for _, refusal := range []string{"EPERM", "EINVAL"} {
		if why := strings.TrimSpace(o.Values["stderr"]); strings.HasPrefix(why, "become user ") && strings.HasSuffix(why, refusal) {
			return why
		}
	}
	return ""
}

// AnotherLocker is a user who may lock less memory than root. Root is one itself where its
// mlock of plain memory is refused beyond RLIMIT_MEMLOCK.
func AnotherLocker() claim.Feature {
	f := AnotherUser("mmapabi", "locked.user")
	become := f.Seen
	f.Seen = func(s claim.Shown) claim.Sight {
		if o, ok := s.Step("mmapabi", "locked.root over the limit"); ok && o.Values["mlock"] == "ENOMEM" {
			return claim.Sight{State: claim.Present}
		}
		return become(s)
	}
	return f
}

// LockableBeyond is plain memory that root may lock beyond RLIMIT_MEMLOCK, or a limit that
// is large enough. Root of a user namespace has CAP_IPC_LOCK in that namespace alone.
func LockableBeyond() claim.Feature {
	const probe = "mapstack"
	return claim.Feature{
		Name: "plain memory that root may lock", Chinese: "root 可锁定的普通内存", Probe: probe,
		Seen: func(s claim.Shown) claim.Sight {
			if sight := s.Errno(probe, "lockall.call", "EPERM", "ENOMEM"); sight.State != claim.Present {
				return sight
			}
			return s.Errno(probe, "lockall.plain", "EAGAIN")
		},
	}
}
