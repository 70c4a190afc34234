package target

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mapstack/conformance/harness/arch"
	"github.com/mapstack/conformance/harness/matrix"
)

// programs compiles the agent and some probes.
func programs(t *testing.T, goarch string, probes ...string) map[string][]byte {
	t.Helper()
	all, dir := map[string][]byte{}, t.TempDir()
	for _, name := range append([]string{"agent"}, probes...) {
		cmd := exec.Command("go", "build", "-o", dir+"/", "../../poc/"+name)
		cmd.Env = append(os.Environ(), "GOARCH="+goarch, "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if name == "agent" {
			all[agentName] = b
		} else {
			all["probes/"+name] = b
		}
	}
	return all
}

func connected(t *testing.T, o Options, goarch string, probes ...string) *Hosted {
	t.Helper()
	h, _, err := Connect(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	rec, err := arch.Lookup(goarch)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Load(t.Context(), rec, programs(t, goarch, probes...)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

// server is an sshd of the test's own on loopback.
type server struct {
	pid     int
	program []string // ssh, with a configuration that reaches it and nobody else
	address string
}

// serve starts sshd with a key of its own, or says why it cannot.
func serve(t *testing.T) server {
	t.Helper()
	sshd, err := exec.LookPath("/usr/sbin/sshd")
	if err != nil {
		t.Skip("not run: it needs /usr/sbin/sshd; apt-get install openssh-server")
	}
	if os.Getuid() != 0 {
		t.Skip("not run: sshd needs root")
	}
	// Its parents must be root's own for sshd to trust the keys in it.
	dir := t.TempDir()
	for _, key := range []string{"host", "user"} {
		if out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", filepath.Join(dir, key)).CombinedOutput(); err != nil {
			t.Fatalf("%v %s", err, out)
		}
	}
	_ = os.MkdirAll("/run/sshd", 0o755) // Debian's sshd wants it; its unit makes it
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := listener.Addr().(*net.TCPAddr).Port
	listener.Close()
	cmd := exec.Command(sshd, "-D", "-e", "-f", "/dev/null", "-p", strconv.Itoa(port), "-h", filepath.Join(dir, "host"),
		"-o", "ListenAddress=127.0.0.1", "-o", "AuthorizedKeysFile="+filepath.Join(dir, "user.pub"), "-o", "StrictModes=no",
		"-o", "PermitRootLogin=prohibit-password", "-o", "PidFile=none", "-o", "UsePAM=no")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	runtime.LockOSThread() // for Pdeathsig
	t.Cleanup(runtime.UnlockOSThread)
	said, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	up, listening := make([]byte, 4096), false
	for !listening {
		n, err := said.Read(up)
		if err != nil {
			t.Fatalf("sshd ended: %v", err)
		}
		listening = bytes.Contains(up[:n], []byte("listening"))
	}
	go func() { _, _ = io.Copy(io.Discard, said) }()
	config := filepath.Join(dir, "config")
	text := fmt.Sprintf("IdentityFile %s/user\nIdentitiesOnly yes\nStrictHostKeyChecking no\nUserKnownHostsFile %s/known\n", dir, dir)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return server{cmd.Process.Pid, []string{"ssh", "-F", config}, fmt.Sprintf("ssh://root@127.0.0.1:%d", port)}
}

// cut kills the connections of the server that run an agent.
func (s server) cut(t *testing.T) int {
	t.Helper()
	out, err := exec.Command("ps", "-eo", "pid,ppid,args").Output()
	if err != nil {
		t.Fatal(err)
	}
	parent, agents := map[int]int{}, []int{}
	for _, line := range strings.Split(string(out), "\n") {
		f := strings.Fields(line)
		if len(f) < 3 {
			continue
		}
		pid, _ := strconv.Atoi(f[0])
		parent[pid], _ = strconv.Atoi(f[1])
		if strings.HasSuffix(f[2], "/agent") {
			agents = append(agents, pid)
		}
	}
	cut := 0
	for _, pid := range agents {
		at := pid
		for at != 0 && parent[at] != s.pid {
			at = parent[at]
		}
		if at != 0 && syscall.Kill(at, syscall.SIGKILL) == nil {
			cut++
		}
	}
	return cut
}

// TestOneTableForEverySystem fails if a kind of system needs its own handling:
// probes run, a fresh agent each, what could harm is refused, and nothing stays.
func TestOneTableForEverySystem(t *testing.T) {
	for name, options := range map[string]func(*testing.T) (Options, string){
		"native": func(*testing.T) (Options, string) { return Options{Host: matrix.Native}, runtime.GOARCH },
		"ssh": func(t *testing.T) (Options, string) {
			s := serve(t)
			return Options{Host: matrix.SSH, Address: s.address, SSH: s.program}, runtime.GOARCH
		},
		"user": func(t *testing.T) (Options, string) {
			emulator, err := exec.LookPath("qemu-aarch64")
			if err != nil {
				t.Skip("not run: it needs qemu-aarch64; apt-get install qemu-user")
			}
			return Options{Host: matrix.UserMode, Emulator: []string{emulator}}, "arm64"
		},
	} {
		t.Run(name, func(t *testing.T) {
			o, goarch := options(t)
			h := connected(t, o, goarch, "facts", "mmapabi", "hostile")
			var folder string
			for _, probe := range []string{"facts", "mmapabi"} {
				agent, how, err := h.Start(t.Context(), io.Discard)
				if err != nil {
					t.Fatal(err)
				}
				folder = h.dir
				got, err := agent.Run(t.Context(), probe, nil)
				if err := errors.Join(err, agent.Stop()); err != nil {
					t.Fatal(err)
				}
				hello, _ := agent.Greeting()
				if how != Started || hello.Arch != goarch || !got.Exit.Clean() || len(got.Observations) < 5 {
					t.Errorf("%s: %s, %+v, %d observations, %+v", probe, how, hello, len(got.Observations), got.Exit)
				}
			}
			agent, _, err := h.Start(t.Context(), io.Discard)
			if err != nil {
				t.Fatal(err)
			}
			var refused *Failure
			if _, err := agent.Run(t.Context(), "hostile", []string{"panic"}); !errors.As(err, &refused) || refused.Kind != Refused {
				t.Errorf("a probe that crashes machines: %v", err)
			}
			if err := errors.Join(agent.Stop(), h.Unchanged(t.Context()), h.Close()); err != nil {
				t.Error(err)
			}
			waitGone(t, folder)
		})
	}
}

// waitGone waits for a folder's removal, which another process does.
func waitGone(t *testing.T, folder string) {
	t.Helper()
	if folder == "" {
		t.Error("there was no folder")
	}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(folder); errors.Is(err, os.ErrNotExist) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s is still there", folder)
		}
	}
}

