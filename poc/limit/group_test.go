package limit

import (
	"os"
	"path/filepath"
	"testing"
)

// TestAControllerOfOthersStays fails if a controller that others use is taken away:
// their groups would lose their limits.
func TestAControllerOfOthersStays(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "cgroup.subtree_control")
	for _, c := range []struct{ before, controller, offered, after string }{
		{"cpu pids\n", "pids", "cpu pids\n", "cpu pids\n"},
		{"", "pids", "+pids", "-pids"}, // a kernel would act on these words
	} {
		if err := os.WriteFile(file, []byte(c.before), 0o644); err != nil {
			t.Fatal(err)
		}
		withdraw := Group(dir).Offer(c.controller)
		offered, _ := os.ReadFile(file)
		withdraw()
		after, _ := os.ReadFile(file)
		if string(offered) != c.offered || string(after) != c.after {
			t.Errorf("%q became %q, then %q", c.before, offered, after)
		}
	}
	group := Group(dir).Below("group")
	group.Clear()
	if _, err := os.Stat(string(group)); !os.IsNotExist(err) {
		t.Errorf("the group is still there: %v", err)
	}
}
