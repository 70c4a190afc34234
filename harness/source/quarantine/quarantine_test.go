package quarantine

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

// jobs are what a hostile file may make of its reader.
var jobs = []Job{
	{"reads", func(_ context.Context, arguments []byte, files []*os.File) (Answer, error) {
		b, err := io.ReadAll(files[0])
		return Answer{Meta: map[string]string{"arguments": string(arguments)}, Blobs: [][]byte{b, nil}}, err
	}},
	{"tells", func(context.Context, []byte, []*os.File) (Answer, error) {
		status, err := os.ReadFile("/proc/self/status")
		if err != nil {
			return Answer{}, err
		}
		limits, err := os.ReadFile("/proc/self/limits")
		_, secret := os.Stat("/root/.")
		return Answer{Meta: map[string]any{"status": string(status), "limits": string(limits), "environment": os.Environ(), "root": secret == nil}}, err
	}},
	{"fails", func(context.Context, []byte, []*os.File) (Answer, error) {
		return Answer{}, errors.New("it is no kernel")
	}},
	{"panics", func(context.Context, []byte, []*os.File) (Answer, error) { panic("index out of range") }},
	{"takes all memory", func(context.Context, []byte, []*os.File) (Answer, error) {
		all := map[int][]byte{}
		for {
			all[len(all)] = bytes.Repeat([]byte{1}, 64<<20)
		}
	}},
	{"takes all memory at once", func(context.Context, []byte, []*os.File) (Answer, error) {
		b := make([]byte, 1<<40)
		return Answer{Blobs: [][]byte{b}}, nil
	}},
	{"has no end", func(context.Context, []byte, []*os.File) (Answer, error) { return Answer{}, deep(1) }},
	{"writes a large file", func(_ context.Context, _ []byte, files []*os.File) (Answer, error) {
		return Answer{}, files[0].Truncate(maxFile + 1)
	}},
	{"loops", func(context.Context, []byte, []*os.File) (Answer, error) {
		for i := 0; ; i++ {
			_ = i
		}
	}},
	{"answers too much", func(context.Context, []byte, []*os.File) (Answer, error) {
		return Answer{Blobs: [][]byte{make([]byte, 2000)}}, nil
	}},
	{"is taken over", func(context.Context, []byte, []*os.File) (Answer, error) {
		_ = binary.Write(os.Stdout, binary.BigEndian, int64(1<<62))
		os.Exit(0)
		return Answer{}, nil
	}},
	{"says nothing", func(context.Context, []byte, []*os.File) (Answer, error) { os.Exit(0); return Answer{}, nil }},
}

// deep never returns. Its stack would take all memory.
func deep(n int) error {
	if n == 0 {
		return nil
	}
	return fmt.Errorf("%w", deep(n+1))
}

func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == Command {
		if err := Serve(context.Background(), os.Args[2], jobs...); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("github.com/mapstack/conformance/harness/source/quarantine.init.func1.1"))
}

func job(t *testing.T, name string) Job {
	t.Helper()
	for _, j := range jobs {
		if j.Name == name {
			return j
		}
	}
	t.Fatal("no job " + name)
	return Job{}
}

func file(t *testing.T, text string) *os.File {
	t.Helper()
	f, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	return f
}

