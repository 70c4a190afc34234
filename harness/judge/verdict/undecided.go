package verdict

import "maps"

// Undecided returns the probes for which a claim ended in an error, with the first such claim
// and its reason. A probe that showed that a claim does not hold is left out: what was seen
// once counts, unless the failure is known or decides nothing.
func Undecided(outcomes []Outcome) map[string]string {
	why, seen := map[string]string{}, map[string]bool{}
	for _, o := range outcomes {
		switch {
		case o.Status == Error && why[o.Probe] == "":
			why[o.Probe] = "claim " + o.Claim + " could not be decided: " + o.Reason
		case o.Status == Fail && o.Level != May && !o.Accepted() && !o.AsKnown():
			seen[o.Probe] = true
		}
	}
	maps.DeleteFunc(why, func(probe, _ string) bool { return probe == "" || seen[probe] })
	return why
}
