package intake

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/mapstack/conformance/harness/matrix"
)

// Apply returns those of a system's settings that a guest can be given, in the form
// that a cell has them. Of the others, PolicyLine.Left says why not. A guest is given
// what an ordinary program gets: one that the service manager starts, and one of a
// user who logged in.
func Apply(found []PolicyLine) (applied []matrix.Setting, all []PolicyLine) {
	all = slices.Clone(found)
	session := map[string]*pair{}
	for i := range all {
		s := &all[i]
		words := strings.Fields(s.Name)
		switch {
		case len(words) == 3: // of limits.conf
			if words[0] != "*" {
				s.Left = "it is of " + words[0] + " alone, and not of every user"
			} else if value, err := amount(words[2], s.Value); err != nil {
				s.Left = err.Error()
			} else {
				if session[words[2]] == nil {
					session[words[2]] = &pair{soft: "-", hard: "-"}
				}
				session[words[2]].set(words[1], value, s.Source)
			}
			continue
		case s.Name == defaultTasks:
			s.Left = add(&applied, matrix.Setting{Of: matrix.OfService, Name: "tasks", Value: infinite(s.Value), Source: s.Source})
		case s.Name == userTasks || s.Name == sliceTasks:
			if s.Name == userTasks && slices.ContainsFunc(all, func(o PolicyLine) bool { return o.Name == sliceTasks }) {
				s.Left = "user-.slice says another, which counts"
				continue
			}
			s.Left = add(&applied, matrix.Setting{Of: matrix.OfSession, Name: "tasks", Value: infinite(s.Value), Source: s.Source})
		case strings.Contains(s.Name, "."):
			s.Left = add(&applied, matrix.Setting{Of: matrix.OfSysctl, Name: s.Name, Value: s.Value, Source: s.Source})
		case strings.HasPrefix(s.Name, defaultLimit):
			value, err := limits(s.Value)
			if err != nil {
				s.Left = err.Error()
				continue
			}
			s.Left = add(&applied, matrix.Setting{Of: matrix.OfService, Name: strings.ToLower(strings.TrimPrefix(s.Name, defaultLimit)), Value: value, Source: s.Source})
		default:
			s.Left = "a guest has not what it is about; a boot of the system itself has"
		}
	}
	for _, item := range resources {
		if p := session[item]; p != nil {
			applied = append(applied, matrix.Setting{Of: matrix.OfSession, Name: item, Value: p.soft + ":" + p.hard, Source: strings.Join(p.sources, " and ")})
		}
	}
	return applied, all
}

// add appends a setting. If a cell cannot have it, add returns why.
func add(list *[]matrix.Setting, s matrix.Setting) (left string) {
	if err := s.Check(); err != nil {
		return err.Error()
	}
	*list = append(*list, s)
	return ""
}

// resources are the limits of setrlimit(2) that matter for threads and mappings, in
// the names of limits.conf. systemd writes them in capitals.
var resources = []string{"nproc", "as", "data", "stack", "memlock"}

// Names of settings, besides those of sysctls and of limits.conf.
const (
	defaultTasks = "DefaultTasksMax"      // systemd-system.conf(5)
	defaultLimit = "DefaultLimit"         // the same; the resource follows
	userTasks    = "UserTasksMax"         // logind.conf(5), before systemd 239
	sliceTasks   = "user-.slice/TasksMax" // systemd.resource-control(5), since systemd 239
)

// pair is the soft and the hard limit of a resource.
type pair struct {
	soft, hard string
	sources    []string
}

func (p *pair) set(kind, value, source string) {
	if kind != "hard" {
		p.soft = value
	}
	if kind != "soft" {
		p.hard = value
	}
	p.sources = append(p.sources, source)
}

// amount converts a value of limits.conf(5) to the units of setrlimit(2).
func amount(item, value string) (string, error) {
	if slices.Contains([]string{"unlimited", "infinity", "-1"}, value) {
		return "max", nil
	}
	n, err := strconv.ParseUint(value, 10, 64)
	if err != nil || n > math.MaxUint64>>10 {
		return "", fmt.Errorf("%q is no number", value)
	}
	if item != "nproc" {
		n <<= 10 // KiB
	}
	return strconv.FormatUint(n, 10), nil
}

func infinite(value string) string {
	if value == "infinity" {
		return "max"
	}
	return value
}

// size is a number with a suffix, as in systemd.exec(5).
var size = regexp.MustCompile(`^([0-9]{1,19})([KMGTPE]?)$`)

// limits converts SOFT or SOFT:HARD of systemd to the form of a cell.
func limits(value string) (string, error) {
	parts := strings.Split(value, ":")
	if len(parts) == 1 {
		parts = append(parts, parts[0])
	}
	for i, p := range parts {
		m := size.FindStringSubmatch(p)
		switch {
		case p == "infinity":
			parts[i] = "max"
		case m == nil || len(parts) > 2:
			return "", fmt.Errorf("%q is no limit as systemd.exec(5) has them", value)
		case m[2] != "":
			n, err := strconv.ParseUint(m[1], 10, 64)
			shift := 10 * (1 + strings.Index("KMGTPE", m[2]))
			if err != nil || n > math.MaxUint64>>shift {
				return "", fmt.Errorf("%q is more than a limit can be", value)
			}
			parts[i] = strconv.FormatUint(n<<shift, 10)
		}
	}
	return strings.Join(parts, ":"), nil
}
