package limit

import (
	"os"
	"path/filepath"
	"reflect"
	"sort"
	"testing"
)

// TestAUsedUserIDIsNotFree fails if a limit would be counted together with others'
// processes.
func TestAUsedUserIDIsNotFree(t *testing.T) {
	status := "Name:\ta\nUid:\t1000\t0\t65533\t1000\nGid:\t7\t7\t7\t7\n"
	if got := users(status); !reflect.DeepEqual(got, []uint32{1000, 0, 65533, 1000}) {
		t.Errorf("%v", got)
	}
	free := Unused(3)
	seen := map[uint32]bool{0: true, uint32(os.Getuid()): true}
	for _, id := range free {
		if seen[id] {
			t.Errorf("%v are free", free)
		}
		seen[id] = true
	}
	if len(free) != 3 {
		t.Errorf("%v", free)
	}
}

// TestTheUserOfEveryThreadIsKnown fails if a process is judged by its first thread.
func TestTheUserOfEveryThreadIsKnown(t *testing.T) {
	dir := t.TempDir()
	for name, status := range map[string]string{
		"status":        "Name:\ta\nUid:\t0\t0\t0\t0\nThreads:\t2\nSigQ:\t0/1\n",
		"task/7/status": "Name:\ta\nUid:\t0\t0\t0\t0\nThreads:\t2\n",
		"task/8/status": "Name:\ta\nUid:\t5\t5\t5\t5\nThreads:\t2\n",
	} {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(status), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var got []uint32
	for _, status := range statuses(dir) {
		got = append(got, users(status)...)
	}
	sort.Slice(got, func(i, j int) bool { return got[i] < got[j] })
	if want := []uint32{0, 0, 0, 0, 5, 5, 5, 5}; !reflect.DeepEqual(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if got := statuses(filepath.Join(dir, "none")); len(got) != 0 {
		t.Errorf("a process that has ended: %q", got)
	}
}

func FuzzUsers(f *testing.F) {
	f.Add("Uid:\t1000\t0\t65533\t1000\n")
	f.Add("Uid:\t-1\t4294967296\tx\n")
	f.Fuzz(func(t *testing.T, status string) { users(status) })
}
