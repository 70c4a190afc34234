package feature

import "github.com/mapstack/conformance/suites/internal/claim"

// MemoryNames is PR_SET_VMA_ANON_NAME of prctl, since Linux 5.17 where
// CONFIG_ANON_VMA_NAME is set. It reads a step that asks for a name of plain memory.
func MemoryNames(probe, step string) claim.Feature {
	return claim.Feature{
		Name: "PR_SET_VMA_ANON_NAME", Chinese: "PR_SET_VMA_ANON_NAME", Probe: probe,
		Seen: func(s claim.Shown) claim.Sight { return s.Errno(probe, step, "EINVAL") },
	}
}

// FreeLater is MADV_FREE of madvise, since Linux 4.5. A kernel without it answers EINVAL.
func FreeLater() claim.Feature {
	return claim.Feature{
		Name: "MADV_FREE", Chinese: "MADV_FREE", Probe: "mmapabi",
		Seen: func(s claim.Shown) claim.Sight {
			return s.Errno("mmapabi", "free plain", "EINVAL")
		},
	}
}

// GrowthLimit is a limit of how far a mapping with MAP_GROWSDOWN grows. A program that
// grew beyond RLIMIT_STACK and lived on shows that there is none.
func GrowthLimit() claim.Feature {
	return claim.Feature{
		Name: "limit of growing mappings", Chinese: "增长映射的限制", Probe: "mmapabi",
		Seen: func(s claim.Shown) claim.Sight {
			const step = "full"
			o, ok := s.Step("mmapabi", step)
			switch exit, told := o.Values["exit"]; {
			case !ok || !told:
				return s.Unreported("mmapabi", step)
			case exit == "3": // grewOn of the probe
				return claim.Sight{State: claim.Absent, How: "a program grew a mapping beyond RLIMIT_STACK (step \"full\" of probe mmapabi)"}
			}
			return claim.Sight{State: claim.Present}
		},
	}
}
