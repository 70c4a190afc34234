package probe

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
)

const (
	smaps = "/proc/self/smaps"
	maps  = "/proc/self/maps"
	// maxSmaps bounds what is read, in bytes. The smaps of a probe is below 100 KiB.
	maxSmaps = 16 << 20
	// maxSmapsLine bounds one line, in bytes: a path of 4 KiB in octal escapes.
	maxSmapsLine = 32 << 10
)

// VMA is one mapping of this process as the kernel shows it.
type VMA struct {
	Start, End uintptr
	Perms      string            // "rw-p"
	Name       string            // file or [name], "" if it has none
	Fields     map[string]string // such as "VmFlags" to "rd wr mr mw me ac"
}

// VMA records the mapping that contains addr. The keys begin with prefix: mapped
// (true or false) and, if true, start, end, perms, name, vmflags and thpeligible. A
// field that this kernel does not show is unknown.
func (o *Obs) VMA(prefix string, addr uintptr) *Obs {
	vma, ok, err := Lookup(addr)
	if err != nil {
		for _, key := range []string{"mapped", "start", "end", "perms", "name", "vmflags", "thpeligible"} {
			o.Unknown(prefix+key, err.Error())
		}
		return o
	}
	o.Set(prefix+"mapped", ok)
	if !ok {
		return o
	}
	o.Set(prefix+"start", vma.Start).Set(prefix+"end", vma.End)
	o.Set(prefix+"perms", vma.Perms).Set(prefix+"name", vma.Name)
	for key, field := range map[string]string{"vmflags": "VmFlags", "thpeligible": "THPeligible"} {
		if value, told := vma.Fields[field]; told {
			o.Set(prefix+key, value)
		} else {
			o.Unknown(prefix+key, smaps+" has no "+field)
		}
	}
	return o
}

// Lookup returns the mapping of this process that contains addr, and whether there
// is one.
func Lookup(addr uintptr) (VMA, bool, error) {
	// The rest of the file is neither read nor parsed: the kernel walks the pages of
	// each mapping that it shows.
	vmas, err := read(smaps, func(v VMA) verdict {
		switch {
		case v.End <= addr:
			return skip
		case addr < v.Start:
			return stop
		}
		return keep
	})
	if err != nil || len(vmas) == 0 {
		return VMA{}, false, err
	}
	return vmas[0], true, nil
}

// Mappings returns the mappings of this process, the lowest first.
func Mappings() ([]VMA, error) { return read(smaps, all) }

// Layout returns the mappings of this process as Mappings does, without their Fields.
// The kernel tells these sooner.
func Layout() ([]VMA, error) { return read(maps, all) }

// verdict tells what to do with a mapping that was read.
type verdict int

const (
	keep verdict = iota
	skip         // it is not needed
	stop         // neither it nor those after it are
)

func all(VMA) verdict { return keep }

func read(path string, judge func(VMA) verdict) ([]VMA, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	vmas, err := parseSmaps(io.LimitReader(f, maxSmaps), judge)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return vmas, nil
}

// parseSmaps reads the format of fs/proc/task_mmu.c. For each mapping it has a line
// as in maps, followed by the fields. It returns the mappings that judge keeps.
func parseSmaps(r io.Reader, judge func(VMA) verdict) ([]VMA, error) {
	var vmas []VMA
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxSmapsLine)
	began, kept := false, false
	for lines.Scan() {
		line := lines.Bytes()
		// A field's name ends in a colon before any blank, which is a tab after
		// THPeligible before Linux 5.8. A mapping's line begins with its range.
		word := line
		if space := bytes.IndexAny(line, " \t"); space >= 0 {
			word = line[:space]
		}
		if bytes.HasSuffix(word, []byte(":")) {
			if !began {
				return nil, fmt.Errorf("field %q comes before any mapping", word)
			}
			if kept {
				vmas[len(vmas)-1].Fields[string(word[:len(word)-1])] = string(bytes.TrimSpace(line[len(word):]))
			}
			continue
		}
		v, err := parseMapping(string(line))
		if err != nil {
			return nil, err
		}
		began, kept = true, false
		switch judge(v) {
		case stop:
			return vmas, nil
		case keep:
			v.Fields, kept = map[string]string{}, true
			vmas = append(vmas, v)
		}
	}
	return vmas, lines.Err()
}

// parseMapping reads "start-end perms offset dev inode  name".
func parseMapping(line string) (VMA, error) {
	parts := strings.SplitN(line, " ", 6)
	if len(parts) < 5 {
		return VMA{}, fmt.Errorf("%q is no mapping: it has %d fields", line, len(parts))
	}
	dash := strings.IndexByte(parts[0], '-')
	if dash < 0 {
		return VMA{}, fmt.Errorf("%q is no range of addresses", parts[0])
	}
	start, err := strconv.ParseUint(parts[0][:dash], 16, 64)
	if err != nil {
		return VMA{}, fmt.Errorf("%q is no range of addresses: %w", parts[0], err)
	}
	end, err := strconv.ParseUint(parts[0][dash+1:], 16, 64)
	if err != nil {
		return VMA{}, fmt.Errorf("%q is no range of addresses: %w", parts[0], err)
	}
	if start >= end {
		return VMA{}, fmt.Errorf("range %q is empty", parts[0])
	}
	if len(parts[1]) != 4 {
		return VMA{}, fmt.Errorf("%q are no permissions", parts[1])
	}
	v := VMA{Start: uintptr(start), End: uintptr(end), Perms: parts[1]}
	if len(parts) == 6 {
		v.Name = strings.TrimSpace(parts[5])
	}
	return v, nil
}
