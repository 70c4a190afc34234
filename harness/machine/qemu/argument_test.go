package qemu

import (
	"slices"
	"strings"
	"testing"

	"github.com/mapstack/conformance/harness/matrix/arch"
)

func TestArgumentsThatCollideAreRefusedAndBothAreNamed(t *testing.T) {
	chardev := func(id, backend string) Argument {
		return repeatable("-chardev", "id", property{"", backend}, property{"id", id})
	}
	for _, c := range []struct {
		name        string
		first, then Argument
		named       []string // nil where both are taken
	}{
		{"a unique one twice", unique("-cpu", property{"", "max"}), unique("-cpu", property{"", "5KEf"}), []string{"-cpu max", "-cpu 5KEf"}},
		{"a unique one twice, the same", option("-no-reboot"), option("-no-reboot"), []string{"-no-reboot"}},
		{"a file twice", file("-kernel", "/a"), file("-kernel", "/b"), []string{"-kernel /a", "-kernel /b"}},
		{"one id twice", chardev("console", "stdio"), chardev("console", "socket"), []string{"-chardev stdio,id=console", "-chardev socket,id=console"}},
		{"one drive behind two devices", repeatable("-device", "drive", property{"", "a"}, property{"drive", "d"}),
			repeatable("-device", "drive", property{"", "b"}, property{"drive", "d"}), []string{"-device a,drive=d", "-device b,drive=d"}},
		{"unique and repeatable", unique("-chardev", property{"", "null"}), chardev("a", "null"), []string{"-chardev null", "-chardev null,id=a"}},
		{"repeated without its name, the same", repeatable("-device", "drive", property{"", "a"}), repeatable("-device", "drive", property{"", "a"}), []string{"-device a"}},
		{"repeated without its name", repeatable("-device", "drive", property{"", "a"}), repeatable("-device", "drive", property{"", "b"}), nil},
		{"two ids", chardev("console", "stdio"), chardev("monitor", "socket"), nil},
		{"one id of two options", chardev("a", "null"), repeatable("-object", "id", property{"", "rng"}, property{"id", "a"}), nil},
	} {
		_, err := newArguments([]string{"qemu"}, []Argument{option("-nodefaults"), c.first, option("-S"), c.then})
		if (err == nil) != (c.named == nil) {
			t.Errorf("%s: %v", c.name, err)
		}
		for _, want := range c.named {
			if err == nil || !strings.Contains(err.Error(), `"`+want+`"`) {
				t.Errorf("%s: %q is not named by %v", c.name, want, err)
			}
		}
	}
}

func TestValuesThatQEMUWouldSplitAreRefused(t *testing.T) {
	drive := func(path string) Argument {
		return repeatable("-drive", "id", property{"if", "none"}, property{"id", "a"}, property{"file", path})
	}
	parameter := func(value string) Argument {
		return Argument{option: "-append", kind: asWords, parts: []property{{"", "ro"}, {"", value}}}
	}
	for _, c := range []struct {
		name string
		a    Argument
		why  string // part of the error, empty where the value is taken
	}{
		{"comma in a property", drive("/a,readonly=off"), "comma"},
		{"comma in a path", file("-kernel", "/a,b"), "comma"},
		{"comma in a model", unique("-cpu", property{"", "max,x=on"}), "comma"},
		{"comma in a kernel parameter", parameter("console=ttyS0,115200"), ""},
		{"space in a path", drive("/my disks/a b.img"), ""},
		{"space in a kernel parameter", parameter("a init=/bin/sh"), "space"},
		{"no-break space in a kernel parameter", parameter("a\u00a0b"), "space"},
		{"letter whose second byte is a space to the kernel", parameter("a=\u00e0"), "space"},
		{"letter that is none to it", parameter("a=\u00e4"), ""},
		{"quote in a kernel parameter", parameter(`a"b`), "quote"},
		{"newline in a path", file("-initrd", "/a\nb"), "control character"},
		{"end of a C string in a path", drive("/a\x00"), "control character"},
		{"equals sign in a path", file("-bios", "/a=b"), ""},
		{"equals sign in a property's value", drive("/a=b"), ""},
		{"equals sign in a model", unique("-cpu", property{"", "vendor=x"}), "equals sign"},
		{"empty value", drive(""), "empty"},
		{"empty path", file("-kernel", ""), "empty"},
		{"key that is two", unique("-machine", property{"", "m"}, property{"a=b,c", "d"}), "no name of a property"},
		{"key twice", unique("-machine", property{"", "m"}, property{"memory-backend", "a"}, property{"memory-backend", "b"}), "memory-backend=a and memory-backend=b"},
		{"drive that is a protocol", drive("nbd:localhost:1"), "protocol"},
		{"drive that is a protocol with slashes", drive("https://a/b"), "protocol"},
		{"colon behind a slash", drive("/a:b"), ""},
	} {
		_, err := newArguments([]string{"qemu"}, []Argument{c.a})
		if (err == nil) != (c.why == "") || err != nil && (!strings.Contains(err.Error(), c.why) || !strings.Contains(err.Error(), c.a.option)) {
			t.Errorf("%s: error %v, want one about %q", c.name, err, c.why)
		}
	}
}

