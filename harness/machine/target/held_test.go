package target

import (
	"fmt"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
)

// Held is a probe: a copy of the test binary under this name. It connects to the socket of
// its argument, and leaves a process behind that also holds the connection. It exits with 0
// once it is sent a byte. So a test knows that the probe runs. The end of the connection
// tells it that nothing of the probe runs any more.
const Held = "held"

func playHeld() {
	if filepath.Base(os.Args[0]) != Held {
		return
	}
	if err := held(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func held(args []string) error {
	if len(args) != 1 {
		never := make(chan os.Signal, 1)
		signal.Notify(never, syscall.SIGUSR1)
		<-never
		return nil
	}
	conn, err := net.Dial("unix", args[0])
	if err != nil {
		return err
	}
	file, err := conn.(*net.UnixConn).File()
	if err != nil {
		return err
	}
	if _, err := os.StartProcess("/proc/self/exe", []string{Held}, &os.ProcAttr{Files: []*os.File{nil, nil, nil, file}}); err != nil {
		return err
	}
	if _, err := conn.Write([]byte("held\n")); err != nil {
		return err
	}
	if _, err := conn.Read(make([]byte, 1)); err != nil {
		return err
	}
	fmt.Println(`{"step":"let go"}`)
	return nil
}
