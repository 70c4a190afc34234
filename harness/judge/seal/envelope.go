// Package seal puts a statement into a DSSE envelope, signs it, and opens it again.
package seal

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/secure-systems-lab/go-securesystemslib/dsse"
)

// payloadType is the media type of an in-toto statement, which the signature covers too.
const payloadType = "application/vnd.in-toto+json"

// Envelope is what a certificate's file holds.
type Envelope struct {
	Payload []byte
	// KeyID names the key that signed, as Key.ID does; "" for an envelope without a signature.
	KeyID string

	dsse dsse.Envelope
}

// Seal returns the file of an envelope around the payload. A nil key leaves it unsigned.
func Seal(ctx context.Context, payload []byte, key *PrivateKey) ([]byte, error) {
	envelope := &dsse.Envelope{PayloadType: payloadType, Payload: base64.StdEncoding.EncodeToString(payload), Signatures: []dsse.Signature{}}
	if key != nil {
		signer, err := dsse.NewEnvelopeSigner(key)
		if err != nil {
			return nil, fmt.Errorf("sign: %w", err)
		}
		if envelope, err = signer.SignPayload(ctx, payloadType, payload); err != nil {
			return nil, fmt.Errorf("sign: %w", err)
		}
	}
	return written(*envelope)
}

// written returns the only form in which an envelope is accepted. Every byte of a file is then
// covered: by the signature, or by this form.
func written(e dsse.Envelope) ([]byte, error) {
	b, err := json.MarshalIndent(e, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("write the envelope: %w", err)
	}
	return append(b, '\n'), nil
}

// Open reads the file of an envelope. It does not check the signature.
func Open(file []byte) (Envelope, error) {
	var e dsse.Envelope
	if err := json.Unmarshal(file, &e); err != nil {
		return Envelope{}, fmt.Errorf("it is no DSSE envelope: %w", err)
	}
	// Unmarshal accepts other names, repeated fields, and what follows in a string of base64.
	payload, err := base64.StdEncoding.Strict().DecodeString(e.Payload)
	if again, wrong := written(e); err != nil || wrong != nil || !bytes.Equal(again, file) {
		return Envelope{}, errors.New("it is not written as mapstack writes a certificate: it was changed, or another program wrote it again")
	}
	if e.PayloadType != payloadType {
		return Envelope{}, fmt.Errorf("its payload is of the type %q, and a certificate's is of %q", e.PayloadType, payloadType)
	}
	o := Envelope{Payload: payload, dsse: e}
	switch len(e.Signatures) {
	case 0:
	case 1:
		if o.KeyID = e.Signatures[0].KeyID; o.KeyID == "" {
			return Envelope{}, errors.New("its signature names no key")
		}
		if _, err := base64.StdEncoding.Strict().DecodeString(e.Signatures[0].Sig); err != nil {
			return Envelope{}, errors.New("its signature is no base64")
		}
	default:
		return Envelope{}, fmt.Errorf("it has %d signatures, and a certificate has one at most", len(e.Signatures))
	}
	return o, nil
}

// Check returns an error if the envelope was not signed with the key, or was changed since.
func (e Envelope) Check(ctx context.Context, key *PublicKey) error {
	switch {
	case e.KeyID == "":
		return errors.New("it has no signature, and a key was given to check one")
	case e.KeyID != key.ID():
		return fmt.Errorf("it says that the key %s signed it, and the key that was given is %s", e.KeyID, key.ID())
	}
	verifier, err := dsse.NewEnvelopeVerifier(key)
	if err == nil {
		_, err = verifier.Verify(ctx, &e.dsse)
	}
	if err != nil {
		return fmt.Errorf("its signature is not one of the key %s over what it says; it was changed after it was signed", key.ID())
	}
	return nil
}
