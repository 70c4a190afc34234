package run

import (
	"context"
	"errors"

	"github.com/mapstack/conformance/harness/failure"
)

// retries is how often something is tried again after an error of ours, such as a QEMU that
// a busy host did not run in time. Such an error says nothing of a kernel, and may not come
// again.
const retries = 2

// again calls try until it succeeds, fails for another reason, or was tried often enough.
// note is told each failure after which it is tried again.
func again(ctx context.Context, note func(*failure.Failure), try func() error) error {
	for n := 0; ; n++ {
		err := try()
		var f *failure.Failure
		if n == retries || ctx.Err() != nil || !errors.As(err, &f) || !f.Transient() {
			return err
		}
		note(f)
	}
}
