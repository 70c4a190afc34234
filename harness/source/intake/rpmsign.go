package intake

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"

	archivesig "github.com/mapstack/conformance/harness/source/signature"
)

// Tags of an rpm (include/rpm/rpmtag.h in rpm's source).
const (
	sigHeaderDSA = 267  // a signature of the header alone, also by EdDSA
	sigHeaderRSA = 268  // the same by RSA
	sigAllRSA    = 1002 // a signature of header and payload
	sigAllDSA    = 1005

	tagName          = 1000
	tagVersion       = 1001
	tagRelease       = 1002
	tagArch          = 1022
	tagPayloadDigest = 5092 // of the payload as it is packed
	tagPayloadAlgo   = 5093

	algoSHA256 = 8
)

// Types of entries of a header.
const (
	typeInt32   = 4
	typeString  = 6
	typeBinary  = 7
	typeStrings = 8
)

// signedHeader is one of the two headers of an rpm.
type signedHeader struct {
	whole []byte // as it is in the file
	index []rpmEntry
	store []byte
}

type rpmEntry struct{ Tag, Type, Offset, Count uint32 }

// readHeader reads the header at an offset of a package. payloadOffset has checked its length.
func readHeader(rpm []byte, at int64) (h signedHeader, err error) {
	if at < 0 || at+rpmIntro > int64(len(rpm)) {
		return h, errors.New("the rpm ends before a header; it is truncated")
	}
	// Real headers have some thousand entries in some MiB, for the names of files.
	const maxEntries, maxStore = 1 << 16, 64 << 20
	entries, size := int64(binary.BigEndian.Uint32(rpm[at+8:])), int64(binary.BigEndian.Uint32(rpm[at+12:]))
	end := at + rpmIntro + rpmIndexEntry*entries + size
	if string(rpm[at:at+3]) != "\x8e\xad\xe8" || end > int64(len(rpm)) || entries > maxEntries || size > maxStore {
		return h, errors.New("a header of the rpm is damaged")
	}
	h.whole, h.store = rpm[at:end], rpm[end-size:end]
	h.index = make([]rpmEntry, entries)
	if _, err := binary.Decode(rpm[at+rpmIntro:end-size], binary.BigEndian, h.index); err != nil {
		return h, fmt.Errorf("a header of the rpm is damaged: %w", err)
	}
	return h, nil
}

// entry returns the bytes of the store from where a tag's value begins; nil for none of the type.
func (h signedHeader) entry(tag uint32, types ...uint32) (rpmEntry, []byte) {
	for _, e := range h.index {
		for _, t := range types {
			if e.Tag == tag && e.Type == t && e.Count > 0 && uint64(e.Offset) < uint64(len(h.store)) {
				return e, h.store[e.Offset:]
			}
		}
	}
	return rpmEntry{}, nil
}

// text returns a string, or the first of a list; "" for none.
func (h signedHeader) text(tag uint32) string {
	_, b := h.entry(tag, typeString, typeStrings)
	text, _, ended := bytes.Cut(b, []byte{0})
	if !ended {
		return ""
	}
	return string(text)
}

// number returns the first number of a tag; 0 for none.
func (h signedHeader) number(tag uint32) uint32 {
	if _, b := h.entry(tag, typeInt32); len(b) >= 4 {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

// bytes returns the bytes of a tag; nil for none.
func (h signedHeader) bytes(tag uint32) []byte {
	e, b := h.entry(tag, typeBinary)
	if uint64(e.Count) > uint64(len(b)) {
		return nil
	}
	return b[:e.Count]
}

// signedPackage checks that a package is signed by a key, and that it is what a list calls it:
// nobody signed the list, which may name an old or another package.
func signedPackage(keys openpgp.EntityList, rpm []byte, p rpmListed, now time.Time) error {
	payload, err := payloadOffset(bytes.NewReader(rpm), int64(len(rpm)))
	if err != nil {
		return err
	}
	signatures, err := readHeader(rpm, rpmLead)
	if err != nil {
		return err
	}
	at := rpmLead + int64(len(signatures.whole))
	header, err := readHeader(rpm, (at+rpmAlignment-1)/rpmAlignment*rpmAlignment)
	if err != nil {
		return err
	}
	if err := signedBy(keys, signatures, header, rpm[payload:], now); err != nil {
		return err
	}
	is := [4]string{header.text(tagName), header.text(tagVersion), header.text(tagRelease), header.text(tagArch)}
	if says := [4]string{p.Name, p.Version.Version, p.Version.Release, p.Arch}; is != says {
		return fmt.Errorf("the metadata, which is not signed, calls it %s-%s-%s.%s, and it is %.80s-%.80s-%.80s.%.80s", says[0], says[1], says[2], says[3], is[0], is[1], is[2], is[3])
	}
	return nil
}

// signedBy checks the signatures of a package: of the header, which has a hash of the payload, or
// of both.
func signedBy(keys openpgp.EntityList, signatures, header signedHeader, payload []byte, now time.Time) error {
	var failed error
	for _, tag := range []uint32{sigHeaderRSA, sigHeaderDSA} {
		signature := signatures.bytes(tag)
		if signature == nil {
			continue
		}
		if _, err := archivesig.CheckPackage(keys, bytes.NewReader(header.whole), signature, now); err != nil {
			failed = errors.Join(failed, err)
			continue
		}
		digest := header.text(tagPayloadDigest)
		if header.number(tagPayloadAlgo) != algoSHA256 || digest == "" {
			failed = errors.Join(failed, errors.New("its signed header has no SHA-256 of the payload"))
			continue
		}
		if sum := sha256.Sum256(payload); hex.EncodeToString(sum[:]) != digest {
			return errors.New("its payload is not what its signed header says; it was changed or did not arrive whole")
		}
		return nil
	}
	for _, tag := range []uint32{sigAllRSA, sigAllDSA} {
		signature := signatures.bytes(tag)
		if signature == nil {
			continue
		}
		all := append(append([]byte{}, header.whole...), payload...)
		if _, err := archivesig.CheckPackage(keys, bytes.NewReader(all), signature, now); err != nil {
			failed = errors.Join(failed, err)
			continue
		}
		return nil
	}
	if failed == nil {
		failed = errors.New("it has no signature")
	}
	return fmt.Errorf("the package is not signed by a key of the keyring: %w", failed)
}
