package intake

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/ulikunitz/xz/lzma"
)

const (
	regularMode = 0o100755
	linkMode    = 0o120777
)

// cpioFile returns an entry whose header states size bytes.
func cpioFile(name string, mode uint32, size int64, content string) string {
	b := fmt.Appendf(nil, "070701%08X%08X%08X%08X%08X%08X%08X", 1, mode, 0, 0, 1, 0, size)
	b = fmt.Appendf(b, "%08X%08X%08X%08X%08X%08X%s\x00", 0, 0, 0, 0, len(name)+1, 0, name)
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	b = append(b, content...)
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return string(b)
}

func whole(name, content string) string {
	return cpioFile(name, regularMode, int64(len(content)), content)
}

const (
	kernelName = "./lib/modules/5.10.0-60/vmlinuz"
	configName = "./lib/modules/5.10.0-60/config"
)

var trailer = cpioFile(cpioEnd, 0, 0, "")

// rpmHeader returns a header that states a number of index entries and of bytes
// behind them.
func rpmHeader(entries, size uint32) []byte {
	b := []byte("\x8e\xad\xe8\x01\x00\x00\x00\x00")
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(b, entries), size)
}

// rpmOf returns an rpm with headers that hold nothing.
func rpmOf(payload string) []byte {
	b := make([]byte, rpmLead)
	copy(b, "\xed\xab\xee\xdb\x03")
	b = append(b, rpmHeader(0, 4)...) // as long as four bytes, padded to eight
	b = append(b, make([]byte, 8)...)
	b = append(b, rpmHeader(1, 3)...)
	b = append(b, make([]byte, rpmIndexEntry+3)...)
	return append(b, payload...)
}

func writeRPM(t testing.TB, b []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "x.rpm")
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestAnRPMWithoutTheUsualCompressionIsRead(t *testing.T) {
	archive := whole("./boot/readme", "text") + whole(kernelName, "the kernel") + whole(configName, "CONFIG_64BIT=y\n") + trailer
	bzip2 := func(t *testing.T) string {
		t.Helper()
		cmd := exec.Command(tool(t, "bzip2", "bzip2"), "--stdout")
		cmd.Stdin = strings.NewReader(archive)
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	for name, payload := range map[string]func(t *testing.T) string{
		"none":  func(*testing.T) string { return archive },
		"bzip2": bzip2,
	} {
		t.Run(name, func(t *testing.T) {
			found, err := Opener{}.Open(t.Context(), writeRPM(t, rpmOf(payload(t))), t.TempDir())
			if err != nil || string(found.Kernel) != "the kernel" || string(found.Config) != "CONFIG_64BIT=y\n" {
				t.Errorf("kernel %q, config %q, %v", found.Kernel, found.Config, err)
			}
		})
	}
}

func TestAnRPMsFileOfSeveralNamesIsReadByTheOneWithContent(t *testing.T) {
	archive := cpioFile("./boot/vmlinuz-5.10", regularMode, 0, "") + cpioFile("./boot/vmlinuz", linkMode, 12, "vmlinuz-5.10") +
		whole(kernelName, "the kernel") + trailer
	found, err := Opener{}.Open(t.Context(), writeRPM(t, rpmOf(archive)), t.TempDir())
	if err != nil || string(found.Kernel) != "the kernel" || found.Chain[1] != "/lib/modules/5.10.0-60/vmlinuz" {
		t.Errorf("kernel %q by way of %v, %v", found.Kernel, found.Chain, err)
	}
}

// maxHostile bounds what a reader may allocate for a package of a few bytes.
const maxHostile = 8 << 20

func TestAHostileRPMIsOneSentenceAndLittleMemory(t *testing.T) {
	lead := rpmOf("")[:rpmLead]
	good := whole(kernelName, "the kernel")
	for name, tc := range map[string]struct {
		rpm  []byte
		want string
	}{
		"a signature of 68 GiB":       {append(lead[:rpmLead:rpmLead], rpmHeader(math.MaxUint32, math.MaxUint32)...), "signature says it has 73014444031 bytes"},
		"a header of 64 GiB":          {append(rpmOf("")[:rpmLead+24], rpmHeader(math.MaxUint32, 0)...), "header says it has 68719476736 bytes"},
		"no header behind the lead":   {lead, "ends before its signature"},
		"a header of junk":            {append(lead[:rpmLead:rpmLead], make([]byte, 100)...), "no header of an rpm"},
		"no payload":                  {rpmOf(""), "ends after its headers"},
		"a payload of junk":           {rpmOf(strings.Repeat("junk", 100)), "begins no entry"},
		"a file of 2 TiB":             {rpmOf("07070X00000001" + strings.Repeat("0", 200)), "4 GiB or more"},
		"a kernel of 4 GiB":           {rpmOf(cpioFile(kernelName, regularMode, math.MaxUint32, "the kernel")), "4294967295 bytes, more than"},
		"a configuration of 4 GiB":    {rpmOf(cpioFile(configName, regularMode, math.MaxUint32, "CONFIG_64BIT=y\n")), "truncated"},
		"a file of 4 GiB":             {rpmOf(cpioFile("./usr/share/x", regularMode, math.MaxUint32, "text") + trailer), "truncated"},
		"a link of 4 GiB":             {rpmOf(cpioFile("./usr/share/x", linkMode, math.MaxUint32, "text") + trailer), "truncated"},
		"a name of 4 GiB":             {rpmOf(strings.Replace(good, fmt.Sprintf("%08X", len(kernelName)+1), "FFFFFFFF", 1)), "4294967295 bytes"},
		"a name of no bytes":          {rpmOf(strings.Replace(good, fmt.Sprintf("%08X", len(kernelName)+1), "00000000", 1)), "0 bytes"},
		"a negative size":             {rpmOf(strings.Replace(good, fmt.Sprintf("%08X", len("the kernel")), "-0000001", 1)), "no number"},
		"lzma of 2 GiB":               {rpmOf("\x5d\x00\x00\x00\x80" + strings.Repeat("\xff", 8) + strings.Repeat("\x00", 64)), "lzma"},
		"zstd of 2 TiB":               {rpmOf("\x28\xb5\x2f\xfd\x00\xf8\x01\x00\x00" + strings.Repeat("\x00", 64)), "zstd"},
		"a truncated name":            {rpmOf(good[:120]), "truncated"},
		"a truncated kernel":          {rpmOf(good[:len(good)-4]), "truncated"},
		"a truncated archive":         {rpmOf(good), "truncated"},
		"a truncated lzma stream":     {rpmOf(lzmaOf(t, good+whole("./x", strings.Repeat("0123456789", 10_000))+trailer)[:200]), "damaged"},
		"a payload that has no files": {rpmOf(trailer), "no kernel in /boot"},
	} {
		t.Run(name, func(t *testing.T) {
			path := writeRPM(t, tc.rpm)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			found, err := Opener{}.Open(t.Context(), path, t.TempDir())
			runtime.ReadMemStats(&after)
			if err == nil || !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%v, want one line with %q; found %v", err, tc.want, found.Chain)
			}
			if err != nil && strings.Count(err.Error(), path) != 1 {
				t.Errorf("%v, want %s named once", err, path)
			}
			if took := after.TotalAlloc - before.TotalAlloc; took > maxHostile {
				t.Errorf("%d bytes allocated for a file of %d; at most %d are allowed", took, len(tc.rpm), maxHostile)
			}
		})
	}
}

