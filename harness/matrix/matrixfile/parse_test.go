package matrixfile

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mapstack/conformance/harness/language"
	"github.com/mapstack/conformance/harness/matrix"
)

// around is a small machine: two images, two variables and two built-in cells.
func around() Surroundings {
	return Surroundings{
		Getenv: func(name string) (string, bool) {
			value, ok := map[string]string{"KERNELS": "/kernels", "CPUS": "4", "EMPTY": ""}[name]
			return value, ok
		},
		Glob: func(pattern string) ([]string, error) {
			var found []string
			for _, image := range []string{"images/b.qcow2", "images/A Server.qcow2.xz", "images/a.qcow2", "images/a.img"} {
				at := filepath.Join("vendor", image)
				ok, err := filepath.Match(pattern, at)
				if err != nil {
					return nil, err
				}
				if ok {
					found = append(found, at)
				}
			}
			return found, nil
		},
		Builtin: []matrix.Cell{{Name: "amd64-debian12-6.1", Arch: "amd64", Group: "lean"}, {Name: "arm64-debian12-6.1", Arch: "arm64"}},
	}
}

func parse(t *testing.T, text string) (Matrix, error) {
	t.Helper()
	return Parse("vendor/mapstack.yaml", []byte(text), around())
}

// TestAWholeFileIsReadAsItIsMeant fails if a field of the file gets lost on its way to a cell.
func TestAWholeFileIsReadAsItIsMeant(t *testing.T) {
	text, err := os.ReadFile("testdata/whole.yaml")
	if err != nil {
		t.Fatal(err)
	}
	m, err := parse(t, string(text))
	if err != nil {
		t.Fatal(err)
	}
	show := func(s *Source) string {
		if s == nil {
			return "-"
		}
		return s.Path + s.URL
	}
	var b strings.Builder
	for _, c := range m.Cells {
		p := c.Planned()
		fmt.Fprintf(&b, "%s %s os=%s arch=%s series=%s kernel=%s image=%s", c.Name, strings.TrimPrefix(c.Place, "vendor/"), c.OS, c.Arch, c.Series, show(c.Kernel), show(c.Image))
		fmt.Fprintf(&b, " cpus=%d memory=%d params=%v policy=%d", c.CPUs, c.MemoryMiB, c.Params, len(c.Policy))
		for _, text := range []string{c.Repository, c.Keyring, c.Suite, strings.Join(c.Components, "+"), c.Package, c.SHA256, c.Target, c.Machine, c.Firmware, c.GuestAgent, c.Login, c.PasswordFile} {
			if text != "" {
				b.WriteString(" " + text)
			}
		}
		fmt.Fprintf(&b, " %t %t host=%s product=%s from=%s\n", c.FullBoot, c.Destructive, p.Host, p.System, p.Kernel.From)
	}
	const want = `amd64-debian12-6.1 mapstack.yaml:2 os= arch= series= kernel=- image=- cpus=0 memory=0 params=[] policy=0 false false host= product= from=
arm64-debian12-6.1 mapstack.yaml:2 os= arch= series= kernel=- image=- cpus=0 memory=0 params=[] policy=0 false false host= product= from=
plain mapstack.yaml:3 os=kylin-server-v10-sp3 arch=amd64 series=5.10 kernel=vendor/kernels/vmlinuz-5.10 image=- cpus=2 memory=2048 params=[{quiet of this cell}] policy=1 false false host= product=kylin-server-v10-sp3 from=given
server-a mapstack.yaml:13 os=kylin arch= series= kernel=- image=vendor/images/a.qcow2 cpus=0 memory=0 params=[] policy=0 false false host= product= from=given
server-b mapstack.yaml:13 os=kylin arch= series= kernel=- image=vendor/images/b.qcow2 cpus=0 memory=0 params=[] policy=0 false false host= product= from=given
both mapstack.yaml:16 os= arch=arm64 series= kernel=/kernels/new.rpm image=vendor/images/a.qcow2 cpus=0 memory=0 params=[] policy=0 nolpa2 vendor/agent false false host= product= from=given
kernel-1 mapstack.yaml:22 os= arch= series= kernel=https://example.org/Kernel_1.rpm image=- cpus=0 memory=0 params=[] policy=0 false false host= product= from=given
vmlinuz mapstack.yaml:22 os= arch= series= kernel=/boot/vmlinuz image=- cpus=0 memory=0 params=[] policy=0 false false host= product= from=given
desktop mapstack.yaml:25 os= arch= series= kernel=- image=vendor/images/b.qcow2 cpus=4 memory=4096 params=[] policy=0 vendor/OVMF.fd tester vendor/secret true true host=full-boot product= from=
suite mapstack.yaml:34 os= arch=arm64 series= kernel=- image=- cpus=0 memory=0 params=[] policy=0 https://example.org/repo vendor/keys.gpg false false host= product= from=given
desk mapstack.yaml:38 os= arch=loong64 series=5.10 kernel=- image=- cpus=0 memory=0 params=[] policy=0 https://example.org/apt vendor/keys.gpg v10/sp1 main+hwe linux-image-*-desktop false false host= product= from=given
flat mapstack.yaml:44 os= arch=amd64 series= kernel=- image=- cpus=0 memory=0 params=[] policy=0 vendor/debs ./ linux-image-generic e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 false false host= product= from=given
here mapstack.yaml:50 os= arch= series= kernel=- image=- cpus=0 memory=0 params=[] policy=0 native false false host=native product= from=
board mapstack.yaml:52 os= arch=loong64 series= kernel=- image=- cpus=0 memory=0 params=[] policy=0 ssh://root@board:2222 false false host=ssh product= from=
emulated mapstack.yaml:55 os= arch=riscv64 series= kernel=- image=- cpus=0 memory=0 params=[] policy=0 user false false host=user product= from=
`
	if got := b.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if len(m.Known) != 1 || len(m.Lines[0].Cells) != 2 || m.Lines[0].Cells[1] != m.Lines[0].Entry+3 {
		t.Errorf("known failures %+v at %+v", m.Known, m.Lines)
	}
	if len(m.Deviations) != 1 || m.Deviations[0].File() != "mapstack.yaml" || !m.Deviations[0].Covers("MS-010", "server-a") || m.Deviations[0].Covers("MS-010", "server-b") {
		t.Errorf("deviations %+v", m.Deviations)
	}
}

