package matrixfile

import (
	"fmt"
	"net/url"
	"path"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/mapstack/conformance/harness/foreign"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/harness/matrix/arch"
	"github.com/mapstack/conformance/harness/matrix/osname"
)

// kind says where the probes of an entry run, and so which fields it may have.
type kind string

const (
	builtin kind = "a cell of the built-in matrix"
	guests  kind = "a kernel or an image in guests of ours"
	yum     kind = "a yum repository; an apt repository has suite"
	apt     kind = "an apt repository"
	whole   kind = "a full boot"
	running kind = "a target"
)

// allowed says which kinds of entry a field is for. Other fields are for all of them.
var allowed = map[string][]kind{
	"cell": {builtin}, "kernel": {guests}, "osImage": {guests, whole}, "repository": {yum, apt}, "keyring": {yum, apt}, "target": {running},
	"suite": {apt}, "components": {apt}, "package": {apt}, "sha256": {apt},
	"os": {guests, yum, apt, whole, running}, "arch": {guests, yum, apt, whole, running}, "series": {guests, yum, apt},
	"fullBoot": {guests, whole}, "cpus": {guests, yum, apt, whole}, "memoryMiB": {guests, yum, apt, whole}, "machine": {guests, yum, apt},
	"firmware": {whole}, "login": {whole}, "passwordFile": {whole},
	"params": {guests, yum, apt}, "policy": {guests, yum, apt}, "guestAgent": {guests, yum, apt, whole, running}, "destructive": {whole, running},
}

// kind returns what an entry is; "" if it does not say.
func (e Entry) kind() kind {
	switch {
	case e.at["cell"] > 0:
		return builtin
	case e.at["target"] > 0:
		return running
	case e.at["repository"] > 0 && e.at["suite"] > 0:
		return apt
	case e.at["repository"] > 0:
		return yum
	case e.FullBoot:
		return whole
	case e.at["kernel"] > 0 || e.at["osImage"] > 0:
		return guests
	}
	return ""
}

// expand returns the cells that an entry makes.
func (r *resolver) expand(e Entry) []Cell {
	before := len(r.problems)
	k := e.kind()
	if k == "" {
		r.bad(e.line, "the cell does not say what to test; give one of kernel, osImage, repository, target and cell")
		return nil
	}
	for _, f := range reflect.VisibleFields(reflect.TypeFor[Entry]()) {
		name := tag(f)
		if kinds, limited := allowed[name]; limited && e.at[name] > 0 && !slices.Contains(kinds, k) {
			r.bad(e.at[name], "%s is not for %s; remove it", name, k)
		}
	}
	r.check(e, k)
	one := r.single(e)
	if len(r.problems) > before {
		return nil
	}
	switch k {
	case builtin:
		return r.builtin(e, one)
	case yum, apt, running:
		return r.called(e, []Cell{one}, []string{""})
	}
	return r.files(e, one)
}

// single returns what all cells of an entry have.
func (r *resolver) single(e Entry) Cell {
	c := Cell{Place: r.place(e.line), OS: e.OS, Series: e.Series, Repository: e.Repository, Keyring: r.near(e.Keyring), Target: e.Target,
		Suite: e.Suite, Components: e.Components, Package: e.Package, SHA256: e.SHA256,
		FullBoot: e.FullBoot, CPUs: e.CPUs, MemoryMiB: e.MemoryMiB, Machine: e.Machine, Firmware: r.near(e.Firmware), Params: e.Params, Policy: e.Policy,
		GuestAgent: r.near(e.GuestAgent), Login: e.Login, PasswordFile: r.near(e.PasswordFile), Destructive: e.Destructive}
	if e.Repository != "" && !strings.Contains(e.Repository, "://") {
		c.Repository = r.near(e.Repository)
	}
	if rec, err := arch.Lookup(e.Arch); err == nil {
		c.Arch = rec.GOARCH
	}
	return c
}

// builtin returns cells of the built-in matrix.
func (r *resolver) builtin(e Entry, one Cell) (all []Cell) {
	if e.Name != "" && (len(e.Cell) != 1 || e.Name != e.Cell[0]) {
		r.bad(e.at["name"], "a cell of the built-in matrix keeps its own name; remove name")
		return nil
	}
	if len(e.Cell) == 0 {
		r.bad(e.at["cell"], "cell is empty; name a cell of the built-in matrix, or several")
	}
	for _, name := range e.Cell {
		i := slices.IndexFunc(r.around.Builtin, func(c matrix.Cell) bool { return c.Name == name })
		if i < 0 {
			r.bad(e.at["cell"], "cell %q is not in the built-in matrix; mapstack list --matrix none shows its cells", name)
			continue
		}
		c := one
		c.Name, c.Builtin = name, &r.around.Builtin[i]
		all = append(all, c)
	}
	return all
}

// files returns a cell for each kernel or image of an entry.
func (r *resolver) files(e Entry, one Cell) []Cell {
	kernels, many := r.sources(e.Kernel, e.at["kernel"], "kernel")
	images, several := r.sources(e.OSImage, e.at["osImage"], "osImage")
	switch {
	case len(kernels) > 0 && len(images) > 0 && several:
		r.bad(e.at["osImage"], "osImage must be one image where there is a kernel, whose settings the kernel gets")
		return nil
	case len(kernels) == 0:
		kernels = nil
		many = several
	}
	var cells []Cell
	var stems []string
	if kernels == nil {
		for _, image := range images {
			c := one
			c.Image = &image
			cells, stems = append(cells, c), append(stems, image.stem())
		}
	}
	for _, k := range kernels {
		c := one
		if c.Kernel = &k; len(images) == 1 {
			c.Image = &images[0]
		}
		cells, stems = append(cells, c), append(stems, k.stem())
	}
	if !many && e.Name != "" {
		stems = []string{""}
	}
	return r.called(e, cells, stems)
}

