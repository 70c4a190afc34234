package target_test

import (
	"bufio"
	"bytes"
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
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/mapstack/conformance/harness/failure"
	"github.com/mapstack/conformance/harness/machine/target"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/poc/wire"
)

// server is an sshd on loopback that the test starts.
type server struct {
	pid     int
	port    int
	program []string // ssh, with a configuration that reaches it and nobody else
}

// address returns the ssh:// URL for a port of the server or of a proxy.
func (s server) address(port int) string { return fmt.Sprintf("ssh://root@127.0.0.1:%d", port) }

// serve starts sshd with a key of its own, or skips the test with the reason.
func serve(t *testing.T) server {
	t.Helper()
	sshd, err := exec.LookPath("/usr/sbin/sshd")
	if err != nil {
		t.Skip("not run: it needs /usr/sbin/sshd; apt-get install openssh-server")
	}
	if os.Getuid() != 0 {
		t.Skip("not run: sshd needs root")
	}
	dir := t.TempDir()
	for _, key := range []string{"host", "user"} {
		if out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", filepath.Join(dir, key)).CombinedOutput(); err != nil {
			t.Fatalf("%v %s", err, out)
		}
	}
	_ = os.MkdirAll("/run/sshd", 0o755) // Debian's sshd needs it, and its unit makes it
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
	return server{cmd.Process.Pid, port, []string{"ssh", "-F", config}}
}

// TestWhatSSHWouldAskIsSaid fails if somebody whose ssh knows neither the host nor a key is told
// ssh's own words alone.
func TestWhatSSHWouldAskIsSaid(t *testing.T) {
	s := serve(t)
	for want, options := range map[string][]string{
		"Host key verification failed": {"-o", "StrictHostKeyChecking=yes"},
		"Permission denied":            {"-o", "StrictHostKeyChecking=no"},
	} {
		program := append([]string{"ssh", "-F", "/dev/null", "-o", "UserKnownHostsFile=/dev/null", "-o", "IdentityFile=/dev/null", "-o", "IdentityAgent=none"}, options...)
		_, _, err := target.Connect(t.Context(), target.Options{Host: matrix.SSH, Address: s.address(s.port), SSH: program})
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "log in by hand once") {
			t.Errorf("%v, want %q and what to do", err, want)
		}
	}
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

// proxy stands between ssh and a server.
type proxy struct {
	listener net.Listener
	port     int

	mu     sync.Mutex
	pairs  [][2]net.Conn // of a client, and to the server
	silent bool          // the server is not told that a connection ended
}

func (s server) proxy(t *testing.T) *proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: listener, port: listener.Addr().(*net.TCPAddr).Port}
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", s.port))
			if err != nil {
				client.Close()
				continue
			}
			p.mu.Lock()
			p.pairs = append(p.pairs, [2]net.Conn{client, server})
			p.mu.Unlock()
			go func() {
				_, _ = io.Copy(server, client)
				p.mu.Lock()
				defer p.mu.Unlock()
				if !p.silent {
					server.Close()
				}
			}()
			go func() { _, _ = io.Copy(client, server); client.Close() }()
		}
	}()
	t.Cleanup(func() { listener.Close(); p.drop(true) })
	return p
}

// drop ends all connections. As with a pulled cable, it may end them for the clients alone.
func (p *proxy) drop(told bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.silent = !told
	for _, pair := range p.pairs {
		pair[0].Close()
		if told {
			pair[1].Close()
		}
	}
}

// patience bounds every wait for an event, and is never reached.
const patience = 2 * time.Minute

// listener is the socket that the probe target.Held connects to.
type listener struct{ *net.UnixListener }

func listen(t *testing.T) listener {
	t.Helper()
	dir, err := os.MkdirTemp("", "held") // t.TempDir is too long for a socket's name
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(dir, "socket"), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return listener{l}
}

// next waits until the probe runs, and returns its connection.
func (l listener) next(t *testing.T) net.Conn {
	t.Helper()
	_ = l.SetDeadline(time.Now().Add(patience))
	conn, err := l.Accept()
	if err != nil {
		t.Fatalf("the probe does not run: %v", err)
	}
	t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(patience))
	if said, err := bufio.NewReader(conn).ReadString('\n'); err != nil {
		t.Fatalf("the probe says %q: %v", said, err)
	}
	return conn
}