func TestACutConnectionIsResumedOrOneClearError(t *testing.T) {
	s := serve(t)
	h := connected(t, Options{Host: matrix.SSH, Address: s.address, SSH: s.program, Destructive: true}, runtime.GOARCH, "facts", "hostile")
	var log bytes.Buffer
	agent, _, err := h.Start(t.Context(), &log)
	if err != nil {
		t.Fatal(err)
	}
	if s.cut(t) != 1 {
		t.Fatal("no connection was cut")
	}
	if got, err := agent.Run(t.Context(), "facts", nil); err != nil || !got.Exit.Clean() {
		t.Errorf("after a cut: %v", err)
	}
	if !strings.Contains(log.String(), "the connection was lost") {
		t.Errorf("the log does not tell: %q", log.String())
	}
	// Each attempt is cut in the middle of a probe that never ends by itself.
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		for ctx.Err() == nil {
			s.cut(t)
			time.Sleep(50 * time.Millisecond)
		}
	}()
	var f *Failure
	if _, err := agent.Run(t.Context(), "hostile", []string{"hang"}); !errors.As(err, &f) || f.Kind != Infra || !strings.Contains(f.Message, "lost") {
		t.Errorf("a connection that is cut again and again: %v", err)
	}
	if err := agent.Stop(); err != nil {
		t.Error(err)
	}
}

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

// TestEveryProbeHasARisk fails if a new probe is harmful for want of a thought.
func TestEveryProbeHasARisk(t *testing.T) {
	mains, err := filepath.Glob("../../poc/*/main.go")
	if err != nil || len(mains) < 10 {
		t.Fatal(mains, err)
	}
	for _, main := range mains {
		name := filepath.Base(filepath.Dir(main))
		if _, known := risks()[name]; !known && name != "agent" {
			t.Errorf("probe %s has no risk", name)
		}
	}
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
