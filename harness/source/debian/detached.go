package debian

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/clearsign"

	"github.com/mapstack/conformance/harness/source/signature"
)

// Older archives have no InRelease, but Release with its signature in Release.gpg. Both are kept
// as one file: Release, and the signature in ASCII behind it.

const (
	signedMessage = "-----BEGIN PGP SIGNED MESSAGE-----"
	signatureMark = "-----BEGIN PGP SIGNATURE-----"
	signatureType = "PGP SIGNATURE"
)

// errUnsigned means that nobody vouches for a repository.
var errUnsigned = errors.New("it is not signed: it has neither InRelease nor Release.gpg")

// detached returns the signed Release of a suite in one file.
func (c *Client) detached(ctx context.Context, suite string) ([]byte, error) {
	text, err := c.small(ctx, dists(suite)+"Release", suite+" Release")
	if err != nil {
		return nil, err
	}
	signed, err := c.small(ctx, dists(suite)+"Release.gpg", suite+" Release.gpg")
	if errors.Is(err, ErrGone) {
		return nil, fmt.Errorf("%s of %s: %w; sign it, or name the package by sha256 instead of keyring", dists(suite)+"Release", c.mirror.Name(), errUnsigned)
	}
	if err != nil {
		return nil, err
	}
	if block, err := armor.Decode(bytes.NewReader(signed)); err == nil {
		if signed, err = io.ReadAll(block.Body); err != nil {
			return nil, fmt.Errorf("%s of %s is damaged: %w", dists(suite)+"Release.gpg", c.mirror.Name(), err)
		}
	}
	all := bytes.NewBuffer(text)
	w, err := armor.Encode(all, signatureType, nil)
	if err == nil {
		_, err = w.Write(signed)
		err = errors.Join(err, w.Close())
	}
	return all.Bytes(), err
}

// parseRepository verifies the signature of somebody's repository, and reads only the signed
// bytes.
func parseRepository(raw []byte, keys openpgp.EntityList, suite string, now time.Time) (*Release, error) {
	text, made, err := parted(raw)
	if err != nil {
		return nil, err
	}
	signer, err := signature.Check(keys, bytes.NewReader(text), made, now)
	if err != nil {
		return nil, fmt.Errorf("it is not signed by a key of keyring: %w", err)
	}
	sum := sha256.Sum256(raw)
	r := &Release{Suite: suite, raw: raw, SHA256: hex.EncodeToString(sum[:]), Signer: strings.ToUpper(hex.EncodeToString(signer.PrimaryKey.Fingerprint))}
	return r, r.parse(text)
}

// parted returns a text and its signature: of a signed message, or of the two files in one.
func parted(raw []byte) (text []byte, made io.Reader, err error) {
	if bytes.HasPrefix(raw, []byte(signedMessage)) {
		block, rest := clearsign.Decode(raw)
		if block == nil || len(bytes.TrimSpace(rest)) > 0 {
			return nil, nil, errors.New("the signed message is damaged, or is followed by bytes that the signature does not cover")
		}
		return block.Bytes, block.ArmoredSignature.Body, nil
	}
	at := bytes.LastIndex(raw, []byte(signatureMark))
	if at < 0 {
		return nil, nil, errors.New("it is no signed message; the address is not that of an apt repository, or a proxy answers in its place")
	}
	block, err := armor.Decode(bytes.NewReader(raw[at:]))
	if err != nil {
		return nil, nil, fmt.Errorf("its signature is damaged: %w", err)
	}
	return raw[:at], block.Body, nil
}
