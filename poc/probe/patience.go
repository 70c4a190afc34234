package probe

import (
	"os"
	"strconv"
	"time"

	"github.com/mapstack/conformance/poc/wire"
)

// Patience returns how long to wait for what takes less than d on an idle host. An emulated
// machine knows nothing of a busy host: its clock goes on while it gets no CPU. So the host
// says how many times as long things may take.
func Patience(d time.Duration) time.Duration { return d * time.Duration(stretch()) }

// stretch returns what the host said; 1 where it said nothing.
func stretch() int {
	if n, err := strconv.Atoi(os.Getenv(wire.StretchVariable)); err == nil && n >= 1 && n <= wire.MaxStretch {
		return n
	}
	return 1
}
