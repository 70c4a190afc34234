package watch

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mapstack/conformance/poc/sys"
)

// What the benchmarks run. Each prints how long it took, or waits for load.
const (
	manyCalls    = 10_000
	manyRefusals = 500
	manyRequests = 10_000
)

// calls makes calls that do not matter to a watch.
func calls() {
	began := time.Now()
	for range manyCalls {
		_, _, _ = syscall.RawSyscall(syscall.SYS_GETPPID, 0, 0, 0)
	}
	fmt.Println("took", time.Since(began).Nanoseconds())
}

// storm is refused memory again and again, as an allocator is that looks for a free place.
func storm() {
	k, err := sys.Running()
	must(err)
	at, errno := k.Mmap(0, 4096, k.Prot.Read, k.Map.Private|k.Map.Anonymous, -1, 0)
	if errno != 0 {
		panic(errno)
	}
	began := time.Now()
	for range manyRefusals {
		if _, errno := k.Mmap(at, 4096, k.Prot.Read, k.Map.Private|k.Map.Anonymous|k.Map.FixedNoReplace, -1, 0); errno == 0 {
			panic("a mapping was not refused")
		}
	}
	fmt.Println("took", time.Since(began).Nanoseconds())
}

// serve answers on a port that it prints, until its input ends.
func serve() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	go func() {
		must(http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") })))
	}()
	fmt.Println("took", l.Addr())
	_, _ = io.Copy(io.Discard, os.Stdin)
}

// manner is a way to run a role.
type manner struct {
	name string
	role string // of the process that is started
	with []string
}

func manners() []manner {
	all := []manner{{name: "plain"}, {name: "watched", role: "run"}, {name: "every", role: "run every"}}
	if strace, err := exec.LookPath("strace"); err == nil {
		const of = "trace=clone,clone3,fork,vfork,execve,execveat,mmap,mprotect,mremap,brk,unshare,setns,setuid,setreuid,setresuid,setrlimit,prlimit64,seccomp,prctl,ptrace"
		all = append(all,
			manner{name: "strace-bpf", with: []string{strace, "-f", "--seccomp-bpf", "-o", "/dev/null", "-e", of}},
			manner{name: "strace", with: []string{strace, "-f", "-o", "/dev/null", "-e", of}})
	}
	return all
}

// start starts a role in a manner. It returns what the role printed first.
func (m manner) start(b *testing.B, what string) (said string, end func()) {
	b.Helper()
	args, role := append(m.with, "/proc/self/exe"), what
	if m.role != "" {
		role = m.role
	}
	if len(m.with) > 0 {
		args[len(args)-1] = os.Args[0]
	}
	cmd := exec.CommandContext(b.Context(), args[0], args[1:]...)
	cmd.Env = append(os.Environ(), "WATCH_TEST_ROLE="+role, "WATCH_TEST_CHILD="+what)
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	lines := bufio.NewReader(out)
	for {
		line, err := lines.ReadString('\n')
		if rest, ok := strings.CutPrefix(line, "took "); ok {
			said = strings.TrimSpace(rest)
			break
		}
		if err != nil {
			b.Skipf("%s: no answer: %v", m.name, err)
		}
	}
	return said, func() {
		_ = in.Close()
		_, _ = io.Copy(io.Discard, lines)
		_ = cmd.Wait()
	}
}

// compare reports how much longer something takes in each manner than in plain. The
// manners take turns, and the shortest time of each counts, because the machine may be busy
// with something else.
func compare(b *testing.B, measure func(manner) time.Duration) {
	all := manners()
	best := make([]time.Duration, len(all))
	for b.Loop() {
		for i, m := range all {
			if took := measure(m); best[i] == 0 || took < best[i] {
				best[i] = took
			}
		}
	}
	for i, m := range all {
		b.ReportMetric(float64(best[i])/float64(best[0]), m.name+"/plain")
	}
	b.ReportMetric(float64(best[0].Nanoseconds()), "plain-ns")
}

func ownTime(b *testing.B, what string) func(manner) time.Duration {
	return func(m manner) time.Duration {
		said, end := m.start(b, what)
		end()
		var ns int64
		if _, err := fmt.Sscan(said, &ns); err != nil {
			b.Fatal(err)
		}
		return time.Duration(ns)
	}
}

func BenchmarkCallsThatDoNotMatter(b *testing.B) { compare(b, ownTime(b, "calls")) }

func BenchmarkRefusedMappings(b *testing.B) { compare(b, ownTime(b, "storm")) }

func BenchmarkServerUnderLoad(b *testing.B) {
	compare(b, func(m manner) time.Duration {
		address, end := m.start(b, "serve")
		defer end()
		client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 8}}
		defer client.CloseIdleConnections()
		began := time.Now()
		done := make(chan error, 8)
		for range cap(done) {
			go func() {
				for range manyRequests / cap(done) {
					r, err := client.Get("http://" + address)
					if err != nil {
						done <- err
						return
					}
					_, _ = io.Copy(io.Discard, r.Body)
					_ = r.Body.Close()
				}
				done <- nil
			}()
		}
		for range cap(done) {
			if err := <-done; err != nil {
				b.Fatal(err)
			}
		}
		return time.Since(began)
	})
}
