package target

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/mapstack/conformance/harness/failure"
)

// TestAGuestThatDoesNotBootIsDiagnosed fails if what stage 0 saw is lost with
// the guest, or if the failure does not say what it means.
func TestAGuestThatDoesNotBootIsDiagnosed(t *testing.T) {
	var log bytes.Buffer
	_, err := boot(t, context.Background(), "is alpha's", patient(), &log)
	var f *failure.Failure
	if !errors.As(err, &f) || f.Early == nil {
		t.Fatalf("%+v", err)
	}
	if len(f.Early.Observations) != 2 || f.Early.Observations[0].Error != "EBADF" || !f.Early.Exit.Clean() {
		t.Errorf("%+v", f.Early)
	}
	if want := "MAP_ANONYMOUS is 0x10 here, not 0x20: this is the ABI of alpha and sw64"; !strings.Contains(f.Message, want) || f.Kind != failure.Panic {
		t.Errorf("%s: %q does not say %q", f.Kind, f.Message, want)
	}
	if strings.Contains(f.Console, "@MSz1") && !strings.Contains(f.Console, "printk") {
		t.Errorf("whole frames among the console's last lines:\n%s", f.Console)
	}
}

// TestAGuestThatBootsKeepsWhatStage0Saw fails if the agent's frames displace stage 0's.
func TestAGuestThatBootsKeepsWhatStage0Saw(t *testing.T) {
	var log bytes.Buffer
	g, err := boot(t, context.Background(), "speaks early", patient(), &log)
	if err != nil {
		t.Fatal(err)
	}
	if early, spoke := g.Early(); !spoke || len(early.Observations) != 2 {
		t.Errorf("%t, %+v", spoke, early)
	}
	if err := g.Stop(); err != nil {
		t.Error(err)
	}
	if g, err = boot(t, context.Background(), "behaves", patient(), &log); err != nil {
		t.Fatal(err)
	}
	if early, spoke := g.Early(); spoke {
		t.Errorf("a guest without stage 0 has %+v", early)
	}
	if err := g.Stop(); err != nil {
		t.Error(err)
	}
}
