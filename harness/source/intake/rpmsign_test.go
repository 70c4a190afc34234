package intake

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	"github.com/google/rpmpack"

	archivesig "github.com/mapstack/conformance/harness/source/signature"
)

// signedRPM returns a package of a kernel, with signatures by sign; nil for none.
func signedRPM(t *testing.T, name string, sign func([]byte) ([]byte, error)) []byte {
	t.Helper()
	r, err := rpmpack.NewRPM(rpmpack.RPMMetaData{Name: name, Version: "5.10.0", Release: "60", Arch: "x86_64", Compressor: "gzip"})
	if err != nil {
		t.Fatal(err)
	}
	r.AddFile(rpmpack.RPMFile{Name: "/lib/modules/5.10.0-60/vmlinuz", Body: kernelText(), Mode: 0o100755})
	if sign != nil {
		r.SetPGPSigner(sign)
	}
	var b bytes.Buffer
	if err := r.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// four returns a signer that makes signatures of version 4.
func four(key *openpgp.Entity) func([]byte) ([]byte, error) {
	return func(text []byte) ([]byte, error) {
		var b bytes.Buffer
		err := openpgp.DetachSign(&b, key, bytes.NewReader(text), nil)
		return b.Bytes(), err
	}
}

// unsignedMetadata writes a repository whose packages alone are signed. It lists the package
// under a name.
func unsignedMetadata(t *testing.T, rpm []byte, name, release string) string {
	t.Helper()
	dir := t.TempDir()
	sum := sha256.Sum256(rpm)
	primary := fmt.Sprintf(`<metadata><package type="rpm"><name>%s</name><arch>x86_64</arch><version epoch="0" ver="5.10.0" rel="%s"/><checksum type="sha256">%x</checksum><location href="k.rpm"/></package></metadata>`, name, release, sum)
	listed := sha256.Sum256([]byte(primary))
	for file, text := range map[string]string{"k.rpm": string(rpm), "repodata/primary.xml": primary,
		"repodata/repomd.xml": `<repomd><revision>99999999999</revision><data type="primary"><checksum type="sha256">` + hex.EncodeToString(listed[:]) + `</checksum><location href="repodata/primary.xml"/></data></repomd>`} {
		path := filepath.Join(dir, file)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestASignedPackageOfUnsignedMetadataIsTaken fails if the repository of a vendor who signs
// packages alone cannot be tested, or if the unsigned metadata can make mapstack take a package
// that nobody signed, that was changed, or that is another one than its name says.
func TestASignedPackageOfUnsignedMetadataIsTaken(t *testing.T) {
	key, public := signer(t)
	stranger, _ := signer(t)
	good := signedRPM(t, "kernel-core", four(key))
	changed := bytes.Clone(good)
	changed[len(changed)-9] ^= 1
	headless := bytes.Clone(good) // the signature of the header is gone, that of both is there
	if at := bytes.Index(headless, []byte{0, 0, 1, 12, 0, 0, 0, 7}); at > 0 {
		headless[at+2], headless[at+3] = 0x0f, 0xff
	} else {
		t.Fatal("the package has no signature of its header")
	}
	for name, c := range map[string]struct {
		rpm           []byte
		name, release string
		want          string // in the error; "" for none
	}{
		"signed":              {good, "kernel-core", "60", ""},
		"signed as a whole":   {headless, "kernel-core", "60", ""},
		"by nobody":           {signedRPM(t, "kernel-core", nil), "kernel-core", "60", "it has no signature"},
		"by a stranger":       {signedRPM(t, "kernel-core", four(stranger)), "kernel-core", "60", "not signed by a key of the keyring"},
		"changed":             {changed, "kernel-core", "60", "payload is not what its signed header says"},
		"another package":     {signedRPM(t, "bash", four(key)), "kernel-core", "60", "calls it kernel-core-5.10.0-60.x86_64, and it is bash-5.10.0-60.x86_64"},
		"an old one as newer": {good, "kernel-core", "61", "and it is kernel-core-5.10.0-60.x86_64"},
	} {
		seen := t.TempDir()
		found, err := Repository{Where: unsignedMetadata(t, c.rpm, c.name, c.release), Keyring: public, Arch: "x86_64", Seen: seen}.Open(t.Context(), t.TempDir())
		if c.want != "" {
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: %v, want %q", name, err, c.want)
			}
			continue
		}
		if err != nil || !bytes.Equal(found.Kernel, kernelText()) || found.Chain[0] != "yum repository with signed packages and unsigned metadata" {
			t.Errorf("%s: %v by way of %v", name, err, found.Chain)
		}
		if kept, err := os.ReadDir(seen); err != nil || len(kept) > 0 {
			t.Errorf("%s: a revision that nobody signed is kept: %v, %v", name, kept, err)
		}
	}
}

// TestSignaturesOfVersionThreeAreRead fails if packages of rpm, which asked gpg for such
// signatures for twenty years, are taken for unsigned, or if one that does not hold is accepted.
func TestSignaturesOfVersionThreeAreRead(t *testing.T) {
	key, err := openpgp.NewEntity("old", "", "old@example.invalid", &packet.Config{Algorithm: packet.PubKeyAlgoRSA, RSABits: 2048})
	if err != nil {
		t.Fatal(err)
	}
	made := time.Now()
	three := func(hash byte, change func(body []byte)) func([]byte) ([]byte, error) {
		return func(text []byte) ([]byte, error) {
			head := []byte{3, 5, 0}
			head = binary.BigEndian.AppendUint32(head, uint32(made.Unix()))
			sum := sha256.New()
			sum.Write(text)
			sum.Write(head[2:7])
			digest := sum.Sum(nil)
			number, err := rsa.SignPKCS1v15(rand.Reader, key.PrivateKey.PrivateKey.(*rsa.PrivateKey), crypto.SHA256, digest)
			if err != nil {
				return nil, err
			}
			body := binary.BigEndian.AppendUint64(head, key.PrimaryKey.KeyId)
			body = append(body, 1, hash, digest[0], digest[1])
			for len(number) > 0 && number[0] == 0 {
				number = number[1:]
			}
			bits := len(number) * 8
			for mask := byte(0x80); number[0]&mask == 0; mask >>= 1 {
				bits--
			}
			body = append(binary.BigEndian.AppendUint16(body, uint16(bits)), number...)
			if change != nil {
				change(body)
			}
			return append([]byte{0x89, byte(len(body) >> 8), byte(len(body))}, body...), nil
		}
	}
	text := []byte("header and payload")
	later := made.Add(time.Minute)
	for name, c := range map[string]struct {
		sign func([]byte) ([]byte, error)
		keys openpgp.EntityList
		now  time.Time
		want string // in the error; "" for none
	}{
		"good":             {three(8, nil), openpgp.EntityList{key}, later, ""},
		"SHA-1":            {three(2, nil), openpgp.EntityList{key}, later, "can be forged"},
		"another text":     {func([]byte) ([]byte, error) { return three(8, nil)([]byte("x")) }, openpgp.EntityList{key}, later, "not of these bytes"},
		"a stranger":       {three(8, nil), nil, later, "the keyring does not have"},
		"of tomorrow":      {three(8, nil), openpgp.EntityList{key}, made.Add(-time.Hour), "later than now"},
		"of another kind":  {three(8, func(b []byte) { b[2] = 1 }), openpgp.EntityList{key}, later, "not of a file"},
		"another time":     {three(8, func(b []byte) { b[6] ^= 1 }), openpgp.EntityList{key}, later, "not of these bytes"},
		"a shorter number": {three(8, func(b []byte) { b[19] = 0 }), openpgp.EntityList{key}, later, "does not have the length"},
	} {
		s, err := c.sign(text)
		if err != nil {
			t.Fatal(err)
		}
		_, err = archivesig.CheckPackage(c.keys, bytes.NewReader(text), s, c.now)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

func FuzzSignedPackage(f *testing.F) {
	f.Add([]byte("\xed\xab\xee\xdb"))
	f.Fuzz(func(t *testing.T, rpm []byte) {
		if err := signedPackage(nil, rpm, rpmListed{}, time.Unix(1e9, 0)); err == nil {
			t.Error("a package is signed by a key of an empty keyring")
		}
	})
}
