package seal

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/pem"
	"errors"
	"fmt"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"
	"github.com/hiddeco/sshsig"
	"golang.org/x/crypto/ssh"
)

// Namespace is what an ssh signature of a certificate is for: ssh-keygen -Y verify -n NAMESPACE.
const Namespace = "mapstack-certificate"

// PublicKey checks signatures. It is a dsse.Verifier.
type PublicKey struct {
	id     string
	key    crypto.PublicKey
	verify func(message, signature []byte) bool
}

// PrivateKey signs. It is a dsse.Signer.
type PrivateKey struct {
	Public *PublicKey
	sign   func(message []byte) ([]byte, error)
}

// ID names the key: "SHA256:..." as ssh-keygen -l prints it for a key of ssh, and else
// "sha256:" and the hash of its DER as a SubjectPublicKeyInfo.
func (k *PublicKey) ID() string { return k.id }

// KeyID returns ID.
func (k *PublicKey) KeyID() (string, error) { return k.id, nil }

// Public returns the key in the form of the package that it is of.
func (k *PublicKey) Public() crypto.PublicKey { return k.key }

// Verify returns an error if the signature is not one of the key over the message.
func (k *PublicKey) Verify(_ context.Context, message, signature []byte) error {
	if !k.verify(message, signature) {
		return errors.New("the signature is not of this key")
	}
	return nil
}

// KeyID returns the ID of the public half.
func (k *PrivateKey) KeyID() (string, error) { return k.Public.KeyID() }

// Sign returns the signature of the message.
func (k *PrivateKey) Sign(_ context.Context, message []byte) ([]byte, error) { return k.sign(message) }

// allowedPrivate and allowedPublic end the errors about a key.
const (
	allowedPrivate = "give an ed25519 or SM2 key as PEM in PKCS#8 (openssl genpkey -algorithm ed25519), or a private key of ssh; neither may have a passphrase"
	allowedPublic  = "give an ed25519 or SM2 key as PEM (openssl pkey -pubout), or a line as in id_ed25519.pub"
)

// ParsePrivateKey reads the file of a private key. The error says which keys are allowed.
func ParsePrivateKey(file []byte) (*PrivateKey, error) {
	block, _ := pem.Decode(file)
	if block == nil {
		return nil, errors.New("it is no private key in PEM; " + allowedPrivate)
	}
	switch block.Type {
	case "PRIVATE KEY":
		return pkcs8(block.Bytes)
	case "OPENSSH PRIVATE KEY":
		return private(file)
	}
	return nil, fmt.Errorf("it holds a PEM block of the type %.40q; %s", block.Type, allowedPrivate)
}

// pkcs8 reads an ed25519 or SM2 key.
func pkcs8(der []byte) (*PrivateKey, error) {
	parsed, err := smx509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, fmt.Errorf("read the key: %w; %s", err, allowedPrivate)
	}
	var k PrivateKey
	switch key := parsed.(type) {
	case ed25519.PrivateKey:
		k.sign = func(message []byte) ([]byte, error) { return ed25519.Sign(key, message), nil }
		k.Public, err = public(key.Public())
	case *sm2.PrivateKey:
		k.sign = func(message []byte) ([]byte, error) { return key.Sign(rand.Reader, message, sm2.DefaultSM2SignerOpts) }
		k.Public, err = public(key.Public())
	default:
		return nil, fmt.Errorf("it holds a %T; %s", parsed, allowedPrivate)
	}
	if err != nil {
		return nil, err
	}
	return &k, nil
}

// public makes a key of an ed25519 or SM2 key.
func public(key any) (*PublicKey, error) {
	k := PublicKey{key: key}
	switch key := key.(type) {
	case ed25519.PublicKey:
		k.verify = func(message, signature []byte) bool { return ed25519.Verify(key, message, signature) }
	case *ecdsa.PublicKey:
		if !sm2.IsSM2PublicKey(key) {
			return nil, fmt.Errorf("its curve is %s; %s", key.Params().Name, allowedPublic)
		}
		// No user ID: both take the one that GB/T 35276 sets.
		k.verify = func(message, signature []byte) bool { return sm2.VerifyASN1WithSM2(key, nil, message, signature) }
	default:
		return nil, fmt.Errorf("it holds a %T; %s", key, allowedPublic)
	}
	der, err := smx509.MarshalPKIXPublicKey(key)
	if err != nil {
		return nil, fmt.Errorf("hash the key: %w", err)
	}
	k.id = fmt.Sprintf("sha256:%x", sha256.Sum256(der))
	return &k, nil
}

// ParsePublicKey reads the file of a public key. The error says which keys are allowed.
func ParsePublicKey(file []byte) (*PublicKey, error) {
	block, _ := pem.Decode(file)
	if block == nil {
		key, _, _, _, err := ssh.ParseAuthorizedKey(file)
		if err != nil {
			return nil, errors.New("it is no public key; " + allowedPublic)
		}
		return ofSSH(key), nil
	}
	if block.Type != "PUBLIC KEY" {
		return nil, fmt.Errorf("it holds a PEM block of the type %.40q; %s", block.Type, allowedPublic)
	}
	key, err := smx509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("read the key: %w; %s", err, allowedPublic)
	}
	return public(key)
}

// private reads a key of ssh.
func private(file []byte) (*PrivateKey, error) {
	signer, err := ssh.ParsePrivateKey(file)
	if missing := (*ssh.PassphraseMissingError)(nil); errors.As(err, &missing) {
		return nil, errors.New("it has a passphrase, and mapstack asks for none: sign with a copy that has none (ssh-keygen -p -f COPY)")
	}
	if err != nil {
		return nil, fmt.Errorf("read the key: %w; %s", err, allowedPrivate)
	}
	sign := func(message []byte) ([]byte, error) {
		s, err := sshsig.Sign(bytes.NewReader(message), signer, sshsig.HashSHA512, Namespace)
		if err != nil {
			return nil, err
		}
		return sshsig.Armor(s), nil
	}
	return &PrivateKey{ofSSH(signer.PublicKey()), sign}, nil
}

// ofSSH makes a key of a key of ssh. Its signatures are the files that ssh-keygen -Y sign makes.
func ofSSH(key ssh.PublicKey) *PublicKey {
	verify := func(message, signature []byte) bool {
		s, err := sshsig.Unarmor(signature)
		if err != nil || !bytes.Equal(sshsig.Armor(s), signature) { // the one form in which it is written
			return false
		}
		return sshsig.Verify(bytes.NewReader(message), s, key, s.HashAlgorithm, Namespace) == nil
	}
	return &PublicKey{ssh.FingerprintSHA256(key), key, verify}
}
