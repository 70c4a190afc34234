package cache

import (
	"strings"
	"testing"
)

func TestOnlyAWholeHashNamesABlob(t *testing.T) {
	sum := strings.Repeat("0f", 32)
	if !ValidSHA256(sum) {
		t.Errorf("%s is refused", sum)
	}
	for _, bad := range []string{"", sum[1:], sum + "0", sum + "\n", strings.ToUpper(sum), "../" + sum[3:], "g" + sum[1:]} {
		if ValidSHA256(bad) {
			t.Errorf("%q is accepted", bad)
		}
	}
}
