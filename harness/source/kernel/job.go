package kernel

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/mapstack/conformance/harness/source/quarantine"
)

// UnwrapJob unwraps a kernel that may be hostile, for whatever architecture it is.
var UnwrapJob = quarantine.Job{Name: "unwrap", Run: func(ctx context.Context, arguments []byte, files []*os.File) (quarantine.Answer, error) {
	var wanted struct{ Data bool }
	if err := json.Unmarshal(arguments, &wanted); err != nil {
		return quarantine.Answer{}, err
	}
	if len(files) != 1 {
		return quarantine.Answer{}, fmt.Errorf("it was given %d files, and needs 1", len(files))
	}
	file, err := io.ReadAll(io.LimitReader(io.NewSectionReader(files[0], 0, 1<<62), maxPlain+1))
	if err != nil {
		return quarantine.Answer{}, err
	}
	p, err := unwrapAny(ctx, file, maxPlain)
	if err != nil {
		return quarantine.Answer{}, err
	}
	var blobs [][]byte
	if wanted.Data {
		blobs = [][]byte{p.Data}
	}
	p.Data = nil
	return quarantine.Answer{Meta: p, Blobs: blobs}, nil
}}

// unwrapForeign has a kernel unwrapped in quarantine. Without data, Plain.Data is empty.
func unwrapForeign(ctx context.Context, q quarantine.Program, file []byte, data bool) (Plain, error) {
	f, err := os.CreateTemp("", "mapstack-kernel-*")
	if err != nil {
		return Plain{}, fmt.Errorf("hand a kernel over: %w", err)
	}
	defer f.Close()
	// It has no name from now on, so that nothing is left of it.
	if err := os.Remove(f.Name()); err != nil {
		return Plain{}, fmt.Errorf("hand a kernel over: %w", err)
	}
	if _, err := io.Copy(f, bytes.NewReader(file)); err != nil {
		return Plain{}, fmt.Errorf("hand a kernel over: %w", err)
	}
	var p Plain
	blobs, err := q.Do(ctx, UnwrapJob, struct{ Data bool }{data}, maxPlain, &p, f)
	if err != nil {
		return Plain{}, err
	}
	if data {
		if len(blobs) != 1 {
			return Plain{}, fmt.Errorf("the process that unwrapped it answered with %d parts, and 1 is wanted", len(blobs))
		}
		p.Data = blobs[0]
	}
	return p, nil
}
