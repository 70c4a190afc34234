package limit

import (
	"os"
	"reflect"
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

func FuzzUsers(f *testing.F) {
	f.Add("Uid:\t1000\t0\t65533\t1000\n")
	f.Add("Uid:\t-1\t4294967296\tx\n")
	f.Fuzz(func(t *testing.T, status string) { users(status) })
}