// TestAMistakeIsToldWithItsLineAndWhatIsAllowed: each text is the file from its second line on.
func TestAMistakeIsToldWithItsLineAndWhatIsAllowed(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"unknown field":         {"- {name: a, kernal: ./x}", "2: kernal is no field here; the fields are name, extends, os"},
		"unknown at the top":    {"- {name: a, kernel: ./x}\ncell: 1", "3: cell is no field here; the fields are cells, shared, known, deviations"},
		"a field twice":         {"- name: a\n  name: b", ""},
		"nothing to test":       {"- {name: a}", "2: the cell does not say what to test; give one of kernel, osImage"},
		"two things to test":    {"- {name: a, kernel: ./x, target: native}", "2: kernel is not for a target; remove it"},
		"a word as number":      {"- {name: a, kernel: ./x, cpus: many}", "2: cpus must be a whole number"},
		"too many CPUs":         {"- {name: a, kernel: ./x, cpus: 99}", "2: cpus 99 must be 1 to 64"},
		"too little memory":     {"- {name: a, kernel: ./x, memoryMiB: 5}", "2: memoryMiB 5 must be 128 to 16384"},
		"a word as truth":       {"- {name: a, osImage: ./x, fullBoot: perhaps}", "2: fullBoot must be true or false"},
		"an unset variable":     {"- {name: a, kernel: \"${NOWHERE}/x\"}", "2: kernel: the environment has no variable NOWHERE; export it"},
		"an open brace":         {"- {name: a, kernel: \"${NO\"}", "2: kernel: ${ must begin the name of a variable"},
		"an empty path":         {"- {name: a, kernel: \"${EMPTY}\"}", "2: kernel is empty"},
		"a URL without a hash":  {"- {name: a, kernel: \"https://example.org/x\"}", "2: kernel: a URL needs its hash: give the fields url, sha256 and size"},
		"a URL half":            {"- {name: a, kernel: {url: \"https://example.org/x\", size: 5}}", "2: kernel: sha256 must be the hash of the file"},
		"a URL with a password": {"- {name: a, kernel: {url: \"https://u:p@example.org/x\", size: 5, sha256: x}}", "2: kernel: url must be a URL with http or https and a host, and without a password"},
		"another scheme":        {"- {name: a, kernel: {url: \"file:///etc/x\", size: 5, sha256: x}}", "2: kernel: url must be"},
		"a path and a URL":      {"- {name: a, kernel: {path: ./x, size: 5}}", "2: kernel: give either path, or url"},
		"no such image":         {"- {name: a, osImage: \"images/z*\"}", "2: osImage: no file is like images/z*"},
		"no glob":               {"- {name: a, osImage: \"images/[\"}", "2: osImage: images/[ is no glob"},
		"no name":               {"- {target: native}", "2: the cell has no name"},
		"a bad name":            {"- {name: A B, kernel: ./x}", "2: the name A B of a cell must be 1 to 64 of a-z"},
		"a name twice":          {"- {name: a, kernel: ./x}\n- {name: a, kernel: ./y}", "3: cell \"a\": line 2 has a cell of this name too"},
		"a built-in name":       {"- {name: arm64-debian12-6.1, kernel: ./x}", "2: \"arm64-debian12-6.1\" is a cell or a group of the built-in matrix"},
		"a built-in group":      {"- {name: lean, kernel: ./x}", "2: \"lean\" is a cell or a group"},
		"an unknown cell":       {"- {cell: vax}", "2: cell \"vax\" is not in the built-in matrix"},
		"no cell at all":        {"- {cell: []}", "2: cell is empty"},
		"no kernel at all":      {"- {name: a, kernel: []}", "2: kernel is empty"},
		"a renamed cell":        {"- {name: a, cell: arm64-debian12-6.1}", "2: a cell of the built-in matrix keeps its own name"},
		"a changed cell":        {"- {cell: arm64-debian12-6.1, cpus: 2}", "2: cpus is not for a cell of the built-in matrix"},
		"an unknown system":     {"- {name: a, kernel: ./x, os: beos}", "2: os: unknown operating system \"beos\"; known are anolis"},
		"an unknown arch":       {"- {name: a, kernel: ./x, arch: vax}", "2: arch: "},
		"an unknown machine":    {"- {name: a, kernel: ./x, arch: mips64le, machine: pdp}", "2: machine: "},
		"a machine of others":   {"- {name: a, kernel: ./x, arch: amd64, machine: la57}", "2: machine la57 is for kernels of the built-in matrix"},
		"a machine of nothing":  {"- {name: a, kernel: ./x, machine: malta}", "2: machine needs arch"},
		"a bad series":          {"- {name: a, kernel: ./x, series: 5.10.1}", "2: series \"5.10.1\" must be like \"5.10\""},
		"a parameter of two":    {"- {name: a, kernel: ./x, params: [{value: a b, reason: r}]}", "2: the kernel parameter \"a b\" must not be empty"},
		"a parameter for fun":   {"- {name: a, kernel: ./x, params: [{value: a}]}", "2: the kernel parameter a has no reason"},
		"a strange policy":      {"- {name: a, kernel: ./x, policy: [{of: x, name: a, value: \"1\", source: s}]}", "2: a setting is of \"x\""},
		"a policy of an image":  {"- {name: a, osImage: ./x, policy: [{of: sysctl, name: a, value: \"1\", source: s}]}", "2: policy is for a kernel without osImage"},
		"several settings":      {"- {name: a, kernel: ./x, osImage: [./y, ./z]}", "2: osImage must be one image where there is a kernel"},
		"a boot of a kernel":    {"- {name: a, kernel: ./x, fullBoot: true}", "2: kernel is not for a full boot"},
		"a login of a guest":    {"- {name: a, kernel: ./x, login: me}", "2: login is not for a kernel or an image in guests of ours"},
		"an unsigned repo":      {"- {name: a, repository: ./r, arch: arm64}", "2: repository needs keyring"},
		"a repo of all":         {"- {name: a, repository: ./r, keyring: k}", "2: repository needs arch"},
		"an apt of nobody":      {"- {name: a, repository: ./r, suite: x, components: main, package: l, arch: arm64}", "2: repository needs keyring, the keys that may sign it; or sha256"},
		"an apt of all":         {"- {name: a, repository: ./r, suite: x, components: main, package: l, keyring: k}", "2: repository needs arch"},
		"an apt without parts":  {"- {name: a, repository: ./r, suite: x, package: l, keyring: k, arch: arm64}", "2: suite needs components, such as main"},
		"a flat one with parts": {"- {name: a, repository: ./r, suite: x/, components: main, package: l, keyring: k, arch: arm64}", "2: components are not for a suite with a slash at its end"},
		"an apt of anything":    {"- {name: a, repository: ./r, suite: ./, keyring: k, arch: arm64}", "2: an apt repository needs package"},
		"a package that leaves": {"- {name: a, repository: ./r, suite: ./, package: ../x, keyring: k, arch: arm64}", "2: an apt repository needs package"},
		"a suite that leaves":   {"- {name: a, repository: ./r, suite: ../x, components: main, package: l, keyring: k, arch: arm64}", "2: suite ../x must be like bookworm"},
		"a part that leaves":    {"- {name: a, repository: ./r, suite: x, components: [main, a//b], package: l, keyring: k, arch: arm64}", "2: component a//b must be like main"},
		"a hash of nothing":     {"- {name: a, repository: ./r, suite: ./, package: l, sha256: x, arch: arm64}", "2: sha256 must be the hash of the package"},
		"a yum with a package":  {"- {name: a, repository: ./r, package: l, keyring: k, arch: arm64}", "2: package is not for a yum repository; an apt repository has suite; remove it"},
		"a package of a file":   {"- {name: a, kernel: ./r, package: l}", "2: package is not for a kernel or an image"},
		"a deviation of none":   {"- {name: a, kernel: ./x}\ndeviations:\n- {claim: MS-001, cells: [b], reason: r, source: s}", "4: deviation of claim \"MS-001\": \"b\" matches no cell"},
		"a deviation of nobody": {"- {name: a, kernel: ./x}\ndeviations:\n- {claim: MS-001, cells: [a], reason: r}", "4: deviation: source is empty"},
		"two deviations":        {"- {name: a, kernel: ./x}\ndeviations:\n- {claim: MS-001, cells: [a], reason: r, source: s}\n- {claim: MS-001, cells: [\"*\"], reason: r, source: s}", "5: deviation of claim \"MS-001\": cell a is in an earlier deviation"},
		"another target":        {"- {name: a, target: telnet}", "2: target must be native, ssh://user@host[:port], or user"},
		"an emulator of what":   {"- {name: a, target: user}", "2: target user needs arch"},
		"an unknown extension":  {"- {name: a, kernel: ./x, extends: b}", "2: extends \"b\" is not in shared, which has nothing"},
		"an extended extension": {"- {name: a, kernel: ./x, extends: b}\nshared:\n  b:\n    extends: c", "5: shared.b must not extend others"},
		"a shared mistake":      {"- {name: a, kernel: ./x, extends: b}\nshared:\n  b:\n    cpus: 99", "5: cpus 99 must be 1 to 64"},
		"no list":               {"\n", "cells must be a list, each item on a line with a dash"},
		"an alias":              {"- &x {name: a, kernel: ./x}\n- *x", "must have fields with a colon"},
		"a known one of none":   {"- {name: a, kernel: ./x}\nknown:\n- {claim: MS-001, cells: [b], reason: r, link: \"https://example.org/x\", until: 2027-12-31}", "4: known failure of claim \"MS-001\": \"b\" matches no cell"},
		"an endless known one":  {"- {name: a, kernel: ./x}\nknown:\n- {claim: MS-001, cells: [a], reason: r, link: \"https://example.org/x\"}", "4: known failure of claim \"MS-001\": neither until nor fixedIn"},
		"an escape":             {"- {name: a, kernel: ./x, login: \"\\e[31m\"}", "login must not be empty, and have only characters that are seen"},
	} {
		_, err := parse(t, "cells:\n"+c.text)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v\nwant %q", name, err, c.want)
			continue
		}
		if !strings.Contains(err.Error(), "vendor/mapstack.yaml") {
			t.Errorf("%s: no file in %v", name, err)
		}
	}
	for name, text := range map[string]string{"nothing": "", "two documents": "cells: []\n---\ncells: []", "no YAML": "cells: [", "no cells": "cells: []", "a scalar": "x", "a null": "cells:\n  -\n", "an empty cell": "cells: [{}]"} {
		if _, err := parse(t, text); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}

