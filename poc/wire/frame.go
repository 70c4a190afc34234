package wire

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"strconv"
)

// A frame is one line:
//
//	prefix seq length crc32 base64\n
//
// seq and length are decimal. length counts the bytes of the decoded payload. The
// CRC-32 (IEEE, eight hexadecimal digits) covers "seq length " and the payload, so
// that a changed header is noticed too. printk may cut into the line: a damaged
// frame is asked for again.
const (
	GuestPrefix = "@MSg2 " // frames that a guest sends
	HostPrefix  = "@MSh2 " // frames that a host sends
	EarlyPrefix = "@MSz1 " // frames of stage 0, before the agent runs; they are not asked for again
)

// MaxPayload bounds a frame's payload, in bytes. On a noisy console short frames
// survive better than long ones.
const MaxPayload = 16 << 10

// MaxLine is the length of the longest frame, in bytes, with its newline.
const MaxLine = len(GuestPrefix) + 10 + 1 + 5 + 1 + 8 + 1 + (MaxPayload+2)/3*4 + 1

// Frame is one numbered payload. Each side counts its own frames from 0.
type Frame struct {
	Seq     uint32
	Payload []byte
}

// ErrNoFrame means that a line contains no frame.
var ErrNoFrame = errors.New("no frame in this line")

// ErrTooLarge means that a message does not fit in a frame.
var ErrTooLarge = errors.New("message larger than a frame may be")

// ErrDamaged means that a line contains a frame that is not intact.
var ErrDamaged = errors.New("damaged frame")

// Encode returns the frame as one line, newline included.
func Encode(prefix string, f Frame) ([]byte, error) {
	if len(f.Payload) > MaxPayload {
		return nil, fmt.Errorf("%w: %d bytes, %d at most", ErrTooLarge, len(f.Payload), MaxPayload)
	}
	head := header(f.Seq, len(f.Payload))
	line := make([]byte, 0, MaxLine)
	line = append(line, prefix...)
	line = append(line, head...)
	line = append(line, fmt.Sprintf("%08x ", checksum(head, f.Payload))...)
	line = append(line, base64.StdEncoding.EncodeToString(f.Payload)...)
	return append(line, '\n'), nil
}

// Decode finds a frame anywhere in line. Text before the prefix, which printk left,
// is ignored. Anything else out of place makes the frame damaged.
func Decode(prefix string, line []byte) (Frame, error) {
	at := bytes.LastIndex(line, []byte(prefix))
	if at < 0 {
		return Frame{}, ErrNoFrame
	}
	fields := bytes.Split(bytes.TrimRight(line[at+len(prefix):], "\r\n"), []byte(" "))
	if len(fields) != 4 {
		return Frame{}, ErrDamaged
	}
	seq, err := strconv.ParseUint(string(fields[0]), 10, 32)
	if err != nil {
		return Frame{}, ErrDamaged
	}
	length, err := strconv.ParseUint(string(fields[1]), 10, 32)
	if err != nil || length > MaxPayload {
		return Frame{}, ErrDamaged
	}
	sum, err := strconv.ParseUint(string(fields[2]), 16, 32)
	if err != nil || len(fields[2]) != 8 {
		return Frame{}, ErrDamaged
	}
	payload, err := base64.StdEncoding.Strict().DecodeString(string(fields[3]))
	if err != nil || uint64(len(payload)) != length ||
		uint64(checksum(header(uint32(seq), len(payload)), payload)) != sum {
		return Frame{}, ErrDamaged
	}
	return Frame{Seq: uint32(seq), Payload: payload}, nil
}

// EncodeJSON frames a Record or a Request.
func EncodeJSON(prefix string, seq uint32, message interface{}) ([]byte, error) {
	payload, err := json.Marshal(message)
	if err != nil {
		return nil, err
	}
	return Encode(prefix, Frame{Seq: seq, Payload: payload})
}

func header(seq uint32, length int) string {
	return strconv.FormatUint(uint64(seq), 10) + " " + strconv.Itoa(length) + " "
}

func checksum(header string, payload []byte) uint32 {
	return crc32.Update(crc32.ChecksumIEEE([]byte(header)), crc32.IEEETable, payload)
}
