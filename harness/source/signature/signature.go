// Package signature verifies OpenPGP signatures of archives. It refuses what can be forged
// today.
package signature

import (
	"crypto"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// minRSA is the shortest RSA key that is accepted, in bits (NIST SP 800-131A).
const minRSA = 2048

// Check returns who of the keys signed the text. The signature is binary. Whatever it says
// must hold at the time now.
func Check(keys openpgp.EntityList, text, signature io.Reader, now time.Time) (*openpgp.Entity, error) {
	s, signer, err := openpgp.VerifyDetachedSignature(keys, text, signature, &packet.Config{Time: func() time.Time { return now }})
	if err != nil {
		return nil, err
	}
	// A hash for which two texts can be made (SHA-1, MD5) vouches for both.
	switch s.Hash {
	case crypto.SHA256, crypto.SHA384, crypto.SHA512, crypto.SHA3_256, crypto.SHA3_512:
	default:
		return nil, fmt.Errorf("it was made with %v, which can be forged; SHA-256 or better is wanted", s.Hash)
	}
	if s.IssuerKeyId == nil {
		return nil, errors.New("it does not say which key made it")
	}
	for _, key := range keys.KeysById(*s.IssuerKeyId) {
		if err := strong(key.PublicKey); err != nil {
			return nil, err
		}
	}
	return signer, nil
}

// strong returns why a key can be broken; nil if it cannot.
func strong(key *packet.PublicKey) error {
	switch key.PubKeyAlgo {
	case packet.PubKeyAlgoRSA, packet.PubKeyAlgoRSASignOnly:
		bits, err := key.BitLength()
		if err == nil && bits < minRSA {
			err = fmt.Errorf("it was made with an RSA key of %d bits, and %d are wanted", bits, minRSA)
		}
		return err
	case packet.PubKeyAlgoDSA, packet.PubKeyAlgoElGamal:
		return errors.New("it was made with a key of a kind that is no longer trusted (DSA)")
	}
	return nil
}