func lzmaOf(t *testing.T, plain string) string {
	t.Helper()
	var b bytes.Buffer
	w, err := lzma.WriterConfig{DictCap: 1 << 16}.NewWriter(&b)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(w, plain); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestAnRPMsPayloadIsBounded(t *testing.T) {
	b := rpmOf(whole("./usr/share/x", strings.Repeat("x", 10_000)) + trailer)
	if _, err := readRPM(t.Context(), bytes.NewReader(b), int64(len(b)), 5_000); err == nil || !strings.Contains(err.Error(), "more than the 5000 bytes") {
		t.Errorf("bytes: %v", err)
	}
	if _, err := pickRPM(&endless{text: whole("./usr/share/x", "")}); err == nil || !strings.Contains(err.Error(), "more than the 500000 entries") {
		t.Errorf("entries: %v", err)
	}
}

// endless repeats a text without end.
type endless struct {
	text string
	at   int
}

func (e *endless) Read(p []byte) (int, error) {
	n := copy(p, e.text[e.at:])
	e.at = (e.at + n) % len(e.text)
	return n, nil
}

func TestVersionsAreOrderedAsRPMDoes(t *testing.T) {
	for _, pair := range [][2]string{ // the older one first
		{"1.0", "1.1"}, {"1.9", "1.10"}, {"5.10.0-9.oe2203", "5.10.0-60.oe2203"}, {"2.0", "2.0.1"}, {"1.0", "1.0a"},
		{"1.0a", "1.0.1"}, {"a", "1"}, {"1.0a", "1.0b"}, {"1.0~rc1", "1.0"}, {"1.0~rc1", "1.0~rc2"}, {"1.0~~", "1.0~"},
		{"1.0", "1.0^git1"}, {"1.0^git1", "1.0.1"}, {"1.0~rc1", "1.0^git1"}, {"", "1"}, {"~", ""}, {"2.50", "3"},
	} {
		if CompareVersions(pair[0], pair[1]) >= 0 || CompareVersions(pair[1], pair[0]) <= 0 {
			t.Errorf("%q is not older than %q", pair[0], pair[1])
		}
	}
	for _, pair := range [][2]string{{"1.0", "1.0"}, {"1.0", "1_0"}, {"1.05", "1.5"}, {"", ""}, {"1.0", "1.0."}, {"é1", "1"}} {
		if c := CompareVersions(pair[0], pair[1]); c != 0 {
			t.Errorf("%q and %q: %d, want equal", pair[0], pair[1], c)
		}
	}
}

func FuzzCompareVersions(f *testing.F) {
	f.Add("1.0~rc1", "1.0^git1")
	f.Fuzz(func(t *testing.T, a, b string) {
		if x, y := CompareVersions(a, b), CompareVersions(b, a); (x < 0) != (y > 0) || (x == 0) != (y == 0) {
			t.Errorf("%q and %q: %d one way, %d the other", a, b, x, y)
		}
	})
}

func FuzzPayloadOffset(f *testing.F) {
	f.Add(rpmOf(trailer))
	f.Fuzz(func(t *testing.T, b []byte) {
		if at, err := payloadOffset(bytes.NewReader(b), int64(len(b))); err == nil && at < rpmLead+2*rpmIntro {
			t.Errorf("the payload is at byte %d", at)
		}
	})
}

func FuzzPickRPM(f *testing.F) {
	f.Add([]byte(whole(kernelName, "the kernel") + whole(configName, "x") + trailer))
	f.Add([]byte(cpioFile("./boot/vmlinuz", linkMode, 1, "x") + trailer))
	f.Fuzz(func(t *testing.T, b []byte) {
		found, err := pickRPM(bytes.NewReader(b))
		if err == nil && len(found.Kernel) == 0 {
			t.Error("success without a kernel")
		}
		if len(found.Kernel)+len(found.Config) > len(b) {
			t.Error("more content than the archive has")
		}
	})
}
