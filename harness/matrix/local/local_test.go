package local

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mapstack/conformance/harness/matrix/arch"
)

func record(t *testing.T) arch.Record {
	t.Helper()
	rec, err := arch.Lookup("sw64")
	if err != nil {
		t.Fatal(err)
	}
	return rec
}

func environment(set map[string]string) func(string) string {
	return func(name string) string { return set[name] }
}

func TestTheEnvironmentWinsOverTheFile(t *testing.T) {
	t.Setenv("PATH", "")
	root, rec := t.TempDir(), record(t)
	for _, name := range []string{"of-file", "of-env", "qemu"} {
		if err := os.WriteFile(filepath.Join(root, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(root, "fixtures"), 0o755); err != nil {
		t.Fatal(err)
	}
	text := "sw64:\n  kernel: " + filepath.Join(root, "of-file") + "\n  qemu: " + filepath.Join(root, "qemu") + "\n"
	if err := os.WriteFile(filepath.Join(root, File), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	p, err := Find(rec, environment(nil), root)
	if err != nil || filepath.Base(p.Kernel) != "of-file" || filepath.Base(p.QEMU) != "qemu" {
		t.Errorf("%+v, %v", p, err)
	}
	p, err = Find(rec, environment(map[string]string{"SW64_KERNEL": filepath.Join(root, "of-env"), "SW64_GOROOT": root}), root)
	if err != nil || filepath.Base(p.Kernel) != "of-env" || p.GOROOT != root {
		t.Errorf("%+v, %v", p, err)
	}
}

func TestTheExampleHasEveryPart(t *testing.T) {
	text, err := os.ReadFile("../../../fixtures/local.example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	if err := os.Mkdir(filepath.Join(root, "fixtures"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, File), text, 0o644); err != nil {
		t.Fatal(err)
	}
	p, err := read(record(t), filepath.Join(root, File))
	if err != nil || p.Kernel == "" || p.QEMU == "" || p.Firmware == "" || p.GOROOT == "" || p.Machine == "" {
		t.Errorf("%+v, %v", p, err)
	}
}

func TestAFolderWithoutTheFirmwareIsNamed(t *testing.T) {
	t.Setenv("PATH", "")
	root, rec := t.TempDir(), record(t)
	env := map[string]string{"SW64_FIRMWARE": root}
	if _, err := Find(rec, environment(env), root); err == nil || !strings.Contains(err.Error(), "core3-hmcode") {
		t.Errorf("%v", err)
	}
	if err := os.WriteFile(filepath.Join(root, "core4-hmcode"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	env["SW64_MACHINE"] = "core4"
	if p, err := Find(rec, environment(env), root); err != nil || p.Firmware != root {
		t.Errorf("%+v, %v", p, err)
	}
	env["SW64_MACHINE"] = "core9"
	if _, err := Find(rec, environment(env), root); err == nil || !strings.Contains(err.Error(), "core3, core4") && !strings.Contains(err.Error(), "core4") {
		t.Errorf("%v", err)
	}
}

func TestASettingNamesAPart(t *testing.T) {
	rec := record(t)
	if name, value, err := Setting(rec, "SW64_KERNEL=/a=b"); err != nil || name != "SW64_KERNEL" || value != "/a=b" {
		t.Errorf("%q, %q, %v", name, value, err)
	}
	for _, bad := range []string{"", "SW64_KERNEL", "SW64_KERNEL=", "PATH=/x", "sw64_kernel=/x"} {
		if _, _, err := Setting(rec, bad); err == nil || !strings.Contains(err.Error(), "SW64_FIRMWARE") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestEverythingThatIsMissingIsNamedAtOnce(t *testing.T) {
	t.Setenv("PATH", "")
	rec := record(t)
	p, err := Find(rec, environment(nil), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	var missing *MissingError
	if err := p.Missing(rec, false); !errors.As(err, &missing) || len(missing.Lacks) != 3 {
		t.Fatalf("%v", err)
	}
	for _, want := range []string{"SW64_KERNEL=", "SW64_QEMU=", "qemu-system-sw64 in PATH", "SW64_GOROOT=", File} {
		if !strings.Contains(missing.Error(), want) {
			t.Errorf("%q is not in %v", want, missing)
		}
	}
	// A kernel that the command line names is not asked for again.
	if err := p.Missing(rec, true); !errors.As(err, &missing) || len(missing.Lacks) != 2 || strings.Contains(missing.Error(), "SW64_KERNEL=") {
		t.Errorf("%v", err)
	}
	if err := (Parts{QEMU: "q"}).Missing(rec, true); err != nil {
		t.Error(err)
	}
	p = Parts{Kernel: "k", QEMU: "q", GOROOT: "g"}
	if err := p.Missing(rec, false); err != nil {
		t.Error(err)
	}
}

func TestWhatIsNamedAndNotThereIsOneSentence(t *testing.T) {
	t.Setenv("PATH", "")
	root, rec := t.TempDir(), record(t)
	if err := os.Mkdir(filepath.Join(root, "fixtures"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		env  map[string]string
		file string
		want string
	}{
		"no such file":       {map[string]string{"SW64_KERNEL": filepath.Join(root, "nowhere")}, "", "SW64_KERNEL is"},
		"a folder":           {map[string]string{"SW64_KERNEL": root}, "", "must be a file"},
		"a file":             {map[string]string{"SW64_GOROOT": os.Args[0]}, "", "must be a folder"},
		"unknown field":      {nil, "sw64:\n  kernal: x\n", "kernal"},
		"unknown arch":       {nil, "vax:\n  kernel: x\n", "vax"},
		"not a list of them": {nil, "sw64: x\n", "local.yaml"},
	} {
		if err := os.WriteFile(filepath.Join(root, File), []byte(tc.file), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := Find(rec, environment(tc.env), root); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want %q", name, err, tc.want)
		}
	}
}

// TestAFileOfSomebodyElseNamesNoProgram: what the file names is run.
func TestAFileOfSomebodyElseNamesNoProgram(t *testing.T) {
	root, rec := t.TempDir(), record(t)
	if err := os.Mkdir(filepath.Join(root, "fixtures"), 0o755); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(root, File)
	if err := os.WriteFile(file, []byte("sw64:\n  goroot: "+root+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if p, err := Find(rec, environment(nil), root); err != nil || p.GOROOT != root {
		t.Fatalf("%+v, %v", p, err)
	}
	// A program without a checkout is run in any folder.
	t.Chdir(root)
	if p, err := Find(rec, environment(nil), ""); err != nil || p.GOROOT != "" {
		t.Errorf("%+v, %v", p, err)
	}
	if err := os.Chmod(file, 0o646); err != nil {
		t.Fatal(err)
	}
	if _, err := Find(rec, environment(nil), root); err == nil || !strings.Contains(err.Error(), "others may write") {
		t.Errorf("%v", err)
	}
	if os.Geteuid() != 0 {
		return // only root can give a file away
	}
	if err := errors.Join(os.Chmod(file, 0o644), os.Chown(file, 65534, 65534)); err != nil {
		t.Fatal(err)
	}
	if _, err := Find(rec, environment(nil), root); err == nil || !strings.Contains(err.Error(), "belongs to another user") {
		t.Errorf("%v", err)
	}
}
