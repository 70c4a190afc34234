package shard

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func environment(pairs ...string) func(string) string {
	return func(name string) string {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1]
			}
		}
		return ""
	}
}

func TestAShardIsNamedOrTakenFromTheCISystem(t *testing.T) {
	gitlab := environment("CI_NODE_INDEX", "2", "CI_NODE_TOTAL", "3")
	buildkite := environment("BUILDKITE_PARALLEL_JOB", "0", "BUILDKITE_PARALLEL_JOB_COUNT", "3")
	kubernetes := environment("JOB_COMPLETION_INDEX", "6")
	for _, c := range []struct {
		text      string
		env       func(string) string
		index, of int
		problem   string
	}{
		{"1/4", environment(), 1, 4, ""},
		{"4/4", gitlab, 4, 4, ""}, // what is said counts before the environment
		{"auto", gitlab, 2, 3, ""},
		{"auto/3", gitlab, 2, 3, ""},
		{"auto", buildkite, 1, 3, ""},
		{"auto/7", kubernetes, 7, 7, ""},
		{"auto/4", gitlab, 0, 0, "--shard says 4 shards, and CI_NODE_TOTAL of GitLab says 3"},
		{"auto", kubernetes, 0, 0, "give --shard auto/N"},
		{"auto/6", kubernetes, 0, 0, "JOB_COMPLETION_INDEX is 6, and there are 6 shards, counted from 0"},
		{"auto", environment(), 0, 0, "CI_NODE_INDEX, BUILDKITE_PARALLEL_JOB, JOB_COMPLETION_INDEX is set"},
		{"auto", environment("CI_NODE_INDEX", "x", "CI_NODE_TOTAL", "3"), 0, 0, `CI_NODE_INDEX is "x"`},
		{"auto/x", kubernetes, 0, 0, `--shard gives "x" shards`},
		{"0/4", environment(), 0, 0, "with I from 1 to N"},
		{"5/4", environment(), 0, 0, "with I from 1 to N"},
		{"2", environment(), 0, 0, "with I from 1 to N"},
		{"-1/4", environment(), 0, 0, "with I from 1 to N"},
		{"1/99999999999", environment(), 0, 0, "with I from 1 to N"},
	} {
		index, of, err := Parse(c.text, c.env)
		if c.problem != "" {
			if err == nil || !strings.Contains(err.Error(), c.problem) {
				t.Errorf("%s: %v, want %q", c.text, err, c.problem)
			}
			continue
		}
		if err != nil || index != c.index || of != c.of {
			t.Errorf("%s: %d of %d, %v", c.text, index, of, err)
		}
	}
}

func TestShardsTakeTheSameTime(t *testing.T) {
	cells := []string{"quick", "slow", "middling", "unknown"}
	parts, err := Split(cells, map[string]float64{"slow": 100, "middling": 50, "quick": 30}, 2) // unknown: 60
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([][]string{{"quick", "slow"}, {"middling", "unknown"}}, parts); d != "" {
		t.Error(d)
	}
}

// TestEveryCellIsInOneShard fails if a cell is lost or run twice, if a shard is empty, or if
// the shards depend on the order in which somebody lists the cells.
func TestEveryCellIsInOneShard(t *testing.T) {
	var cells []string
	seconds := map[string]float64{}
	for i := range 43 {
		cells = append(cells, fmt.Sprintf("cell-%02d", i))
		if i%3 > 0 {
			seconds[cells[i]] = float64(i * i % 97)
		}
	}
	turned := slices.Clone(cells)
	slices.Reverse(turned)
	for _, known := range []map[string]float64{nil, seconds} {
		for of := 1; of <= len(cells); of++ {
			parts, err := Split(cells, known, of)
			if err != nil {
				t.Fatal(err)
			}
			again, err := Split(turned, known, of)
			if err != nil {
				t.Fatal(err)
			}
			var all []string
			for i, part := range parts {
				if len(part) == 0 {
					t.Errorf("shard %d of %d has nothing to do", i+1, of)
				}
				slices.Reverse(again[i])
				if !slices.Equal(part, again[i]) {
					t.Errorf("shard %d of %d is %v and %v", i+1, of, part, again[i])
				}
				all = append(all, part...)
			}
			slices.Sort(all)
			if !slices.Equal(all, cells) {
				t.Errorf("%d shards run %v", of, all)
			}
		}
	}
	if _, err := Split(cells, nil, len(cells)+1); err == nil || !strings.Contains(err.Error(), "the selection has 43 cells") {
		t.Error(err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("auto/3", "2", "")
	f.Add("1/2", "", "")
	f.Fuzz(func(t *testing.T, text, index, total string) {
		i, n, err := Parse(text, environment("CI_NODE_INDEX", index, "CI_NODE_TOTAL", total))
		if err == nil && (i < 1 || i > n || n > most) {
			t.Errorf("%q: %d of %d", text, i, n)
		}
	})
}
