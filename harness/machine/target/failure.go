package target

import (
	"strings"

	"github.com/mapstack/conformance/harness/failure"
	"github.com/mapstack/conformance/harness/guest/account"
	"github.com/mapstack/conformance/poc/abi"
	"github.com/mapstack/conformance/poc/wire"
)

// tell adds what stage 0 observed to the failure of an agent that did not start. If the ABI
// is not the architecture's, that is the reason.
func tell(f *failure.Failure, early wire.Transcript, goarch string) {
	f.Early = &early
	if table, known := abi.Lookup(goarch); known {
		if found := account.Diagnose(early, table); len(found) > 0 {
			f.Kind, f.Message = failure.NoInit, strings.Join(found, "; ")+"\n"+f.Message
		}
	}
}
