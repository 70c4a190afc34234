package signature

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	_ "crypto/sha256" // the hashes below
	_ "crypto/sha512"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// Packages of rpm often carry signatures of version 3 (RFC 4880, 5.2.2): rpm asked gpg for them
// for twenty years, and the library does not read them any more.

// maxSignature is far above the size of any real signature, in bytes.
const maxSignature = 64 << 10

// CheckPackage is Check for the signature in a package of rpm, which may be of version 3.
func CheckPackage(keys openpgp.EntityList, text io.Reader, signature []byte, now time.Time) (*openpgp.Entity, error) {
	if len(signature) > maxSignature {
		return nil, fmt.Errorf("the signature has %d bytes, and the most that is read is %d", len(signature), maxSignature)
	}
	p, err := packet.NewOpaqueReader(bytes.NewReader(signature)).Next()
	if err != nil {
		return nil, fmt.Errorf("the signature is damaged: %w", err)
	}
	const signatureTag = 2
	if p.Tag != signatureTag || len(p.Contents) == 0 || p.Contents[0] != 3 {
		return Check(keys, text, bytes.NewReader(signature), now)
	}
	return checkThree(keys, text, p.Contents, now)
}

// hashes are those that cannot be forged, by their numbers in OpenPGP (RFC 4880, 9.4).
var hashes = map[uint8]crypto.Hash{8: crypto.SHA256, 9: crypto.SHA384, 10: crypto.SHA512}

// three is the head of a signature packet of version 3. Two bytes of the hash and a number
// follow.
type three struct {
	Version, HashedLength, Type uint8
	Created                     uint32
	Issuer                      uint64
	Key, Hash                   uint8
	Left                        [2]byte
}

func checkThree(keys openpgp.EntityList, text io.Reader, body []byte, now time.Time) (*openpgp.Entity, error) {
	var s three
	size := binary.Size(s)
	if len(body) < size+2 {
		return nil, errors.New("the signature ends in its head")
	}
	if _, err := binary.Decode(body, binary.BigEndian, &s); err != nil {
		return nil, fmt.Errorf("the signature is damaged: %w", err)
	}
	hash, known := hashes[s.Hash]
	switch {
	case s.HashedLength != 5 || s.Type != 0:
		return nil, errors.New("the signature is not of a file")
	case !known:
		return nil, fmt.Errorf("it was made with hash %d, which can be forged or is not known; SHA-256 or better is wanted", s.Hash)
	case packet.PublicKeyAlgorithm(s.Key) != packet.PubKeyAlgoRSA && packet.PublicKeyAlgorithm(s.Key) != packet.PubKeyAlgoRSASignOnly:
		return nil, fmt.Errorf("a signature of version 3 by a key of kind %d is not known; RSA is", s.Key)
	case time.Unix(int64(s.Created), 0).After(now):
		return nil, errors.New("it was made later than now; correct this machine's clock")
	}
	number := body[size:]
	bits := int(binary.BigEndian.Uint16(number))
	if number = number[2:]; len(number) != (bits+7)/8 {
		return nil, errors.New("the signature's number does not have the length that it says")
	}
	h := hash.New()
	if _, err := io.Copy(h, text); err != nil {
		return nil, fmt.Errorf("read what was signed: %w", err)
	}
	h.Write(body[2:7]) // its type and time
	sum := h.Sum(nil)
	for _, key := range keys.KeysByIdUsage(s.Issuer, packet.KeyFlagSign) {
		public, is := key.PublicKey.PublicKey.(*rsa.PublicKey)
		if !is {
			continue
		}
		if err := strong(key.PublicKey); err != nil {
			return nil, err
		}
		if key.Entity.Revoked(now) || key.Revoked(now) || key.PublicKey.KeyExpired(key.SelfSignature, now) {
			return nil, fmt.Errorf("its key %X was withdrawn, or has expired", s.Issuer)
		}
		if len(number) > public.Size() {
			return nil, errors.New("the signature does not fit its key")
		}
		padded := make([]byte, public.Size())
		copy(padded[len(padded)-len(number):], number)
		if err := rsa.VerifyPKCS1v15(public, hash, sum, padded); err != nil {
			return nil, fmt.Errorf("the signature is not of these bytes: %w", err)
		}
		return key.Entity, nil
	}
	return nil, fmt.Errorf("it was made by the key %X, which the keyring does not have", s.Issuer)
}
