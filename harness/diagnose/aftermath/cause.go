package aftermath

import (
	"slices"

	"github.com/mapstack/conformance/harness/diagnose"
)

// Likelihood says how well a cause fits.
type Likelihood string

// Likelihoods, in the order in which causes are listed.
const (
	// Certain: the log itself says so.
	Certain Likelihood = "certain"
	// Likely: something speaks for it, and nothing against it.
	Likely   Likelihood = "likely"
	Possible Likelihood = "possible"
	// Unlikely: something speaks against it.
	Unlikely Likelihood = "unlikely"
)

// Cause is what may have refused.
type Cause struct {
	// ID is one of those of a live diagnosis.
	ID         string          `json:"id"`
	Likelihood Likelihood      `json:"likelihood"`
	Why        diagnose.Text   `json:"why"`
	For        []diagnose.Text `json:"for,omitempty"`
	Against    []diagnose.Text `json:"against,omitempty"`
	// Cure says what to do, if this is the cause.
	Cure diagnose.Text `json:"cure"`
}

// maxReasons bounds how much is listed for a cause, and against it.
const maxReasons = 4

// because adds what speaks for a cause.
func (c *Cause) because(t diagnose.Text) {
	if len(c.For) < maxReasons {
		c.For = append(c.For, t)
	}
}

// although adds what speaks against it.
func (c *Cause) although(t diagnose.Text) { c.Against = append(c.Against, t) }

func (c *Cause) weigh() {
	switch {
	case c.Likelihood != "": // its judge said so
	case len(c.For) > 0 && len(c.Against) == 0:
		c.Likelihood = Likely
	case len(c.Against) > 0 && len(c.For) == 0:
		c.Likelihood = Unlikely
	default:
		c.Likelihood = Possible
	}
}

// causes names what may have refused, the most likely first.
func causes(log Log, f *Facts) []Cause {
	var found []Cause
	for _, w := range log.Words {
		for _, judge := range candidates(w) {
			c := judge(w, log, f)
			c.weigh()
			at := slices.IndexFunc(found, func(old Cause) bool { return old.ID == c.ID })
			switch {
			case at < 0:
				found = append(found, c)
			case rank(c) < rank(found[at]):
				found[at] = c
			}
		}
	}
	slices.SortStableFunc(found, func(a, b Cause) int { return rank(a) - rank(b) })
	return found
}

func rank(c Cause) int {
	return slices.Index([]Likelihood{Certain, Likely, Possible, Unlikely}, c.Likelihood)
}

// kernel speaks in the kernel's log.
const kernel = "the kernel"

// judge weighs one cause of a word. Facts may be nil.
type judge func(w Word, log Log, f *Facts) Cause

// candidates returns the causes that a word can have, the most frequent first.
func candidates(w Word) []judge {
	switch w.Kind {
	case FullGroup:
		return []judge{pidsGroup}
	case MaxThreads:
		return []judge{maxThreads}
	case Filtered:
		return []judge{filterKill}
	case KilledInGroup:
		return []judge{memoryGroup}
	case Killed:
		if w.Speaker == kernel {
			return []judge{machineMemory}
		}
		return []judge{memoryGroup, machineMemory, byHand}
	case Memory:
		if w.Errno == "EAGAIN" {
			return []judge{lockedMemory}
		}
		return []judge{addressSpace, memoryGroup, overcommit, mappings, machineMemory}
	}
	return byErrno(w)
}

// byErrno returns the causes of a task that was refused.
func byErrno(w Word) []judge {
	tasks := []judge{pidsGroup, userTasks, allTasks, numbers}
	switch w.Errno {
	case "ENOMEM":
		return []judge{pidNamespace, overcommit, memoryGroup, addressSpace, machineMemory}
	case "EINVAL":
		return []judge{pidNamespace, oldKernel}
	case "EPERM", "EACCES":
		if w.Kind == Namespace {
			return []judge{userNamespaces, filterErrno}
		}
		return []judge{filterErrno, userNamespaces}
	case "ENOSYS":
		return []judge{filterErrno, oldKernel}
	case "ENOSPC":
		return []judge{namespaceLimit}
	}
	if w.Kind == Program {
		return []judge{userTasks}
	}
	if w.Library {
		// The C library says EAGAIN, too, when it gets no memory for a stack.
		return append(tasks, addressSpace, stackSize, overcommit, mappings)
	}
	return tasks
}
