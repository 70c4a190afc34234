package debian

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// arReader reads the container of a .deb, as ar(5) and deb(5) describe it. It keeps
// one header in memory, whatever the container says of its sizes.
type arReader struct {
	r    io.ReaderAt
	at   int64 // of the next member
	size int64 // of the container
}

const (
	arMagic  = "!<arch>\n"
	arHeader = 60 // bytes: name 16, time 12, owner 6, group 6, mode 8, size 10, end 2
	arEnd    = "`\n"
)

func newAr(r io.ReaderAt, size int64) (*arReader, error) {
	var magic [len(arMagic)]byte
	if _, err := r.ReadAt(magic[:], 0); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if string(magic[:]) != arMagic {
		return nil, fmt.Errorf("it is not a Debian package: it begins with %.8q and not with %q", magic, arMagic)
	}
	return &arReader{r: r, at: int64(len(magic)), size: size}, nil
}

// next returns the name and the content of the next member. It returns io.EOF after
// the last.
func (a *arReader) next() (string, *io.SectionReader, error) {
	if a.at >= a.size {
		return "", nil, io.EOF
	}
	var header [arHeader]byte
	if _, err := a.r.ReadAt(header[:], a.at); errors.Is(err, io.EOF) {
		return "", nil, fmt.Errorf("it is truncated in the header of a member, at byte %d", a.size)
	} else if err != nil {
		return "", nil, err
	}
	name := strings.TrimSuffix(strings.TrimRight(string(header[:16]), " "), "/")
	if end := string(header[58:]); end != arEnd {
		return "", nil, fmt.Errorf("its container is damaged: the header of member %q ends with %q", name, end)
	}
	digits := strings.TrimRight(string(header[48:58]), " ")
	length, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || length < 0 {
		return "", nil, fmt.Errorf("its container is damaged: the size of member %q is %q", name, digits)
	}
	start := a.at + arHeader
	if length > a.size-start {
		return "", nil, fmt.Errorf("it is truncated: member %q needs %d bytes, the file has %d left", name, length, a.size-start)
	}
	a.at = start + length + length%2
	return name, io.NewSectionReader(a.r, start, length), nil
}
