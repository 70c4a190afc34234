package target

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
)

// shell is how a script is run on a system: by argv with the script appended as
// one more word.
type shell struct {
	argv []string
	// remote is whether a shell over there takes the words apart once more.
	remote bool
}

// local runs scripts on this system.
func local() shell { return shell{argv: []string{"sh", "-c"}} }

// sshOptions let nothing ask a person, and let no connection hang: what was cut
// is noticed after 15 seconds.
var sshOptions = []string{"-T", "-o", "BatchMode=yes", "-o", "ConnectTimeout=10",
	"-o", "ServerAliveInterval=5", "-o", "ServerAliveCountMax=3", "-o", "ForwardX11=no"}

// A user and a host as ssh takes them, host also an alias of its configuration.
var (
	sshUser = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.@\\-]*$`)
	sshHost = regexp.MustCompile(`^([A-Za-z0-9_][A-Za-z0-9_.-]*|[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*(%[A-Za-z0-9_.-]+)?)$`)
)

// overSSH runs scripts on the system of an ssh://user@host[:port] URL, by the
// command that begins with program: the user's own ssh, its configuration, its agent.
func overSSH(program []string, address string) (shell, error) {
	bad := func(why string) (shell, error) {
		return shell{}, fmt.Errorf("%q is no target: %s; give ssh://user@host or ssh://user@host:port, host as your ssh knows it", address, why)
	}
	u, err := url.Parse(address)
	switch {
	case err != nil:
		return bad(errors.Unwrap(err).Error())
	case u.Scheme != "ssh":
		return bad("it is no ssh URL")
	case u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "":
		return bad("it has a path or more")
	case !sshHost.MatchString(u.Hostname()):
		return bad("the host is no name")
	}
	argv := append(append([]string{}, program...), sshOptions...)
	if port := u.Port(); port != "" {
		argv = append(argv, "-p", port)
	}
	if u.User != nil {
		if _, has := u.User.Password(); has {
			return bad("it holds a password; use keys, or your ssh agent")
		}
		if !sshUser.MatchString(u.User.Username()) {
			return bad("the user is no name")
		}
		argv = append(argv, "-l", u.User.Username())
	}
	return shell{argv: append(argv, "--", u.Hostname(), "sh", "-c"), remote: true}, nil
}

// command is the command line that runs a script.
func (s shell) command(script string) []string {
	if s.remote {
		script = quote(script)
	}
	return append(append([]string{}, s.argv...), script)
}

// quote makes one word of any shell's.
func quote(word string) string { return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'" }
