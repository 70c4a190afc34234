// Command cgo keeps threads of the C library busy.
package main

// #include <unistd.h>
// static void nap(void) { pause(); }
import "C"

import "time"

func main() {
	for range 30 {
		go C.nap()
		time.Sleep(3 * time.Millisecond)
	}
	time.Sleep(200 * time.Millisecond)
}
