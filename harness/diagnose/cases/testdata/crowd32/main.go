// Command crowd32 is compiled as a 32-bit program. It makes 60 threads.
package main

import "runtime"

func main() {
	up := make(chan bool)
	for i := 0; i < 60; i++ {
		go func() {
			runtime.LockOSThread()
			up <- true
			select {}
		}()
	}
	for i := 0; i < 60; i++ {
		<-up
	}
}
