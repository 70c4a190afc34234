package mmapabi

import (
	"testing"

	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/poc/wire"
	"github.com/mapstack/conformance/suites/internal/recorded"
)

// later lists the claims whose steps came after the recordings.
var later = []string{"MF-116", "MF-117", "MF-118", "MF-119", "MF-120", "MF-121", "MF-122", "MF-123"}

// made returns what a right kernel answers to the steps that are not in the recordings.
func made() []wire.Observation {
	const at = "0x7f0000000000"
	flags := map[string]string{"populate": ok, "noreserve": ok, "locked": ok}
	refused := func(step string) wire.Observation {
		return wire.Observation{Step: step, Call: "mmap", Errno: 22, Error: invalid}
	}
	list := []wire.Observation{
		{Step: "flags of a shared file", Values: flags}, {Step: "flags of a private file", Values: flags},
		refused("growsdown validated file"),
		{Step: "noreplace file free", Call: "mmap", Ret: at, Values: map[string]string{"asked": at, "store": ok}},
		{Step: "noreplace file occupied", Call: "mmap", Errno: 17, Error: "EEXIST", Values: map[string]string{"kept": stored, "unmapped": ok}},
		{Step: "anonymous with an offset", Call: "mmap", Ret: at, Values: map[string]string{"store": ok}},
	}
	for _, kind := range []string{" plain", " stack"} {
		list = append(list,
			wire.Observation{Step: "dontfork" + kind, Call: "madvise", Ret: "0x0", Values: map[string]string{"stored": ok, "child": "has none", "kept": stored}},
			wire.Observation{Step: "free" + kind, Call: "madvise", Ret: "0x0", Values: map[string]string{"stored": ok, "byte": stored, "store": ok}},
			wire.Observation{Step: "mem" + kind, Values: map[string]string{"stored": ok, "read": stored, "write": ok, "after": written}},
			wire.Observation{Step: "named" + kind, Call: "prctl", Ret: "0x0", Values: map[string]string{"stored": ok, "name": "[anon:mapstack]"}},
		)
	}
	return list
}

func TestLaterClaimsCanFail(t *testing.T) {
	f, tr := recorded.Kernel(t, usual, probe)
	recorded.EveryAnswerDecides(t, recorded.Only(Suite(), later...), f, recorded.With(tr, made()...), []recorded.Wrong{
		{"MF-116", "flags of a shared file", value("populate", notSupported)},
		{"MF-116", "flags of a private file", value("locked", invalid)},
		{"MF-117", "noreplace file free", recorded.Success("0x7f0000001000")}, // elsewhere
		{"MF-117", "noreplace file free", einval},
		{"MF-117", "noreplace file occupied", success},
		{"MF-117", "noreplace file occupied", value("kept", "0")},
		{"MF-118", "growsdown validated file", success},
		{"MF-118", "growsdown shared file", success},
		{"MF-118", "growsdown private file", success},
		{"MF-118", "growsdown shared anonymous", success},
		{"MF-119", "anonymous with an offset", einval},
		{"MF-120", "dontfork stack", value("child", "has it")},
		{"MF-120", "dontfork stack", einval},
		{"MF-120", "dontfork plain", value("kept", "0")},
		{"MF-121", "free stack", einval},
		{"MF-121", "free stack", value("byte", "7")},
		{"MF-121", "free stack", value("store", "fault")},
		{"MF-122", "mem stack", value("read", "input/output error")},
		{"MF-122", "mem stack", value("write", "input/output error")},
		{"MF-122", "mem stack", value("after", stored)},
		{"MF-123", "named stack", einval},
		{"MF-123", "named stack", value("name", "")},
	})
}

// TestWhatTheKernelLacksIsNotHeldAgainstStacks fails if an old kernel is blamed for what
// plain memory does not have either.
func TestWhatTheKernelLacksIsNotHeldAgainstStacks(t *testing.T) {
	f, tr := recorded.Kernel(t, usual, probe)
	tr = recorded.With(tr, made()...)
	for id, step := range map[string]string{"MF-121": "free", "MF-123": "named"} {
		lacks := recorded.Change(t, recorded.Change(t, tr, step+" plain", einval), step+" stack", einval)
		if o := recorded.One(t, Suite(), id, f, lacks); o.Status != verdict.Unsupported {
			t.Errorf("%s: %s: %s", id, o.Status, o.Reason)
		}
	}
	grewOn := recorded.Change(t, recorded.Change(t, tr, "full", value("exit", "3")), "full", value("stderr", ""))
	for id, want := range map[string]verdict.Status{"SG-011": verdict.Unsupported, "MF-030": verdict.Fail} {
		if o := recorded.One(t, Suite(), id, f, grewOn); o.Status != want {
			t.Errorf("%s where growth has no limit: %s: %s", id, o.Status, o.Reason)
		}
	}
}

// TestVendorsMayDefineABit fails if a number that has no name must be accepted with
// MAP_PRIVATE, or if one that has a name may be refused.
func TestVendorsMayDefineABit(t *testing.T) {
	f, tr := recorded.Kernel(t, usual, probe)
	refused := recorded.Change(t, tr, "bit 0x400", einval)
	if got := recorded.Red(recorded.Judge(Suite(), f, refused)); len(got) > 0 {
		t.Errorf("0x400 is refused, and these fail: %v", got)
	}
	if got := recorded.Red(recorded.Judge(Suite(), f, recorded.Change(t, tr, "bit 0x20000", einval))); len(got) == 0 {
		t.Error("MAP_STACK is refused, and nothing fails")
	}
}