func TestAllMistakesAreToldAtOnceInTheOrderOfTheFile(t *testing.T) {
	_, err := parse(t, "cells:\n  - {name: a, kernel: ./x, cpus: 0}\n  - {name: b, os: beos, kernel: ./x, arch: vax}\n  - {nam: c}\n  - {name: c, kernel: \"${NOWHERE}\"}\n")
	var lines []string
	for _, line := range strings.Split(fmt.Sprint(err), "\n") {
		place, _, _ := strings.Cut(line, ": ")
		lines = append(lines, strings.TrimPrefix(place, "vendor/mapstack.yaml:"))
	}
	if got := strings.Join(lines, " "); got != "2 3 3 4 4 5" {
		t.Errorf("lines %s in\n%v", got, err)
	}
}

func TestADollarStaysADollar(t *testing.T) {
	m, err := parse(t, "cells:\n  - {name: a, kernel: \"/x/$HOME/$${CPUS}/${CPUS}\"}\n")
	if err != nil || m.Cells[0].Kernel.Path != "/x/$HOME/${CPUS}/4" {
		t.Errorf("%+v, %v", m.Cells, err)
	}
}

// TestTheExampleIsAFileThatRuns fails if what init writes is refused, also with every comment
// taken away from its fields.
func TestTheExampleIsAFileThatRuns(t *testing.T) {
	for _, l := range []language.Language{language.English, language.Chinese} {
		m, err := Parse(Name, []byte(Example(l)), around())
		if err != nil || len(m.Cells) != 1 || m.Cells[0].Name != "amd64-debian12-6.1" {
			t.Errorf("%s: %+v, %v", l, m.Cells, err)
		}
		m, err = Parse(Name, []byte(Uncommented(Example(l))), Surroundings{
			Getenv: func(string) (string, bool) { return "/images", true },
			Glob:   func(string) ([]string, error) { return []string{"images/server-1.qcow2", "images/server-2.qcow2"}, nil }, Builtin: around().Builtin})
		if err != nil || len(m.Cells) != 8 || len(m.Known) != 1 || len(m.Deviations) != 1 {
			t.Errorf("%s: %d cells, %d known, %v\n%s", l, len(m.Cells), len(m.Known), err, Uncommented(Example(l)))
		}
	}
}

