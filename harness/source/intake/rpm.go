package intake

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/mapstack/conformance/harness/source/decompress"
)

// Bounds of an rpm's payload: several times the largest kernel package.
const (
	maxPayload        = 8 << 30 // bytes, decompressed
	maxPayloadEntries = 500_000
)

func openRPM(ctx context.Context, f *os.File, size int64) (Found, error) {
	return readRPM(ctx, f, size, maxPayload)
}

// readRPM finds the kernel in an rpm of size bytes, whose payload may unpack to limit
// bytes.
func readRPM(ctx context.Context, f io.ReaderAt, size, limit int64) (Found, error) {
	at, err := payloadOffset(f, size)
	if err != nil {
		return Found{}, err
	}
	raw := bufio.NewReader(io.NewSectionReader(f, at, size-at))
	// The magic decides, not PAYLOADCOMPRESSOR of the header: packages without
	// compression leave that out.
	head, err := raw.Peek(6)
	if err != nil {
		return Found{}, fmt.Errorf("the rpm ends after its headers, at byte %d; it is truncated", size)
	}
	payload, err := decompress.Reader(ctx, raw, decompress.Detect(head))
	if err != nil {
		return Found{}, fmt.Errorf("the rpm's payload cannot be read: %w", err)
	}
	defer payload.Close()
	unpacked := &io.LimitedReader{R: payload, N: limit}
	found, err := pickRPM(unpacked)
	switch {
	case err != nil && ctx.Err() != nil:
		return Found{}, context.Cause(ctx) // the decoder was stopped; the package is not damaged
	case err != nil && unpacked.N <= 0:
		return Found{}, fmt.Errorf("the rpm's payload unpacks to more than the %d bytes allowed here", limit)
	}
	return found, err
}

// pickRPM finds the kernel in an unpacked payload.
func pickRPM(payload io.Reader) (Found, error) {
	p := pick{Found{Chain: []string{"rpm"}}}
	archive := cpioReader{r: bufio.NewReader(payload)}
	for n := 0; ; n++ {
		entry, err := archive.next()
		if errors.Is(err, io.EOF) {
			return p.end()
		}
		if err != nil {
			return Found{}, fmt.Errorf("the rpm's payload is damaged after %d entries: %w", n, err)
		}
		if n == maxPayloadEntries {
			return Found{}, fmt.Errorf("the rpm's payload has more than the %d entries allowed here", maxPayloadEntries)
		}
		// Of a file with several names, all entries but the last are empty.
		if !entry.regular() || entry.size == 0 {
			continue
		}
		if err := p.file(entry.name, entry.size, &archive); err != nil {
			return Found{}, fmt.Errorf("in the rpm's payload: %w", err)
		}
	}
}

// Sizes of an rpm's parts, in bytes; see docs/manual/format.md in rpm's source.
const (
	rpmLead       = 96
	rpmIntro      = 16 // the beginning of each header
	rpmIndexEntry = 16
	rpmAlignment  = 8 // of what follows the signature
)

// payloadOffset returns the offset of the payload. Only the lengths of the headers
// are read, so nothing in a header can take memory.
func payloadOffset(r io.ReaderAt, size int64) (int64, error) {
	at := int64(rpmLead)
	for _, part := range []struct {
		name      string
		alignment int64
	}{{"signature", rpmAlignment}, {"header", 1}} {
		var intro [rpmIntro]byte
		if _, err := r.ReadAt(intro[:], at); errors.Is(err, io.EOF) {
			return 0, fmt.Errorf("the rpm ends before its %s; it is truncated", part.name)
		} else if err != nil {
			return 0, fmt.Errorf("the rpm's %s cannot be read: %w", part.name, err)
		}
		if string(intro[:3]) != "\x8e\xad\xe8" {
			return 0, fmt.Errorf("the rpm's %s begins with %x, which is no header of an rpm; the file is damaged", part.name, intro[:3])
		}
		length := rpmIntro + rpmIndexEntry*int64(binary.BigEndian.Uint32(intro[8:])) + int64(binary.BigEndian.Uint32(intro[12:]))
		if length > size-at {
			return 0, fmt.Errorf("the rpm's %s says it has %d bytes, and the file has %d left; it is truncated or damaged", part.name, length, size-at)
		}
		at += (length + part.alignment - 1) / part.alignment * part.alignment
	}
	return at, nil
}
