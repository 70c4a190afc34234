package seal

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"
	"golang.org/x/crypto/ssh"
)

// pair is a key of each kind, as files.
type pair struct{ private, public []byte }

func pkcs8File(t *testing.T, key any) []byte {
	t.Helper()
	der, err := smx509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

func spkiFile(t *testing.T, key any) []byte {
	t.Helper()
	der, err := smx509.MarshalPKIXPublicKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

// RFC 8410, 10.3 and 10.1.
const (
	ed25519Private = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n-----END PRIVATE KEY-----\n"
	ed25519Public  = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n"
)

func pairs(t *testing.T) map[string]pair {
	t.Helper()
	national, err := sm2.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(other, "")
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(other)
	if err != nil {
		t.Fatal(err)
	}
	return map[string]pair{
		"ed25519": {[]byte(ed25519Private), []byte(ed25519Public)},
		"SM2":     {pkcs8File(t, national), spkiFile(t, national.Public())},
		"ssh":     {pem.EncodeToMemory(block), ssh.MarshalAuthorizedKey(signer.PublicKey())},
	}
}

func keys(t *testing.T, p pair) (*PrivateKey, *PublicKey) {
	t.Helper()
	private, err := ParsePrivateKey(p.private)
	if err != nil {
		t.Fatal(err)
	}
	public, err := ParsePublicKey(p.public)
	if err != nil {
		t.Fatal(err)
	}
	return private, public
}

func TestASealedPayloadIsOpenedWithItsKeyAlone(t *testing.T) {
	all, payload := pairs(t), []byte(`{"a": "<b>"}`)
	for name, p := range all {
		private, public := keys(t, p)
		file, err := Seal(t.Context(), payload, private)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		e, err := Open(file)
		if err != nil || !bytes.Equal(e.Payload, payload) || e.KeyID != public.ID() {
			t.Errorf("%s: %+v, %v", name, e, err)
		}
		if err := e.Check(t.Context(), public); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for other, q := range all {
			if _, key := keys(t, q); other != name && e.Check(t.Context(), key) == nil {
				t.Errorf("%s is accepted with the key of %s", name, other)
			}
		}
	}
}

// TestNoByteOfAnEnvelopeIsFree fails if a byte can be changed and nobody sees it: in the payload,
// the signature, the name of the key, or the form of the file.
func TestNoByteOfAnEnvelopeIsFree(t *testing.T) {
	for name, p := range pairs(t) {
		private, public := keys(t, p)
		file, err := Seal(t.Context(), []byte(`{"a":1}`), private)
		if err != nil {
			t.Fatal(err)
		}
		for i := range file {
			for _, bit := range []byte{1, 1 << 5} { // 1<<5 turns small letters into capitals
				changed := bytes.Clone(file)
				changed[i] ^= bit
				e, err := Open(changed)
				if err == nil {
					err = e.Check(t.Context(), public)
				}
				if err == nil {
					t.Errorf("%s: the bit %#x of byte %d (%q) is free", name, bit, i, file[i])
				}
			}
		}
	}
}

func TestAnUnsignedEnvelopePassesNoCheck(t *testing.T) {
	file, err := Seal(t.Context(), []byte("{}"), nil)
	if err != nil {
		t.Fatal(err)
	}
	e, err := Open(file)
	if err != nil || e.KeyID != "" {
		t.Fatalf("%+v, %v", e, err)
	}
	key, err := ParsePublicKey([]byte(ed25519Public))
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Check(t.Context(), key); err == nil || !strings.Contains(err.Error(), "no signature") {
		t.Error(err)
	}
}

// TestOpenSSLAgreesOnSM2 signs with a key that OpenSSL made, and has OpenSSL check it.
func TestOpenSSLAgreesOnSM2(t *testing.T) {
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("openssl makes the key and checks the signature, and this machine has none")
	}
	dir := t.TempDir()
	run := func(args ...string) []byte {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), openssl, args...)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("openssl %v: %v\n%s", args, err, out)
		}
		return out
	}
	run("genpkey", "-algorithm", "SM2", "-out", "key.pem")
	run("pkey", "-in", "key.pem", "-pubout", "-out", "key.pub")
	run("pkey", "-in", "key.pem", "-pubout", "-outform", "DER", "-out", "key.der")
	var p pair
	if p.private, err = os.ReadFile(filepath.Join(dir, "key.pem")); err != nil {
		t.Fatal(err)
	}
	if p.public, err = os.ReadFile(filepath.Join(dir, "key.pub")); err != nil {
		t.Fatal(err)
	}
	private, public := keys(t, p)
	if private.Public.ID() != public.ID() {
		t.Errorf("the halves are named %s and %s", private.Public.ID(), public.ID())
	}
	if sum := string(run("dgst", "-sha256", "-r", "key.der")); "sha256:"+sum[:64] != public.ID() {
		t.Errorf("the key is named %s, and OpenSSL says %s", public.ID(), sum)
	}
	message := []byte("a message")
	signature, err := private.Sign(t.Context(), message)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{"message": message, "signature": signature} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run("pkeyutl", "-verify", "-rawin", "-in", "message", "-sigfile", "signature", "-pubin", "-inkey", "key.pub", "-digest", "sm3", "-pkeyopt", "distid:1234567812345678")
}

func TestAKeyThatIsNotAllowedIsRefusedWithWhatIs(t *testing.T) {
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(other)
	if err != nil {
		t.Fatal(err)
	}
	locked, err := ssh.MarshalPrivateKeyWithPassphrase(other, "", []byte("secret"))
	if err != nil {
		t.Fatal(err)
	}
	for want, file := range map[string][]byte{
		"no private key in PEM":     []byte("x"),
		`type "RSA PRIVATE KEY"`:    pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: der}),
		"it holds a *ecdsa.":        pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}),
		"read the key":              pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der[:20]}),
		"it has a passphrase":       pem.EncodeToMemory(locked),
		"ssh: invalid openssh":      pem.EncodeToMemory(&pem.Block{Type: "OPENSSH PRIVATE KEY", Bytes: []byte("openssh-key-v1")}),
		`block of the type "PUBLIC`: []byte(ed25519Public),
	} {
		if _, err := ParsePrivateKey(file); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	for want, file := range map[string][]byte{
		"no public key":             []byte("x"),
		"its curve is P-256":        spkiFile(t, other.Public()),
		`block of the type "PRIVAT`: []byte(ed25519Private),
	} {
		if _, err := ParsePublicKey(file); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

func FuzzOpen(f *testing.F) {
	file, err := Seal(f.Context(), []byte("{}"), nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(file)
	f.Add([]byte(`{"payload":"e30=","signatures":[{"sig":"!"}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := Open(data)
		if err != nil {
			return
		}
		if again, err := written(e.dsse); err != nil || !bytes.Equal(again, data) {
			t.Errorf("%q is accepted as %q", data, again)
		}
	})
}
