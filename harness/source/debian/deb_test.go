package debian

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func writeDeb(t testing.TB, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "x.deb")
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestWalkSeesCleanNamesAndStopsEarly(t *testing.T) {
	path := writeDeb(t, makeDeb(t,
		entry{name: "./", kind: tar.TypeDir},
		entry{name: "./boot/", kind: tar.TypeDir},
		entry{name: "./boot/vmlinuz-6.1", content: "kernel"},
		entry{name: "./boot/config-6.1", content: "CONFIG_X=y"},
		entry{name: "./usr/later", content: "unread"}))
	var names []string
	var config string
	err := WalkData(t.Context(), path, func(hdr *tar.Header, r io.Reader) (bool, error) {
		names = append(names, hdr.Name)
		if hdr.Name != "boot/config-6.1" {
			return false, nil
		}
		b, err := io.ReadAll(r)
		config = string(b)
		return true, err
	})
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{".", "boot", "boot/vmlinuz-6.1", "boot/config-6.1"}; !reflect.DeepEqual(names, want) {
		t.Errorf("visited %q, want %q", names, want)
	}
	if config != "CONFIG_X=y" {
		t.Errorf("config is %q", config)
	}
}

func TestBrokenPackageIsRefused(t *testing.T) {
	whole := makeDeb(t, entry{name: "./a", content: "a"})
	negative := makeAr(member{"debian-binary", []byte("2.0\n")})
	// A negative size could send the reader back to the same member for ever.
	copy(negative[8+48:], "-60       ")
	huge := makeAr(member{"data.tar", []byte("x")})
	copy(huge[8+48:], "9999999999")
	open := makeAr(member{"data.tar", []byte("x")})
	copy(open[8+58:], "xx")
	for _, tc := range []struct {
		name   string
		data   []byte
		saying string
	}{
		{"empty", nil, "not a Debian package"},
		{"a web page", []byte("<html>not found</html>"), "not a Debian package"},
		{"truncated in the data", whole[:len(whole)-20], "truncated"},
		{"truncated before the data", whole[:80], "truncated"},
		{"without data", makeAr(member{"debian-binary", []byte("2.0\n")}), "no data archive"},
		{"with too many members", makeAr(make([]member, 100)...), "no data archive"},
		{"with a negative size", negative, "damaged"},
		{"with a size of 9 GB", huge, "needs 9999999999 bytes"},
		{"with a header that has no end", open, "damaged"},
		{"in an unknown compression", makeAr(member{"data.tar.rar", []byte("x")}), "data.tar.rar"},
		{"with damaged data", makeAr(member{"data.tar.gz", []byte("not gzip at all")}), "gzip"},
		{"with data that is no tar", makeAr(member{"data.tar", make([]byte, 100)}), "damaged"},
		{"with a name that climbs", makeDeb(t, entry{name: "./../../etc/passwd"}), "leads out"},
		{"with an absolute name", makeDeb(t, entry{name: "/etc/passwd"}), "leads out"},
		{"with a hard link out", makeDeb(t, entry{name: "./a", kind: tar.TypeLink, link: "../../etc/passwd"}), "leads out"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			err := WalkData(t.Context(), writeDeb(t, tc.data), func(_ *tar.Header, r io.Reader) (bool, error) {
				_, err := io.Copy(io.Discard, r)
				return false, err
			})
			said(t, err, tc.saying, "x.deb")
		})
	}
}

func TestVisitorsErrorAndCancellationComeBack(t *testing.T) {
	path := writeDeb(t, makeDeb(t, entry{name: "./a"}, entry{name: "./b"}))
	mine := errors.New("mine")
	if err := WalkData(t.Context(), path, func(*tar.Header, io.Reader) (bool, error) { return false, mine }); !errors.Is(err, mine) {
		t.Errorf("error is %v, want the visitor's", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	err := WalkData(ctx, path, func(*tar.Header, io.Reader) (bool, error) { cancel(); return false, nil })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v, want context.Canceled", err)
	}
}

func TestUnpackKeepsFilesLinksAndExecutability(t *testing.T) {
	path := writeDeb(t, makeDeb(t,
		entry{name: "./usr/bin/qemu", content: "binary"},
		entry{name: "./usr/bin/same", kind: tar.TypeLink, link: "./usr/bin/qemu"},
		entry{name: "./usr/lib/libx.so.1", kind: tar.TypeSymlink, link: "libx.so.1.2"},
		entry{name: "./usr/share/doc/x", content: "unwanted"},
		entry{name: "./dev/null", kind: tar.TypeChar}))
	dir := t.TempDir()
	if err := Unpack(t.Context(), path, dir, func(n string) bool { return n != "usr/share/doc/x" }); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"usr/bin/qemu", "usr/bin/same"} {
		st, err := os.Stat(filepath.Join(dir, name))
		if err != nil || st.Mode().Perm()&0o100 == 0 || st.Size() != 6 {
			t.Errorf("%s: %v, %v", name, st, err)
		}
	}
	if target, err := os.Readlink(filepath.Join(dir, "usr/lib/libx.so.1")); err != nil || target != "libx.so.1.2" {
		t.Errorf("link points to %q, %v", target, err)
	}
	for _, name := range []string{"usr/share/doc", "dev/null"} {
		if _, err := os.Lstat(filepath.Join(dir, name)); err == nil {
			t.Errorf("%s was unpacked", name)
		}
	}
}

