package intake

import (
	"errors"
	"fmt"
	"io"
	"strconv"
)

// cpioReader reads a cpio archive in the "newc" format, which the payload of an rpm
// has. It keeps one header and one name in memory, whatever sizes the archive
// claims.
type cpioReader struct {
	r    io.Reader
	left int64 // unread bytes of the entry's content
	pad  int64 // bytes of padding after the content
	name string
}

// cpioEntry is the header of a file.
type cpioEntry struct {
	name string
	mode uint32 // as in stat(2)
	size int64  // bytes
}

func (e cpioEntry) regular() bool { return e.mode&0o170000 == 0o100000 }

const (
	cpioHeader  = 110  // bytes: a magic of 6 and 13 numbers of 8 hexadecimal digits
	maxCPIOName = 4096 // PATH_MAX
	cpioEnd     = "TRAILER!!!"
)

// next skips the rest of an entry and returns the next one. It returns io.EOF at the
// entry that ends the archive. An archive without that entry is an error.
func (c *cpioReader) next() (cpioEntry, error) {
	if err := c.skip(); err != nil {
		return cpioEntry{}, err
	}
	var header [cpioHeader]byte
	if err := c.fill(header[:]); err != nil {
		return cpioEntry{}, err
	}
	switch magic := string(header[:6]); magic {
	case "070701", "070702":
	case "07070X":
		return cpioEntry{}, errors.New("it has a file of 4 GiB or more, and rpm's form for those is not read here")
	default:
		return cpioEntry{}, fmt.Errorf("%q begins no entry of a cpio archive", magic)
	}
	mode, err := cpioNumber(&header, 1)
	if err != nil {
		return cpioEntry{}, err
	}
	size, err := cpioNumber(&header, 6)
	if err != nil {
		return cpioEntry{}, err
	}
	nameLen, err := cpioNumber(&header, 11)
	if err != nil {
		return cpioEntry{}, err
	}
	if nameLen == 0 || nameLen > maxCPIOName {
		return cpioEntry{}, fmt.Errorf("the name of an entry has %d bytes, and 1 to %d are allowed", nameLen, maxCPIOName)
	}
	// Header and name together are padded to four bytes, and so is the content.
	name := make([]byte, (cpioHeader+nameLen+3)/4*4-cpioHeader)
	if err := c.fill(name); err != nil {
		return cpioEntry{}, err
	}
	c.name = string(name[:nameLen-1]) // without the NUL
	if c.name == cpioEnd {
		return cpioEntry{}, io.EOF
	}
	c.left, c.pad = size, -size&3
	return cpioEntry{name: c.name, mode: uint32(mode), size: size}, nil
}

// Read reads the content of the entry that next returned.
func (c *cpioReader) Read(p []byte) (int, error) {
	if c.left == 0 {
		return 0, io.EOF
	}
	n, err := c.r.Read(p[:min(int64(len(p)), c.left)])
	c.left -= int64(n)
	if errors.Is(err, io.EOF) && c.left > 0 {
		err = c.truncated()
	}
	return n, err
}

// skip discards the unread bytes of the entry.
func (c *cpioReader) skip() error {
	n, err := io.CopyN(io.Discard, c.r, c.left+c.pad)
	if errors.Is(err, io.EOF) {
		c.left = max(c.left-n, 0)
		return c.truncated()
	}
	c.left, c.pad = 0, 0
	return err
}

// truncated returns the error of an archive that ended too early.
func (c *cpioReader) truncated() error {
	if c.left > 0 {
		return fmt.Errorf("it is truncated: %d bytes of %.80q are missing", c.left, c.name)
	}
	return errors.New("it is truncated: the entry that ends it is missing")
}

// fill reads a part of a header.
func (c *cpioReader) fill(p []byte) error {
	_, err := io.ReadFull(c.r, p)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return c.truncated()
	}
	return err
}

// cpioNumber returns a field of a header.
func cpioNumber(header *[cpioHeader]byte, field int) (int64, error) {
	digits := string(header[6+8*field : 14+8*field])
	n, err := strconv.ParseUint(digits, 16, 32)
	if err != nil {
		return 0, fmt.Errorf("%q in the header of an entry is no number of 8 hexadecimal digits", digits)
	}
	return int64(n), nil
}
