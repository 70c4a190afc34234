package intake

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/mapstack/conformance/harness/source/quarantine"
)

// Job finds the kernel in a file that may be hostile. It is given the file, and an empty
// file to which a compressed disk may be unpacked.
var Job = quarantine.Job{Name: "intake", Run: func(ctx context.Context, _ []byte, files []*os.File) (quarantine.Answer, error) {
	if len(files) != 2 {
		return quarantine.Answer{}, fmt.Errorf("it was given %d files, and needs 2", len(files))
	}
	found, foreign, err := find(ctx, files[0], files[1])
	a := answer{Found: found, Foreign: foreign, NoKernel: errors.Is(err, ErrNoKernel)}
	if err != nil {
		a.Error = err.Error()
	}
	blobs := [][]byte{found.Kernel, found.Config}
	a.Found.Kernel, a.Found.Config = nil, nil
	return quarantine.Answer{Meta: a, Blobs: blobs}, nil
}}

// answer is what the job says, except kernel and configuration.
type answer struct {
	Found    Found
	Error    string       // "" if a kernel was found
	NoKernel bool         // the error is an ErrNoKernel
	Foreign  *foreignDisk // nil if no helper is needed
}

// notFound is an error from the other process. Is works as it did there.
type notFound struct {
	text     string
	noKernel bool
}

func (e *notFound) Error() string        { return e.text }
func (e *notFound) Is(target error) bool { return e.noKernel && target == ErrNoKernel }

// read has the file read in quarantine. If a helper can read more of it, foreign is not nil,
// and the result is what holds without a helper.
func (o Opener) read(ctx context.Context, f, plain *os.File) (found Found, foreign *foreignDisk, err error) {
	var a answer
	blobs, err := o.Quarantine.Do(ctx, Job, nil, maxKernel+maxConfig, &a, f, plain)
	if err != nil {
		return Found{}, nil, err
	}
	if len(blobs) != 2 {
		return Found{}, nil, fmt.Errorf("the process that read it answered with %d parts, and 2 are wanted", len(blobs))
	}
	found = a.Found
	for i, to := range []*[]byte{&found.Kernel, &found.Config} {
		if len(blobs[i]) > 0 {
			*to = blobs[i]
		}
	}
	if a.Error != "" {
		err = &notFound{a.Error, a.NoKernel}
	}
	return found, a.Foreign, err
}

// find finds the kernel in a file. A compressed disk is unpacked to plain.
func find(ctx context.Context, f, plain *os.File) (found Found, foreign *foreignDisk, err error) {
	info, err := f.Stat()
	if err != nil {
		return Found{}, nil, unnamed(err)
	}
	head := make([]byte, headLen)
	n, err := f.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return Found{}, nil, unnamed(err)
	}
	switch identify(head[:n]) {
	case debFile:
		found, err = openDeb(ctx, f)
	case rpmFile:
		found, err = openRPM(ctx, f, info.Size())
	case diskFile:
		return openDisk(f, info.Size())
	default:
		return openPlain(ctx, f, info.Size(), plain)
	}
	return found, nil, err
}