// FuzzProperties fails if a value that was accepted is read as something else.
func FuzzProperties(f *testing.F) {
	for _, s := range []string{"/a", "/a,b", "a=b", "", "\n", "id=x,,y", "nbd:x"} {
		f.Add("path", s)
		f.Add(s, "x")
	}
	f.Fuzz(func(t *testing.T, key, value string) {
		given := []property{{"", "model"}, {key, value}, {"end", "x"}}
		a, err := newArguments(nil, []Argument{unique("-device", given...)})
		if err != nil {
			return
		}
		if read := properties(a.Argv()[1]); !slices.Equal(read, given) {
			t.Errorf("%q is read as %q", given, read)
		}
	})
}

// A person has no socket to hand to QEMU, which does not start without it.
func TestTheCommandLineByHandNeedsNothingOfARun(t *testing.T) {
	forRuns := []string{"-chardev", "socket,id=monitor,fd=3", "-mon", "chardev=monitor,mode=control"}
	for _, rec := range arch.All() {
		for name, m := range rec.Machines {
			a, err := config(rec, m).Arguments()
			if err != nil {
				t.Fatal(err)
			}
			argv := a.Argv()
			at := slices.Index(argv, forRuns[1]) - 1
			if at < 0 || !slices.Equal(argv[at:at+len(forRuns)], forRuns) {
				t.Fatalf("%s %q: no monitor in %q", rec.GOARCH, name, argv)
			}
			if want := slices.Delete(argv, at, at+len(forRuns)); !slices.Equal(a.ByHand(), want) {
				t.Errorf("%s %q: by hand %q, want %q", rec.GOARCH, name, a.ByHand(), want)
			}
		}
	}
	cfg := config(arch.All()[0], arch.Machine{Name: "m", Console: "ttyS0", TimerInput: 1})
	cfg.RAM, cfg.Restore = "/ram", true
	a, err := cfg.Arguments()
	if err != nil {
		t.Fatal(err)
	}
	line := strings.Join(a.ByHand(), " ")
	for _, unwanted := range []string{"fd=", "monitor", "-qtest", "chardev:devices", "-incoming"} {
		if strings.Contains(line, unwanted) {
			t.Errorf("%q is in %s", unwanted, line)
		}
	}
	if !strings.Contains(line, "-chardev stdio,id=console") || !strings.Contains(line, "share=off") {
		t.Errorf("too much is left out of %s", line)
	}
}

// The words that Start gets may be appended to, and must not change the arguments.
func TestArgvIsACopy(t *testing.T) {
	prefix := []string{"ld.so", "qemu"}
	a, err := newArguments(prefix[:1:2], []Argument{option("-S")})
	if err != nil {
		t.Fatal(err)
	}
	argv := a.Argv()
	argv[0] = "changed"
	if prefix[1] != "qemu" || a.Argv()[0] != "ld.so" {
		t.Errorf("the prefix is %q, the command line %q", prefix, a.Argv())
	}
}