func TestPackageCannotWriteThroughItsOwnLinks(t *testing.T) {
	outside := t.TempDir()
	for name, link := range map[string]string{"absolute": outside, "relative": "../" + filepath.Base(outside)} {
		t.Run(name, func(t *testing.T) {
			path := writeDeb(t, makeDeb(t,
				entry{name: "./way", kind: tar.TypeSymlink, link: link},
				entry{name: "./way/in", content: "evil"}))
			dir := filepath.Join(filepath.Dir(outside), name)
			if err := os.Mkdir(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := Unpack(t.Context(), path, dir, func(string) bool { return true }); err == nil {
				t.Error("no error")
			}
			if left, _ := os.ReadDir(outside); len(left) > 0 {
				t.Errorf("%v was written outside", left)
			}
		})
	}
}

func FuzzAr(f *testing.F) {
	f.Add(makeAr(member{"debian-binary", []byte("2.0\n")}, member{"data.tar/", []byte("x")}))
	f.Fuzz(func(t *testing.T, data []byte) {
		ar, err := newAr(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			return
		}
		for last := ar.at; ; last = ar.at {
			name, content, err := ar.next()
			if err != nil {
				return
			}
			if n, err := io.Copy(io.Discard, content); err != nil || n != content.Size() {
				t.Errorf("member %q says %d bytes and has %d: %v", name, content.Size(), n, err)
			}
			if ar.at <= last {
				t.Fatalf("the reader went from byte %d to %d", last, ar.at)
			}
		}
	})
}

func FuzzWalkDeb(f *testing.F) {
	f.Add(makeDeb(f, entry{name: "./a", content: "a"}, entry{name: "./b", kind: tar.TypeSymlink, link: "/"}))
	f.Add(makeAr(member{"data.tar", nil}))
	f.Add(makeAr(member{"data.tar.zst", []byte("\x28\xb5\x2f\xfd")}))
	f.Fuzz(func(t *testing.T, data []byte) {
		_ = WalkData(t.Context(), writeDeb(t, data), func(hdr *tar.Header, r io.Reader) (bool, error) {
			if !filepath.IsLocal(hdr.Name) {
				t.Errorf("name %q is not local", hdr.Name)
			}
			_, err := io.Copy(io.Discard, io.LimitReader(r, 1<<20))
			return false, err
		})
	})
}

// TestASparseEntryIsCountedAsItIsWritten: three kilobytes of an archive can stand for any
// number of zeroes.
func TestASparseEntryIsCountedAsItIsWritten(t *testing.T) {
	const size = 1 << 30
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	// The library writes no sparse files. The body of a PAX header has no checksum.
	content := fmt.Sprintf("1\n%d\n0\n", size)
	content += strings.Repeat("\x00", 512-len(content))
	records := map[string]string{"XNU.sparse.major": "1", "XNU.sparse.minor": "0", "XNU.sparse.name": "zeroes", "XNU.sparse.realsize": fmt.Sprint(size)}
	if err := w.WriteHeader(&tar.Header{Name: "zeroes", Typeflag: tar.TypeReg, Size: int64(len(content)), Mode: 0o644, PAXRecords: records, Format: tar.FormatPAX}); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(w, content); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	sparse := bytes.ReplaceAll(archive.Bytes(), []byte("XNU.sparse"), []byte("GNU.sparse"))
	dir := t.TempDir()
	err := UnpackTar(t.Context(), bytes.NewReader(sparse), dir, size-1, func(string) bool { return true })
	said(t, err, "more than the 1073741823 bytes allowed here")
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("%d bytes became %v, %v", len(sparse), left, err)
	}
}
