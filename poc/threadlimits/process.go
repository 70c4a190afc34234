package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"github.com/mapstack/conformance/poc/probe"
	"github.com/mapstack/conformance/poc/sys"
)

// nobody is a user that owns no other processes and has no capabilities.
const nobody = 65534

// prewarm makes the Go runtime take more threads and memory than it will need:
// it asks for them when it runs out, and a limit that refuses ends the process.
func prewarm() {
	ballast := make([]byte, 4<<20)
	for i := range ballast {
		ballast[i] = 1
	}
	runtime.KeepAlive(ballast)
	ballast = nil
	runtime.GC()
	const threads = 6
	up, release, down := make(chan bool), make(chan bool), make(chan bool)
	for i := 0; i < threads; i++ {
		go func() {
			runtime.LockOSThread()
			up <- true
			<-release
			// The thread outlives the goroutine and waits for work.
			runtime.UnlockOSThread()
			down <- true
		}()
	}
	for i := 0; i < threads; i++ {
		<-up
	}
	close(release)
	for i := 0; i < threads; i++ {
		<-down
	}
}

// onThread runs f on a thread of its own, which ends with it: what f changes of
// its thread concerns nobody else.
func onThread(f func()) {
	done := make(chan bool)
	go func() {
		runtime.LockOSThread() // and never unlocked
		f()
		close(done)
	}()
	<-done
}

// startThreads starts n threads that stay until stop is called.
func startThreads(n int) (stop func()) {
	up, release := make(chan bool), make(chan bool)
	for i := 0; i < n; i++ {
		go func() {
			runtime.LockOSThread()
			up <- true
			<-release
		}()
	}
	for i := 0; i < n; i++ {
		<-up
	}
	return func() { close(release) }
}

// field reads the value of a "Key: value" line of a file in /proc.
func field(path, key string) (string, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	for _, line := range strings.Split(string(b), "\n") {
		if strings.HasPrefix(line, key+":") {
			return strings.TrimSpace(line[len(key)+1:]), nil
		}
	}
	return "", fmt.Errorf("%s has no line %s", path, key)
}

// number is a field that is a number, perhaps followed by kB.
func number(path, key string) (int, error) {
	text, err := field(path, key)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSuffix(text, " kB"))
}

// must ends the process where a step cannot be prepared: its observations are
// then missing, which is nobody's fault but the probe's.
func must(err error) {
	if err != nil {
		panic(err)
	}
}

func mustNumber(path, key string) int {
	n, err := number(path, key)
	must(err)
	return n
}

const self = "/proc/self/status"

// who records as whom this process runs.
func who(p *probe.P) {
	o := p.Observe("who").Set("uid", os.Getuid())
	if caps, err := field(self, "CapEff"); err != nil {
		o.Unknown("capeff", err.Error())
	} else {
		o.Set("capeff", "0x"+caps)
	}
	o.Emit()
}

// limit sets the soft limit of a resource in an observed step.
func limit(p *probe.P, step, name string, resource, value uint64) {
	var was sys.Rlimit
	if errno := p.Kernel.Prlimit64(resource, nil, &was); errno != 0 {
		panic(errno)
	}
	o := p.Observe(step)
	errno := p.Kernel.Prlimit64(resource, &sys.Rlimit{Current: value, Max: was.Max}, nil)
	o.Returned(fmt.Sprintf("prlimit64(%s=%d, %d)", name, resource, value), 0, errno)
	o.Emit()
	if errno != 0 {
		panic(errno)
	}
}

// errnoOf is the errno in an error of package os, 0 for none.
func errnoOf(err error) syscall.Errno {
	var errno syscall.Errno
	if err != nil && !errors.As(err, &errno) {
		panic(err)
	}
	return errno
}
