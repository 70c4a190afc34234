package defect

import (
	"fmt"
	"path"
	"strconv"
	"strings"
)

// within is the note with the address of the mapping whose lines smaps shows. One read
// may end in the middle of them.
const within = "within"

// shown returns the name of the note with the protection that smaps shows of a mapping,
// though it has another. One is added, because a note of 0 says nothing.
func shown(start uint64) string { return fmt.Sprintf("shown of %#x", start) }

// disguise lets mmap or mprotect set another protection than the program asks for. smaps
// goes on to show what was asked for, if read is a call of the model too.
func (c *Call) disguise(real uint64) {
	asked := c.Args[prot]
	c.Args[prot] = real
	c.answer = func(r Result) Result {
		if r.Errno != 0 {
			return r
		}
		if at := c.mapping(r); real != asked {
			c.Notes()[shown(at)] = asked + 1
		} else {
			delete(c.Notes(), shown(at))
		}
		return r
	}
}

// mapping returns the address that a call of mmap or mprotect is about.
func (c *Call) mapping(r Result) uint64 {
	if c.Name == "mmap" {
		return r.Value
	}
	return c.Args[addr]
}

// disguised returns a rule by which memory from MAP_STACK has another protection than it
// shows. become returns the real one.
func disguised(become func(c *Call) uint64) func(c *Call) {
	return func(c *Call) {
		switch {
		case c.Name == "read":
			c.mask()
		case c.Name == "mmap" && c.stack(), c.Name == "mprotect" && c.OnStack(c.Args[addr]):
			c.disguise(become(c))
		case len(c.Notes()) > 0:
			c.disguise(c.Args[prot]) // the address may have been used before
		}
	}
}

// mask changes what a read of smaps returns.
func (c *Call) mask() {
	if path.Base(c.Path(c.Args[fd])) != "smaps" {
		return
	}
	at := c.Args[buffer]
	c.answer = func(r Result) Result {
		if r.Errno == 0 && r.Value > 0 {
			c.SetText(at, c.masked(c.Text(at, r.Value)))
		}
		return r
	}
}

// masked returns a text of smaps of the same length, in which disguised mappings show the
// protection that was asked for.
func (c *Call) masked(text string) string {
	notes := c.Notes() // asking for them takes a while
	lines := strings.SplitAfter(text, "\n")
	for i, line := range lines {
		if start, perms, ok := header(line); ok {
			notes[within] = start
			if asked := notes[shown(start)]; asked != 0 {
				lines[i] = line[:perms] + c.letters(asked-1) + line[perms+len("rwx"):]
			}
			continue
		}
		asked := notes[shown(notes[within])]
		if asked != 0 && (asked-1)&c.Kernel.Prot.Exec == 0 && strings.HasPrefix(line, "VmFlags:") {
			lines[i] = withoutWord(line, "ex ")
		}
	}
	return strings.Join(lines, "")
}

// header reads the first line of a mapping, "start-end rwxp ...". It returns where the
// permissions are.
func header(line string) (start uint64, perms int, ok bool) {
	dash, space := strings.IndexByte(line, '-'), strings.IndexByte(line, ' ')
	if dash < 0 || space < dash || len(line) < space+len(" rwxp") {
		return 0, 0, false
	}
	start, err := strconv.ParseUint(line[:dash], 16, 64)
	return start, space + 1, err == nil
}

// letters returns the first three permissions of a line of maps.
func (c *Call) letters(prot uint64) string {
	letters := []byte("---")
	for i, bit := range []uint64{c.Kernel.Prot.Read, c.Kernel.Prot.Write, c.Kernel.Prot.Exec} {
		if prot&bit != 0 {
			letters[i] = "rwx"[i]
		}
	}
	return string(letters)
}

// withoutWord takes a word away and fills the line up with spaces at its end.
func withoutWord(line, word string) string {
	short := strings.Replace(line, " "+word, " ", 1)
	body := strings.TrimSuffix(short, "\n")
	return body + strings.Repeat(" ", len(line)-len(short)) + short[len(body):]
}

// executions returns the defects of code in memory from MAP_STACK. No letter of maps shows
// them.
func executions() []Model {
	calls := []string{"mmap", "mprotect", "read"}
	unserved := func(t Target) string {
		if t.GOARCH == "mips64le" {
			return "whether the CPU can refuse to execute memory differs between machines of the architecture"
		}
		return ""
	}
	return []Model{
		{
			Name: "stack-shows-x-and-faults", Calls: calls, Stacks: true,
			English:  "maps shows MAP_STACK memory as executable, and code in it faults.",
			Chinese:  "maps 显示带 MAP_STACK 的内存可执行，但其中的代码触发异常。",
			Act:      disguised(func(c *Call) uint64 { return c.Args[prot] &^ c.Kernel.Prot.Exec }),
			Unserved: unserved,
		},
		{
			Name: "stack-data-runs", Calls: calls, Stacks: true,
			English: "maps shows MAP_STACK memory as not executable, and code in it runs although the CPU has no-execute.",
			Chinese: "maps 显示带 MAP_STACK 的内存不可执行，但其中的代码可以运行，尽管 CPU 具有禁止执行功能。",
			Act: disguised(func(c *Call) uint64 {
				if c.Args[prot]&c.Kernel.Prot.Read == 0 {
					return c.Args[prot]
				}
				return c.Args[prot] | c.Kernel.Prot.Exec
			}),
			Unserved: unserved,
		},
	}
}
