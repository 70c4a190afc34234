package fakeqemu

import (
	"fmt"
	"strings"
	"time"
)

// system begins the names of the scripts that play a whole operating system with a
// login on its console.
const system = "system "

// endOfInput is the byte that ends the input of a terminal (^D).
const endOfInput = 4

// system plays a login as root with the password "secret", then a shell, then the
// agents that the shell starts.
func (g *fake) system(name string) {
	ask := func(prompt string) string {
		fmt.Print(prompt)
		line, _ := g.in.ReadString('\n')
		fmt.Print(line) // a terminal's echo
		return strings.TrimSpace(line)
	}
	if name == "system boots for ever" {
		fmt.Println("[  OK  ] Reached target Basic System.")
		time.Sleep(time.Hour)
	}
	user, password := ask("\r\nsynthetic 12 ttyS0\r\n\r\nhost login: "), ask("Password: ")
	switch {
	case name == "system asks for ever":
		for {
			ask("Password: ")
		}
	case name == "system wants another password":
		ask("You are required to change your password immediately.\r\nCurrent password: ")
		time.Sleep(time.Hour)
	case user != "root" || password != "secret":
		ask("\r\nLogin incorrect\r\nhost login: ")
		time.Sleep(time.Hour)
	}
	ask("Last login: Mon Nov 23 10:00:00 UTC 2026 on ttyS0\r\nroot@host:~# ")
	fmt.Println("mapstack-ready")
	for {
		line, err := g.in.ReadString('\n')
		if err != nil {
			return
		}
		status := 0
		switch {
		case strings.Contains(line, "/sys/block") && name == "system without the disk":
			fmt.Println("the system shows no disk with the serial number mapstack")
			status = 4
		case strings.Contains(line, "--probes") && name == "system without an agent":
			fmt.Println("sh: 1: /run/mapstack/init: not found")
			status = 127
		case strings.Contains(line, "--probes"):
			g.seq, g.kept, g.run = 0, nil, 0
			g.hello(false)
			g.answer(strings.TrimPrefix(name, system))
			if name == "system dies under a probe" {
				time.Sleep(time.Hour) // a kernel that does not reboot
			}
		case strings.Contains(line, "os-release"):
			fmt.Println("Synthetic Linux 12\nsystemd\nlockdown,capability,yama")
		}
		fmt.Printf("[ 7.0] a service talks\nmapstack-end-%d\n", status)
	}
}