// Uncommented returns the example with its fields, and with values in the place of words that
// stand for some.
func Uncommented(text string) string {
	var b strings.Builder
	fields := false
	for line := range strings.Lines(text) {
		bare := strings.TrimPrefix(strings.TrimLeft(line, " "), "# ")
		switch {
		case !strings.HasPrefix(strings.TrimLeft(line, " "), "# "):
			fields = false
		case strings.HasPrefix(bare, "- ") || bare == "shared:\n" || bare == "known:\n" || bare == "deviations:\n":
			fields = true
		}
		if fields {
			line = strings.Replace(line, "# ", "", 1)
		}
		b.WriteString(line)
	}
	return strings.NewReplacer("64 HEXADECIMAL DIGITS", strings.Repeat("a", 64), "64 位十六进制数字", strings.Repeat("a", 64), "BYTES", "5", "字节数", "5").Replace(b.String())
}

func FuzzParse(f *testing.F) {
	whole, err := os.ReadFile("testdata/whole.yaml")
	if err != nil {
		f.Fatal(err)
	}
	cells, rest, _ := strings.Cut(string(whole), "\nshared:")
	for cell := range strings.SplitSeq(strings.TrimPrefix(cells, "cells:\n"), "\n  - ") { // small ones, which the fuzzer makes smaller at once
		f.Add([]byte("cells:\n  - " + strings.TrimPrefix(cell, "  - ")))
	}
	f.Add([]byte("cells: [{target: native, name: plain, extends: large}]\nshared:" + rest))
	f.Add([]byte("cells: [{name: a, kernel: [{url: 5}, [[]], *x]}]\nshared: {a: {extends: a}}"))
	f.Add([]byte("cells:\n  - &a {name: a}\n  - <<: *a\n"))
	f.Add([]byte("cells: {a: }\nknown: [{cells: {}}]"))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := Parse("f", data, around())
		if err != nil {
			return
		}
		if len(m.Cells) == 0 {
			t.Error("no cells and no error")
		}
		seen := map[string]bool{}
		for _, c := range m.Cells {
			p := c.Planned()
			if seen[c.Name] || !matrix.ValidName(c.Name) || p.Name != c.Name || p.OS == "" && c.Builtin == nil {
				t.Errorf("%+v", c)
			}
			seen[c.Name] = true
		}
	})
}