// over waits until nothing of a probe runs any more.
func over(t *testing.T, probe net.Conn) {
	t.Helper()
	if n, err := probe.Read(make([]byte, 1)); n != 0 || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("something of the probe is left: %d bytes, %v", n, err)
	}
}

// ran is the result of a probe.
type ran struct {
	wire.Transcript
	error
}

// hold starts the probe target.Held. The probe runs when hold returns.
func hold(t *testing.T, a target.Agent, l listener) (<-chan ran, net.Conn) {
	t.Helper()
	result := make(chan ran, 1)
	go func() {
		got, err := a.Run(t.Context(), target.Held, []string{l.Addr().String()})
		result <- ran{got, err}
	}()
	return result, l.next(t)
}

// TestAConnectionCutInTheMiddleOfAProbeIsResumed fails if a probe is lost with its
// connection, or if its programs stay on the target. The target may not even notice that
// the connection is gone.
func TestAConnectionCutInTheMiddleOfAProbeIsResumed(t *testing.T) {
	s := serve(t)
	for name, cut := range map[string]func(t *testing.T, p *proxy, disconnect func()){
		"ssh is killed": func(_ *testing.T, _ *proxy, disconnect func()) { disconnect() },
		"the server's session is killed": func(t *testing.T, _ *proxy, _ func()) {
			if n := s.cut(t); n != 1 {
				t.Errorf("%d sessions were killed", n)
			}
		},
		"the network ends it":                   func(_ *testing.T, p *proxy, _ func()) { p.drop(true) },
		"the network ends it for one side only": func(_ *testing.T, p *proxy, _ func()) { p.drop(false) },
	} {
		t.Run(name, func(t *testing.T) {
			p, l := s.proxy(t), listen(t)
			h := connected(t, target.Options{Host: matrix.SSH, Address: s.address(p.port), SSH: s.program, Destructive: true}, runtime.GOARCH, target.Held)
			var log bytes.Buffer
			agent, _, err := h.Start(t.Context(), &log)
			if err != nil {
				t.Fatal(err)
			}
			folder, disconnect := h.Folder(), target.Line(agent)
			result, first := hold(t, agent, l)
			cut(t, p, disconnect)
			second := l.next(t)
			over(t, first)
			gone(t, folder)
			if _, err := second.Write([]byte{1}); err != nil {
				t.Error(err)
			}
			got := <-result
			if got.error != nil || !got.Exit.Clean() || len(got.Observations) != 1 {
				t.Errorf("%+v", got)
			}
			if !strings.Contains(log.String(), "the connection was lost; probe held runs again on another") {
				t.Errorf("the log does not tell: %q", log.String())
			}
			folder = h.Folder()
			if err := errors.Join(agent.Stop(), h.Unchanged(t.Context()), h.Close()); err != nil {
				t.Error(err)
			}
			gone(t, folder)
		})
	}
}

// TestAConnectionThatStaysCutIsOneClearError fails if a run goes on for ever, or gives
// another reason, if every connection is cut or no second one can be made.
func TestAConnectionThatStaysCutIsOneClearError(t *testing.T) {
	s := serve(t)
	for name, c := range map[string]struct {
		cuts int
		last bool // no connection can be made after the first
		want string
	}{
		"each is cut":       {3, false, "the connection was lost 3 times"},
		"no other is there": {1, true, "the connection was lost, and then: "},
	} {
		t.Run(name, func(t *testing.T) {
			p, l := s.proxy(t), listen(t)
			h := connected(t, target.Options{Host: matrix.SSH, Address: s.address(p.port), SSH: s.program, Destructive: true}, runtime.GOARCH, target.Held)
			agent, _, err := h.Start(t.Context(), io.Discard)
			if err != nil {
				t.Fatal(err)
			}
			result, probe := hold(t, agent, l)
			for i := range c.cuts {
				if i > 0 {
					probe = l.next(t)
				}
				if c.last {
					p.listener.Close()
				}
				p.drop(true)
				over(t, probe)
			}
			var f *failure.Failure
			if got := <-result; !errors.As(got.error, &f) || f.Kind != failure.Infra || !strings.Contains(f.Message, c.want) || !strings.Contains(f.Message, s.address(p.port)) {
				t.Errorf("%v, want %q", got.error, c.want)
			}
			if err := agent.Stop(); err != nil {
				t.Error(err)
			}
		})
	}
}
