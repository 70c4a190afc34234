// Package hostile is a probe that misbehaves on purpose, to test the harness on
// real kernels. Each mode must end as a typed outcome, never as a pass and never as
// a hang.
package hostile

import (
	"fmt"
	"os"
	"sort"
	"strings"
	"time"
)

// modes maps the one argument to the misbehaviour.
var modes = map[string]func(){
	// flood reports 200 observations while another goroutine writes to the kernel
	// log at KERN_EMERG, which no console log level suppresses.
	"flood": func() {
		// Without this the kernel drops all but a few lines of a process.
		if err := os.WriteFile("/proc/sys/kernel/printk_devkmsg", []byte("on\n"), 0); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		kmsg, err := os.OpenFile("/dev/kmsg", os.O_WRONLY, 0)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		go func() {
			for i := 0; ; i++ {
				fmt.Fprintf(kmsg, "<0>flood %d %s\n", i, strings.Repeat("x", i%200))
			}
		}()
		for i := 0; i < 200; i++ {
			fmt.Printf("{\"step\":\"flood.%d\",\"values\":{\"n\":\"%d\"}}\n", i, i)
			time.Sleep(time.Millisecond) // spread over the time of the flood
		}
	},
	"panic":  func() { sysrq('c') },
	"reboot": func() { sysrq('b') },
	"hang":   func() { sleepForever() },
	"exit":   func() { os.Exit(3) },
	"crash":  func() { panic("on purpose") },
	// lie prints lines that are not observations.
	"lie": func() {
		fmt.Println(`{"step":"truth"}`)
		fmt.Println(`{"step":`)
		fmt.Println(`@MSg2 0 2 00000000 e30=`)
		fmt.Println(strings.Repeat("long", 1<<16))
		fmt.Println(`{"step":"after"}`)
	},
	// ask waits until its first observation was sent.
	"ask": func() {
		fmt.Println(`{"step":"before"}`)
		one := []byte{0}
		if _, err := os.Stdin.Write(one); err != nil {
			panic(err)
		}
		if _, err := os.Stdin.Read(one); err != nil {
			panic(err)
		}
		fmt.Println(`{"step":"after"}`)
	},
	// leave asks and does not wait.
	"leave": func() {
		fmt.Println(`{"step":"before"}`)
		if _, err := os.Stdin.Write([]byte{0}); err != nil {
			panic(err)
		}
	},
	// stray leaves a process behind that holds stdout open.
	"stray": func() {
		if _, err := os.StartProcess("/proc/self/exe", []string{"hostile", "hang"},
			&os.ProcAttr{Files: []*os.File{nil, os.Stdout, os.Stderr}}); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Println(`{"step":"left a stray"}`)
	},
}

// Main runs the probe.
func Main() {
	if len(os.Args) == 2 {
		if mode, ok := modes[os.Args[1]]; ok {
			mode()
			return
		}
	}
	var names []string
	for n := range modes {
		names = append(names, n)
	}
	sort.Strings(names)
	fmt.Fprintln(os.Stderr, "usage: hostile", strings.Join(names, "|"))
	os.Exit(2)
}

// sysrq asks the kernel to crash ('c') or reboot ('b'), and waits for it.
func sysrq(key byte) {
	// Distributions restrict the functions of sysrq, so all are allowed first.
	_ = os.WriteFile("/proc/sys/kernel/sysrq", []byte("1"), 0)
	if err := os.WriteFile("/proc/sysrq-trigger", []byte{key}, 0); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	sleepForever()
}

// sleepForever does not use select{}, which the Go runtime would report as a
// deadlock.
func sleepForever() {
	for {
		time.Sleep(time.Hour)
	}
}
