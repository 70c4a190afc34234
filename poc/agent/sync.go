package agent

import (
	"os"
	"syscall"
)

// syncPair returns the two ends of the socket over which a probe asks that everything it
// has printed be sent (wire.SyncVariable).
func syncPair() (ours, theirs *os.File, err error) {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, err
	}
	// The agent reads this end without a thread of its own.
	if err := syscall.SetNonblock(fds[0], true); err != nil {
		syscall.Close(fds[0])
		syscall.Close(fds[1])
		return nil, nil, err
	}
	return os.NewFile(uintptr(fds[0]), "the probe's requests"), os.NewFile(uintptr(fds[1]), "the agent"), nil
}

// listen passes on each request of a probe until the probe has ended.
func listen(ours *os.File, asked chan<- struct{}) {
	var one [1]byte
	for {
		if n, err := ours.Read(one[:]); n == 0 || err != nil {
			return
		}
		select {
		case asked <- struct{}{}:
		default: // a probe that does not wait for the answer asks for nothing more
		}
	}
}