func TestAJobAnswersInBothPlaces(t *testing.T) {
	for _, p := range []Program{{}, Self(func(lack string) { t.Error(lack) })} {
		var meta map[string]string
		f := file(t, "content")
		if err := f.Chmod(0); err != nil {
			t.Fatal(err)
		}
		blobs, err := p.Do(t.Context(), job(t, "reads"), []int{1, 2}, 100, &meta, f)
		if err != nil || len(blobs) != 2 || string(blobs[0]) != "content" || len(blobs[1]) != 0 || meta["arguments"] != "[1,2]" {
			t.Errorf("%q, %v, %v", blobs, meta, err)
		}
		for name, want := range map[string]string{"fails": "it is no kernel", "panics": "it is damaged: its reader stopped with index out of range"} {
			if _, err := p.Do(t.Context(), job(t, name), nil, 100, &meta); err == nil || err.Error() != want {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

// TestWhateverAParserDoesEndsThere fails if a file of a few bytes takes the memory of the
// host, ends this program, or is waited for without end.
func TestWhateverAParserDoesEndsThere(t *testing.T) {
	for name, want := range map[string]string{
		"takes all memory":         "out of memory",
		"takes all memory at once": "(runtime: out of memory",
		"has no end":               "(runtime: goroutine stack exceeds",
		"writes a large file":      "SIGXFSZ",
		"answers too much":         "a part of 2000 bytes, and 100 are left",
		"is taken over":            "its answer has 4611686018427387904 bytes",
		"says nothing":             "it gave no answer",
	} {
		t.Run(name, func(t *testing.T) {
			var meta any
			_, err := Self(nil).Do(t.Context(), job(t, name), nil, 100, &meta, file(t, ""))
			var ended *EndedError
			if name == "writes a large file" && errors.As(err, new(*jobError)) {
				return // the file system allows less
			}
			if !errors.As(err, &ended) || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%v, want one line with %q", err, want)
			}
		})
	}
}

func TestAJobEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	stopped := errors.New("stopped")
	time.AfterFunc(50*time.Millisecond, func() { cancel(stopped) })
	var meta any
	if _, err := Self(nil).Do(ctx, job(t, "loops"), nil, 100, &meta); !errors.Is(err, stopped) {
		t.Errorf("%v", err)
	}
}

// TestAJobEndsNoOtherChild fails if a job ends the thread that it was started on. The kernel
// then kills what else was started there, such as an xz(1) that unpacks a package.
func TestAJobEndsNoOtherChild(t *testing.T) {
	var others []*exec.Cmd
	for range 32 {
		cmd := exec.CommandContext(t.Context(), "sleep", "3600")
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		started := make(chan error)
		go func() { started <- cmd.Start() }() // on whatever thread there is
		if err := <-started; err != nil {
			t.Fatal(err)
		}
		others = append(others, cmd)
		var meta any
		if _, err := Self(nil).Do(t.Context(), job(t, "fails"), nil, 0, &meta); err == nil {
			t.Error("the job did not fail")
		}
	}
	for _, cmd := range others {
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Error(err)
		}
		if err := cmd.Wait(); err == nil || err.Error() != "signal: terminated" {
			t.Errorf("it was ended by somebody else: %v", err)
		}
	}
}

func TestAJobHasNoRights(t *testing.T) {
	t.Setenv("SECRET", "of the user")
	var said struct {
		Status, Limits string
		Environment    []string
		Root           bool
	}
	if _, err := Self(func(lack string) { t.Error(lack) }).Do(t.Context(), job(t, "tells"), nil, 0, &said); err != nil {
		t.Fatal(err)
	}
	want := []string{"NoNewPrivs:\t1\n", "CapEff:\t0000000000000000\n", "CapPrm:\t0000000000000000\n"}
	if os.Geteuid() == 0 {
		want = append(want, fmt.Sprintf("Uid:\t%d\t%[1]d\t%[1]d\t%[1]d\n", nobody), fmt.Sprintf("Gid:\t%d\t%[1]d\t%[1]d\t%[1]d\n", nobody), "Groups:\t \n")
		if said.Root {
			t.Error("it can enter root's folder")
		}
	}
	for _, w := range want {
		if !strings.Contains(said.Status, w) {
			t.Errorf("its status lacks %q:\n%s", w, said.Status)
		}
	}
	for _, w := range []string{fmt.Sprintf("Max cpu time              %d ", maxCPU), fmt.Sprintf("Max data size             %d ", int64(maxMemory)), "Max core file size        0 "} {
		if !strings.Contains(said.Limits, w) {
			t.Errorf("its limits lack %q:\n%s", w, said.Limits)
		}
	}
	if len(said.Environment) != 1 {
		t.Errorf("its environment is %q", said.Environment)
	}
	if set, err := unix.PrctlRetInt(unix.PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0); err != nil || set != 0 {
		t.Errorf("this program cannot gain privileges any more: %d, %v", set, err)
	}
}

func FuzzReceive(f *testing.F) {
	var b bytes.Buffer
	if err := send(&b, Answer{Meta: map[string]int{"a": 1}, Blobs: [][]byte{{1, 2}, nil}}, nil); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Add([]byte("\x00\x00\x00\x00\x00\x00\x00\x02{}"))
	f.Fuzz(func(t *testing.T, b []byte) {
		var meta any
		const limit = 1 << 10
		blobs, err := receive(bytes.NewReader(b), limit, &meta)
		total := 0
		for _, blob := range blobs {
			total += len(blob)
		}
		if total > limit || err != nil && blobs != nil {
			t.Errorf("%d bytes, %v", total, err)
		}
	})
}
