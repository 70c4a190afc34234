package intake

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
)

// entry is an entry of a boot loader's menu.
type entry struct {
	title  string
	place  string // its number, such as "1>0" in a submenu
	id     string // the identifier that a default may name
	kernel string // the path in the configuration
}

// kernelIn finds the kernel in a folder of boot files: the default of the boot
// loader, or else the newest. It also returns all entries of the loader, the default
// first, and what is odd about them.
func (v volume) kernelIn(boot string) (kernel string, titles []string, odd string) {
	names := v.list(boot)
	var kernels []string
	for _, n := range names {
		if kernelAt("boot/" + n) {
			kernels = append(kernels, n)
		}
	}
	if len(kernels) == 0 {
		return "", nil, ""
	}
	entries, def := v.entries(boot)
	if len(entries) > 0 {
		first := choose(entries, def)
		entries[0], entries[first] = entries[first], entries[0]
		for _, e := range entries {
			titles = append(titles, e.title+" ("+e.kernel+")")
		}
		if base := path.Base(entries[0].kernel); slices.Contains(kernels, base) {
			return path.Join(boot, base), titles, ""
		}
		odd = "the boot loader's default is " + entries[0].kernel + ", which is not there; the newest kernel was taken"
	}
	return path.Join(boot, newest(kernels)), titles, odd
}

// choose returns the index of the default entry. def is a number, an identifier or a
// title.
func choose(entries []entry, def string) int {
	for i, e := range entries {
		if def != "" && e.place == def {
			return i
		}
	}
	// GRUB names an entry of a submenu by both titles.
	if _, inner, ok := strings.Cut(def, ">"); ok {
		def = inner
	}
	for i, e := range entries {
		if def != "" && (e.id == def || e.title == def) {
			return i
		}
	}
	return 0
}

// entries reads the configuration of GRUB, of the boot loader specification, or of
// extlinux. It returns the entries and the default.
func (v volume) entries(boot string) (list []entry, def string) {
	for _, dir := range []string{"grub", "grub2"} {
		if text, err := v.read(path.Join(boot, dir, "grub.cfg"), maxText); err == nil {
			more, wanted := grub(string(text))
			list = append(list, more...)
			def = wanted
		}
		if text, err := v.read(path.Join(boot, dir, "grubenv"), maxText); err == nil {
			if saved := value(string(text), "saved_entry"); saved != "" && def == "" {
				def = saved
			}
		}
	}
	if len(list) > 0 {
		return list, def
	}
	folder := path.Join(boot, "loader/entries")
	names := v.list(folder)
	slices.SortFunc(names, func(a, b string) int {
		switch { // the newest first, as the specification has it
		case before(b, a):
			return -1
		case before(a, b):
			return 1
		}
		return 0
	})
	for _, n := range names {
		text, err := v.read(path.Join(folder, n), maxText)
		if err != nil || !strings.HasSuffix(n, ".conf") {
			continue
		}
		e := entry{id: strings.TrimSuffix(n, ".conf"), title: word(string(text), "title"), kernel: word(string(text), "linux")}
		if e.kernel != "" {
			list = append(list, e)
		}
	}
	if len(list) > 0 {
		return list, def
	}
	if text, err := v.read(path.Join(boot, "extlinux/extlinux.conf"), maxText); err == nil {
		return extlinux(string(text))
	}
	return nil, ""
}

// grub reads the menu entries of a grub.cfg, including submenus, and the default.
// The file is a shell script; only what generators write is understood.
func grub(text string) (list []entry, def string) {
	var e *entry
	depth, submenu, top, inner := 0, -1, -1, -1
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		words := strings.Fields(line)
		switch {
		case len(words) == 0:
		case words[0] == "submenu":
			top++
			submenu, inner = depth, -1
		case words[0] == "menuentry":
			place := ""
			if submenu >= 0 {
				inner++
				place = fmt.Sprintf("%d>%d", top, inner)
			} else {
				top++
				place = strconv.Itoa(top)
			}
			list = append(list, entry{title: quoted(line), place: place, id: after(line, "$menuentry_id_option")})
			e = &list[len(list)-1]
		case (words[0] == "linux" || words[0] == "linux16" || words[0] == "linuxefi") && len(words) > 1 && e != nil && e.kernel == "":
			e.kernel = words[1]
		case strings.HasPrefix(line, "set default=") && !strings.Contains(line, "$"):
			def = strings.Trim(strings.TrimPrefix(line, "set default="), `"'`)
		}
		if !strings.HasPrefix(line, "#") {
			depth += strings.Count(line, "{") - strings.Count(line, "}")
		}
		if submenu >= 0 && depth <= submenu {
			submenu = -1
		}
	}
	return slices.DeleteFunc(list, func(e entry) bool { return e.kernel == "" }), def
}

// extlinux reads the labels of an extlinux.conf and the default.
func extlinux(text string) (list []entry, def string) {
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) < 2 {
			continue
		}
		switch strings.ToLower(words[0]) {
		case "default":
			def = words[1]
		case "label":
			list = append(list, entry{id: words[1], title: words[1], place: strconv.Itoa(len(list))})
		case "linux", "kernel":
			if len(list) > 0 && list[len(list)-1].kernel == "" {
				list[len(list)-1].kernel = words[1]
			}
		}
	}
	return slices.DeleteFunc(list, func(e entry) bool { return e.kernel == "" }), def
}

// quoted returns the first quoted text of a line.
func quoted(line string) string {
	at := strings.IndexAny(line, `'"`)
	if at < 0 {
		return ""
	}
	inner, _, _ := strings.Cut(line[at+1:], line[at:at+1])
	return inner
}

// after returns the first quoted text behind a word of a line.
func after(line, word string) string {
	_, rest, ok := strings.Cut(line, word)
	if !ok {
		return ""
	}
	return quoted(rest)
}

// word returns the text behind a key at the beginning of a line.
func word(text, key string) string {
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(strings.TrimSpace(line), key); ok && rest != "" && (rest[0] == ' ' || rest[0] == '\t') {
			return strings.TrimSpace(rest)
		}
	}
	return ""
}

// value returns the value of a KEY=value line, without quotes.
func value(text, key string) string {
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(strings.TrimSpace(line), key+"="); ok {
			return strings.Trim(rest, `"'`)
		}
	}
	return ""
}
