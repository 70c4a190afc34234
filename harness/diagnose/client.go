package diagnose

import (
	"path"
	"slices"
)

// client is a program that may have a daemon start the programs it is asked to start.
type client struct {
	names []string
	look  string // the command that diagnoses such a program
}

// clients are known by the name of their file.
var clients = []client{
	{[]string{"docker", "nerdctl"}, "mapstack diagnose --pid $(docker inspect -f '{{.State.Pid}}' CONTAINER)"},
	{[]string{"podman"}, "mapstack diagnose --pid $(podman inspect -f '{{.State.Pid}}' CONTAINER)"},
	{[]string{"crictl"}, "mapstack diagnose --pid $(crictl inspect -o go-template --template '{{.info.pid}}' CONTAINER)"},
	{[]string{"kubectl", "oc"}, "kubectl debug -it POD --image=IMAGE --target=CONTAINER --profile=sysadmin -- mapstack diagnose --pid 1"},
	{[]string{"lxc", "incus"}, "mapstack diagnose --pid $(lxc info CONTAINER | awk '/^PID/ {print $2}')"},
	{[]string{"systemctl", "systemd-run", "service"}, "mapstack diagnose --pid $(systemctl show -P MainPID UNIT)"},
	{[]string{"machinectl"}, "mapstack diagnose --pid $(machinectl show -P Leader MACHINE)"},
	{[]string{"ssh"}, "ssh HOST mapstack diagnose -- PROGRAM"},
}

// file returns the program that is diagnosed: its file, or the name of a process that was
// attached to.
func (d *session) file() string {
	if len(d.command) > 0 {
		return d.command[0]
	}
	return d.journal.before.Name
}

// clientOf returns the client that a program is, nil for other programs.
func clientOf(file string) *client {
	i := slices.IndexFunc(clients, func(c client) bool { return slices.Contains(c.names, path.Base(file)) })
	if i < 0 {
		return nil
	}
	return &clients[i]
}

// sentence says that a client has others start its program, unless that was told.
func (c *client) sentence(r Report) Text {
	if c == nil || r.Verdict != "fine" && r.Said == nil {
		return Text{}
	}
	return say("What %[1]s starts may run below a daemon, which was not watched. To watch it: %[2]s.", "%[1]s 启动的程序可能运行在守护进程之下，未被跟踪。要跟踪它：%[2]s。", c.names[0], c.look)
}
