package target

import (
	"strings"
	"testing"

	"github.com/mapstack/conformance/harness/matrix"
)

func TestAddressesThatSSHWouldTakeForOptionsAreRefused(t *testing.T) {
	for _, bad := range []string{"ssh://", "ssh://-oProxyCommand=x", "ssh://-l@host", "ssh://user:secret@host", "ssh://host/path", "http://host", "ssh://a b"} {
		if s, err := overSSH([]string{"ssh"}, bad); err == nil {
			t.Errorf("%s: %q", bad, s.argv)
		} else if strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: more than a sentence: %v", bad, err)
		}
	}
	s, err := overSSH([]string{"ssh"}, "ssh://root@[::1]:2222")
	got := strings.Join(s.command("it's"), " ")
	if err != nil || !strings.HasSuffix(got, `-p 2222 -l root -- ::1 sh -c 'it'\''s'`) {
		t.Errorf("%s, %v", got, err)
	}
}

func TestWhatAProbeLeftBehindIsNamed(t *testing.T) {
	before := settings{"sysctl a": "1", "sysctl b": "2", "limit x": "."}
	after := settings{"sysctl a": "1", "sysctl b": "3", "group /g": "."}
	got := strings.Join(difference(before, after), "; ")
	if got != `limit x is gone; sysctl b was "2" and is "3"; group /g is new` {
		t.Error(got)
	}
	if d := difference(before, before); d != nil {
		t.Error(d)
	}
}

// TestHarmIsRefused fails if a probe that could harm others runs without --destructive, or
// if a user-mode emulator is asked what it cannot know.
func TestHarmIsRefused(t *testing.T) {
	if f := refusal(matrix.Native, "nobody-knows", "amd64", false); f == nil {
		t.Error("an unknown probe is run")
	}
	if f := refusal(matrix.Native, "zeropage", "amd64", false); f != nil {
		t.Error(f)
	}
	if f := refusal(matrix.UserMode, "newosproc", "arm64", true); f == nil {
		t.Error("an emulator decides what the host's kernel does")
	}
}