// called gives cells their names: that of the entry, and the name of the file after it.
func (r *resolver) called(e Entry, cells []Cell, stems []string) []Cell {
	for i := range cells {
		cells[i].Name = strings.Trim(e.Name+"-"+stems[i], "-")
		name := cells[i].Name
		switch {
		case name == "":
			r.bad(e.line, "the cell has no name; give one of a-z, 0-9, dot and dash")
		case !matrix.ValidName(name):
			r.bad(e.line, "the name %s of a cell must be 1 to 64 of a-z, 0-9, dot and dash, starting with a letter or digit", foreign.Text(name))
		case slices.ContainsFunc(r.around.Builtin, func(c matrix.Cell) bool { return c.Name == name || c.Group == name }):
			r.bad(e.line, "%q is a cell or a group of the built-in matrix; give the cell another name", name)
		}
	}
	return cells
}

// sources returns each file of a list, and whether it was one of several: globs are filled in.
func (r *resolver) sources(all Sources, line int, name string) (found []Source, many bool) {
	many = len(all) > 1
	for _, s := range all {
		if s.Path == "" {
			found = append(found, s)
			continue
		}
		at := r.near(s.Path)
		if !strings.ContainsAny(s.Path, "*?[") {
			found = append(found, Source{Path: at})
			continue
		}
		many = true
		matched, err := r.around.Glob(at)
		switch {
		case err != nil:
			r.bad(line, "%s: %s is no glob: %v", name, foreign.Text(s.Path), err)
		case len(matched) == 0:
			r.bad(line, "%s: no file is like %s", name, foreign.Text(s.Path))
		case len(matched) > maxCells:
			r.bad(line, "%s: %d files are like %s, more than %d; narrow the glob", name, len(matched), foreign.Text(s.Path), maxCells)
			matched = nil
		}
		slices.Sort(matched)
		for _, path := range matched {
			found = append(found, Source{Path: path})
		}
	}
	if line > 0 && len(all) == 0 {
		r.bad(line, "%s is empty; give a path, a glob, or url with sha256 and size; or a list of these", name)
	}
	return found, many
}

// Base returns the name of a file without its folder.
func (s Source) Base() string {
	if u, err := url.Parse(s.URL); s.URL != "" && err == nil {
		return path.Base(u.Path)
	}
	return filepath.Base(s.Path)
}

// endings are what file names end with and cells need not.
var endings = regexp.MustCompile(`\.(xz|gz|zst|bz2|lz4|lzma|img|raw|qcow2|deb|rpm)$`)

// unnameable matches characters that a cell's name must not have.
var unnameable = regexp.MustCompile(`[^a-z0-9.-]+`)

// stem returns the name of a file as a part of a cell's name.
func (s Source) stem() string {
	name := strings.ToLower(s.Base())
	for endings.MatchString(name) {
		name = endings.ReplaceAllString(name, "")
	}
	const most = 48
	name = unnameable.ReplaceAllString(name, "-")
	return strings.Trim(name[:min(len(name), most)], "-.")
}

// problems returns what is wrong with a place that is written as fields.
func (s Source) problems() (found []string) {
	if s.URL == "" && s.Path != "" && s.SHA256 == "" && s.Size == 0 {
		return nil
	}
	if s.Path != "" {
		return []string{"give either path, or url with sha256 and size"}
	}
	if u, err := url.Parse(s.URL); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil {
		found = append(found, "url must be a URL with http or https and a host, and without a password")
	}
	if !hash.MatchString(s.SHA256) {
		found = append(found, "sha256 must be the hash of the file, 64 of 0-9 and a-f; sha256sum prints it")
	}
	if s.Size < 1 || s.Size > maxDownload {
		found = append(found, fmt.Sprintf("size must be the size of the file in bytes, at most %d GiB; stat -c %%s prints it", maxDownload>>30))
	}
	return found
}

var hash = regexp.MustCompile(`^[0-9a-f]{64}$`)

// maxDownload is the largest file that is downloaded, in bytes.
const maxDownload = 64 << 30

// tag returns the name of a field in the file.
func tag(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	return name
}

// list writes names as text for readers.
func list(names []string) string { return foreign.Text(strings.Join(names, ", ")) }

// title returns what a report calls the system of a cell before anything else is known.
func (c Cell) title() string {
	title, err := osname.Title(c.OS)
	switch {
	case err == nil:
		return title
	case c.Target != "":
		return AsItRuns
	}
	return AsTheFileSays
}

// What a cell says of its system until the file or the machine itself has said it.
const (
	AsTheFileSays = "as the file says"
	AsItRuns      = "as it runs"
)

// Planned returns the cell as far as the file alone says what it is.
func (c Cell) Planned() matrix.Cell {
	if c.Builtin != nil {
		return *c.Builtin
	}
	p := matrix.Cell{Name: c.Name, Arch: c.Arch, OS: c.title(), Machine: c.Machine, CPUs: c.CPUs, Memory: c.MemoryMiB, Params: c.Params, Policy: c.Policy,
		Kernel: matrix.Kernel{From: matrix.Given, Series: c.Series}}
	if s, ok := osname.LookupSystem(c.OS); ok {
		p.System = s.ID
	}
	switch {
	case c.FullBoot:
		p.Host, p.Kernel = matrix.FullBoot, matrix.Kernel{}
	case strings.HasPrefix(c.Target, sshScheme):
		p.Host, p.Kernel = matrix.SSH, matrix.Kernel{}
	case c.Target != "":
		p.Host, p.Kernel = matrix.Host(c.Target), matrix.Kernel{}
	}
	return p
}

// sshScheme begins the address of a host that ssh reaches.
const sshScheme = "ssh://"
