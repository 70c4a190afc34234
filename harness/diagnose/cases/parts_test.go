package cases

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strconv"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/mapstack/conformance/poc/limit"
	"github.com/mapstack/conformance/poc/sys"
)

// parts are the programs of the cases that need no C library.
func parts() map[string]func(args []string) {
	return map[string]func([]string){
		"enter": enter, "crowd": crowd, "box": box, "zombies": zombies, "mappings": mappings, "eat": eat,
		"client": client, "script": script, "whoami": whoami, "nap": func([]string) { time.Sleep(time.Hour) },
		"true": func([]string) {}, "maxthreads": maxThreads,
	}
}

// crowd makes as many threads as its argument says.
func crowd(args []string) {
	n, err := strconv.Atoi(args[0])
	limit.Must(err)
	up := make(chan bool)
	for range n {
		go func() {
			runtime.LockOSThread()
			up <- true
			select {}
		}()
		<-up
	}
}

func running() *sys.Kernel {
	k, err := sys.Running()
	limit.Must(err)
	return k
}

// fork makes a process that ends at once.
func fork(flags uint64) syscall.Errno {
	runtime.LockOSThread()
	k := running()
	_, errno := k.Clone(&sys.CloneArgs{Flags: flags | k.Signal.Chld})
	return errno
}

// box makes a process in a user namespace of its own, as sandboxes do.
func box([]string) {
	if errno := fork(unix.CLONE_NEWUSER); errno != 0 {
		fmt.Println("sandbox:", errno)
		os.Exit(6)
	}
}

// zombies starts jobs and never waits for one, like a first process of a container that
// is not made for it.
func zombies([]string) {
	for i := range 60 {
		if errno := fork(0); errno != 0 {
			fmt.Printf("job %d: %v\n", i, errno)
			os.Exit(6)
		}
	}
}

// mappings looks for a free place as allocators do: each of 300 mappings is refused,
// which is no fault.
func mappings([]string) {
	const noReplace = 0x100000 // MAP_FIXED_NOREPLACE (include/uapi/asm-generic/mman-common.h)
	page := make([]byte, 3*os.Getpagesize())
	at := (uintptr(unsafe.Pointer(&page[0])) + uintptr(os.Getpagesize())) &^ uintptr(os.Getpagesize()-1)
	for range 300 {
		if _, errno := running().Mmap(at, uintptr(os.Getpagesize()), unix.PROT_READ, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|noReplace, -1, 0); errno == 0 {
			panic("the place was free")
		}
	}
	runtime.KeepAlive(page)
}

// eat uses 200 MiB of memory and makes no thread for it.
func eat([]string) {
	const size = 200 << 20
	b, err := syscall.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	limit.Must(err)
	for i := 0; i < size; i += os.Getpagesize() {
		b[i] = 1
	}
}

// client passes on the words of a program that runs elsewhere, as docker run does.
func client([]string) {
	fmt.Fprint(os.Stderr, "runtime/cgo: pthread_create failed: Operation not permitted\nSIGABRT: abort\n")
	time.Sleep(3 * time.Second)
	os.Exit(2)
}

// script runs a command and goes on, whatever becomes of it.
func script(args []string) {
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	fmt.Println("the script goes on:", cmd.Run())
}

// whoami says by its exit status whether it is root.
func whoami([]string) { os.Exit(os.Geteuid()) }

// maxThreads is refused a process for a moment and copes. Later the Go runtime's own
// limit of threads ends it.
func maxThreads([]string) {
	debug.SetMaxThreads(14)
	self, err := os.Executable()
	limit.Must(err)
	var started []*exec.Cmd
	for range 60 {
		c := exec.Command(self, play, "nap")
		if c.Start() != nil {
			break
		}
		started = append(started, c)
	}
	for _, c := range started {
		_ = c.Process.Kill()
		_ = c.Wait()
	}
	limit.Must(exec.Command(self, play, "true").Run())
	crowd([]string{"40"})
}
