package signature

import (
	"bytes"
	"crypto"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

var today = time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC)

func key(t testing.TB, algorithm packet.PublicKeyAlgorithm, bits int) *openpgp.Entity {
	t.Helper()
	k, err := openpgp.NewEntity("test archive", "", "archive@example.org", &packet.Config{Algorithm: algorithm, RSABits: bits, MinRSABits: 1, Time: func() time.Time { return today.AddDate(-1, 0, 0) }})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// TestWhatCanBeForgedIsRefused fails if a signature is believed that somebody else may have
// made.
func TestWhatCanBeForgedIsRefused(t *testing.T) {
	const text = "Suite: trixie\n"
	short, long := key(t, packet.PubKeyAlgoRSA, 1024), key(t, packet.PubKeyAlgoRSA, 2048)
	edwards := key(t, packet.PubKeyAlgoEdDSA, 0)
	for _, c := range []struct {
		name string
		key  *openpgp.Entity
		hash crypto.Hash
		at   time.Time
		want string // "" if it is good
	}{
		{"good", edwards, crypto.SHA256, today, ""},
		{"good, another hash", long, crypto.SHA512, today, ""},
		{"a short key", short, crypto.SHA256, today, "an RSA key of 1024 bits"},
		{"of the future", edwards, crypto.SHA256, today.AddDate(1, 0, 0), "expired"},
	} {
		var signed bytes.Buffer
		err := openpgp.DetachSign(&signed, c.key, strings.NewReader(text), &packet.Config{DefaultHash: c.hash, MinRSABits: 1, Time: func() time.Time { return c.at }})
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		signer, err := Check(openpgp.EntityList{c.key}, strings.NewReader(text), &signed, today)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) || (signer == nil) != (err != nil) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

// TestASignatureMadeWithSHA1IsRefused reads what gpg --digest-algo made of one text with one
// key.
func TestASignatureMadeWithSHA1IsRefused(t *testing.T) {
	read := func(name string) []byte {
		b, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	keys, err := openpgp.ReadKeyRing(bytes.NewReader(read("key.gpg")))
	if err != nil {
		t.Fatal(err)
	}
	at := keys[0].PrimaryKey.CreationTime.Add(time.Hour)
	for name, want := range map[string]string{"sha256.sig": "", "sha1.sig": "made with SHA-1, which can be forged"} {
		_, err := Check(keys, strings.NewReader("Suite: trixie\n"), bytes.NewReader(read(name)), at)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
}

// FuzzCheck fails if bytes that nobody signed vouch for a text.
func FuzzCheck(f *testing.F) {
	const text = "Suite: trixie\n"
	k := key(f, packet.PubKeyAlgoEdDSA, 0)
	for _, hash := range []crypto.Hash{crypto.SHA256, crypto.SHA512} {
		var signed bytes.Buffer
		if err := openpgp.DetachSign(&signed, k, strings.NewReader(text), &packet.Config{DefaultHash: hash, Time: func() time.Time { return today }}); err != nil {
			f.Fatal(err)
		}
		f.Add(signed.Bytes())
	}
	f.Fuzz(func(t *testing.T, signature []byte) {
		if signer, err := Check(openpgp.EntityList{k}, strings.NewReader("Suite: sid\n"), bytes.NewReader(signature), today); err == nil || signer != nil {
			t.Errorf("%x vouches for a text that was not signed", signature)
		}
	})
}
