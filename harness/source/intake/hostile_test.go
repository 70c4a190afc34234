package intake

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mapstack/conformance/harness/source/quarantine"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == quarantine.Command {
		if err := quarantine.Serve(context.Background(), os.Args[2], Job); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// confined opens files as a command does.
func confined(t *testing.T) Opener {
	t.Helper()
	return Opener{Quarantine: quarantine.Self(func(lack string) { t.Error(lack) })}
}

// gptOfManyEntries makes a disk whose table says that it has 2^32-1 partitions.
func gptOfManyEntries(t *testing.T) string {
	t.Helper()
	b := make([]byte, 148<<10)
	copy(b[446:], "\x00\x00\x02\x00\xee\xff\xff\xff\x01\x00\x00\x00\xff\xff\x00\x00")
	copy(b[510:], "\x55\xaa")
	h := b[512:604]
	copy(h, "EFI PART\x00\x00\x01\x00\x5c\x00\x00\x00")
	put := binary.LittleEndian
	put.PutUint64(h[24:], 1)
	put.PutUint64(h[32:], uint64(len(b)/512-1))
	put.PutUint64(h[40:], 34)
	put.PutUint64(h[48:], uint64(len(b)/512-34))
	put.PutUint64(h[72:], 2)
	put.PutUint32(h[80:], 1<<32-1)
	put.PutUint32(h[84:], 128)
	put.PutUint32(h[88:], crc32.ChecksumIEEE(b[1024:]))
	put.PutUint32(h[16:], crc32.ChecksumIEEE(h))
	path := filepath.Join(t.TempDir(), "synthetic-gpt.img")
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// spoiled is an ext4 file system with a field of an inode that is not true.
func spoiled(t *testing.T, commands ...string) string {
	t.Helper()
	path := ext4Image(t)
	for _, c := range commands {
		run(t, tool(t, "debugfs", "e2fsprogs"), "-w", "-R", c, path)
	}
	return path
}

// TestAHostileFileTakesNothingFromTheHost opens files whose readers take all memory, never
// end, or end the program. Each must be an error of one line, in bounded time and memory.
func TestAHostileFileTakesNothingFromTheHost(t *testing.T) {
	for name, c := range map[string]struct {
		make func(t *testing.T) string
		want string // of the error; "" if its reader gets along
	}{
		"a GPT of 2^32-1 partitions": {gptOfManyEntries, "the process that read it"},
		"an ext4 link of 1 TiB": {func(t *testing.T) string {
			// A link of more than 60 bytes has blocks of its own.
			return spoiled(t, "rm /etc/os-release", "symlink /etc/os-release ../"+strings.Repeat("x", 100), "set_inode_field /etc/os-release size 1099511627776")
		}, "the process that read it"},
		"an ext4 folder of 128 TiB": {func(t *testing.T) string {
			return spoiled(t, "set_inode_field /boot size 140737488355328")
		}, ""},
		"an ext4 file system of blocks of 2^60 bytes": {func(t *testing.T) string {
			return spoiled(t, "set_super_value log_block_size 50")
		}, "its ext4 cannot be read"},
		"an ext4 link that leads to itself": {func(t *testing.T) string {
			return spoiled(t, "rm /boot/vmlinuz-5.10.0-60", "symlink /boot/vmlinuz-5.10.0-60 vmlinuz-5.10.0-60")
		}, "too many symbolic links"},
	} {
		t.Run(name, func(t *testing.T) {
			path := c.make(t)
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			found, err := confined(t).Open(ctx, path, t.TempDir())
			if ctx.Err() != nil {
				t.Fatal("it was not done")
			}
			if (err == nil) != (c.want == "") || err != nil && (!strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n")) {
				t.Errorf("%d bytes of a kernel, %v; want one line with %q", len(found.Kernel), err, c.want)
			}
		})
	}
	var used unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_CHILDREN, &used); err != nil {
		t.Fatal(err)
	}
	if kib := used.Maxrss; kib > 3<<20 {
		t.Errorf("a reader had %d KiB of memory", kib)
	}
}

// TestStoppingEndsAReaderThatDoesNotListen: the libraries know no context.
func TestStoppingEndsAReaderThatDoesNotListen(t *testing.T) {
	path := spoiled(t, "set_inode_field /boot size 140737488355328")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := confined(t).Open(ctx, path, t.TempDir()); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

// TestAConfinedReaderFindsWhatAnotherFinds fails if the process without rights cannot read
// a file that is its user's alone.
func TestAConfinedReaderFindsWhatAnotherFinds(t *testing.T) {
	for name, path := range map[string]string{"a disk": ext4Image(t), "a compressed disk": zstdOf(t, qcow2Image(t, gpt(t, ext4Image(t)))), "a package": rpmFileOf(t, "gzip")} {
		dir := t.TempDir()
		private := filepath.Join(dir, "private")
		if err := os.Rename(path, private); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(os.Chmod(private, 0o600), os.Chmod(dir, 0o700)); err != nil {
			t.Fatal(err)
		}
		want, err := Opener{}.Open(t.Context(), private, t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		got, err := confined(t).Open(t.Context(), private, t.TempDir())
		if err != nil || fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) {
			t.Errorf("%s: %v by way of %v, %v; want %v", name, len(got.Kernel), got.Chain, err, want.Chain)
		}
	}
}

// TestASmallFileDoesNotFillTheDisk: a few bytes of a stream may stand for any number of
// others.
func TestASmallFileDoesNotFillTheDisk(t *testing.T) {
	disk, err := os.Create(filepath.Join(t.TempDir(), "disk"))
	if err != nil {
		t.Fatal(err)
	}
	head := make([]byte, headLen)
	copy(head[510:], "\x55\xaa")
	if _, err := disk.Write(head); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(disk.Truncate(freeRatio+1<<20), disk.Close()); err != nil {
		t.Fatal(err)
	}
	packed := zstdOf(t, disk.Name())
	if _, err := confined(t).Open(t.Context(), packed, t.TempDir()); err == nil || !strings.Contains(err.Error(), "that a disk of its compressed size may have") {
		t.Errorf("%v", err)
	}
	for packed, want := range map[int64]int64{0: freeRatio, 100 << 10: freeRatio, 10 << 20: 10 << 20 * maxRatio, 1 << 40: maxDisk} {
		if got := unpackedLimit(packed); got != want {
			t.Errorf("%d bytes may become %d, want %d", packed, got, want)
		}
	}
}
