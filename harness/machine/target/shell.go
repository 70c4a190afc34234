package target

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
)

// shell runs scripts on a system. The command line is argv and the script as one more word.
type shell struct {
	argv []string
	// remote says that a shell on the other side splits the words once more.
	remote bool
}

// local returns a shell that runs scripts on this system.
func local() shell { return shell{argv: []string{"sh", "-c"}} }

// sshOptions keep ssh from asking a person, and from hanging: a lost connection is noticed
// after 15 seconds. The target gets nothing of this host, whatever the user's configuration
// forwards, and connecting to it starts nothing here.
var sshOptions = []string{"-T", "-a", "-x", "-o", "BatchMode=yes", "-o", "ConnectTimeout=10",
	"-o", "ServerAliveInterval=5", "-o", "ServerAliveCountMax=3", "-o", "ForwardX11=no", "-o", "ForwardAgent=no",
	"-o", "ClearAllForwardings=yes", "-o", "PermitLocalCommand=no", "-o", "Tunnel=no"}

// The names of users and hosts that ssh accepts. A host may be an alias of its
// configuration.
var (
	sshUser = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.@\\-]*$`)
	sshHost = regexp.MustCompile(`^([A-Za-z0-9_][A-Za-z0-9_.-]*|[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*(%[A-Za-z0-9_.-]+)?)$`)
)

// secret matches the password of a URL, also of one that is not well formed.
var secret = regexp.MustCompile(`(://[^:@/]*:).*@`)

// redacted returns an address without its password.
func redacted(address string) string { return secret.ReplaceAllString(address, "${1}xxxxx@") }

// overSSH returns a shell that runs scripts on the system of an ssh://user@host[:port] URL.
// program begins the command line. It is the user's own ssh, with its configuration and agent.
func overSSH(program []string, address string) (shell, error) {
	bad := func(why string) (shell, error) {
		return shell{}, fmt.Errorf("%q is not a target: %s; give ssh://user@host or ssh://user@host:port, with a host that your ssh knows", redacted(address), why)
	}
	u, err := url.Parse(address)
	switch {
	case err != nil:
		return bad(errors.Unwrap(err).Error())
	case u.Scheme != "ssh":
		return bad("it is not an ssh URL")
	case u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "":
		return bad("it has a path, a query or a fragment")
	case !sshHost.MatchString(u.Hostname()):
		return bad("its host is not a valid name")
	}
	argv := append(append([]string{}, program...), sshOptions...)
	if port := u.Port(); port != "" {
		argv = append(argv, "-p", port)
	}
	if u.User != nil {
		if _, has := u.User.Password(); has {
			return bad("it contains a password; use keys or your ssh agent")
		}
		if !sshUser.MatchString(u.User.Username()) {
			return bad("its user is not a valid name")
		}
		argv = append(argv, "-l", u.User.Username())
	}
	return shell{argv: append(argv, "--", u.Hostname(), "sh", "-c"), remote: true}, nil
}

// command returns the command line that runs a script.
func (s shell) command(script string) []string {
	if s.remote {
		script = quote(script)
	}
	return append(append([]string{}, s.argv...), script)
}

// quote returns text that every shell reads as the one word.
func quote(word string) string { return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'" }
