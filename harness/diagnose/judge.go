package diagnose

import "slices"

// Judge names the causes of a failure, the most certain first. It is a pure
// function of the evidence.
func Judge(e Evidence) []Cause {
	if c, ok := filtered(e); ok {
		return []Cause{c}
	}
	var causes []Cause
	switch {
	case e.Failure.Want == Memory:
		causes = memory(e)
	case e.Failure.Name == "EAGAIN":
		causes = tasks(e)
	default:
		causes = other(e)
	}
	if e.Failure.Name == "EAGAIN" {
		causes = append(causes, unreadFilters(e)...)
	} else {
		// Filters give these errors more often than the kernel itself.
		causes = append(unreadFilters(e), causes...)
	}
	slices.SortStableFunc(causes, func(a, b Cause) int { return rank(a) - rank(b) })
	return causes
}

func rank(c Cause) int {
	switch {
	case c.Certainty == Is:
		return 0
	case c.Certainty == Next:
		return 1
	case c.ID == "passing":
		return 3 // the explanation when there is no other
	}
	return 2
}
