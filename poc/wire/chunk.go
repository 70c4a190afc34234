package wire

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"fmt"
	"io"
	"time"
)

// What a probe prints travels as one deflated stream, because a console costs the host a
// system call for every character. The payload of such a frame is a chunk: a letter that
// begins no JSON, the number of the run, and the next bytes of the stream.
const chunkMark = 'z'

// chunkHead is the number of bytes before a chunk's data.
const chunkHead = 1 + 4

// MaxOutput bounds what one run may print, in bytes before it is deflated.
const MaxOutput = 4 << 20

// Deflater deflates the output of one run and hands over the payloads of its frames.
type Deflater struct {
	run  int
	send func(payload []byte) error
	z    *flate.Writer
	out  bytes.Buffer
	// waits reports whether something was written since the last Flush.
	waits bool
}

// NewDeflater returns the deflater of a run. send gets each payload, and must not keep it.
func NewDeflater(run int, send func(payload []byte) error) *Deflater {
	d := &Deflater{run: run, send: send}
	// The fastest level: a guest's processor is an emulated one. The error is only about
	// the level.
	d.z, _ = flate.NewWriter(&d.out, flate.BestSpeed)
	return d
}

// Write takes output of the probe, and sends the chunks that became full.
func (d *Deflater) Write(p []byte) (int, error) {
	d.waits = d.waits || len(p) > 0
	if _, err := d.z.Write(p); err != nil {
		return 0, err
	}
	return len(p), d.pass(MaxPayload - chunkHead)
}

// Flush sends everything that was written.
func (d *Deflater) Flush() error {
	if !d.waits {
		return nil
	}
	d.waits = false
	if err := d.z.Flush(); err != nil {
		return err
	}
	return d.pass(1)
}

// pass sends chunks as long as there are at least so many bytes.
func (d *Deflater) pass(least int) error {
	for d.out.Len() >= least {
		head := [chunkHead]byte{chunkMark}
		binary.BigEndian.PutUint32(head[1:], uint32(d.run))
		if err := d.send(append(head[:], d.out.Next(MaxPayload-chunkHead)...)); err != nil {
			return err
		}
	}
	return nil
}

// Chunk returns the run and the data of a frame's payload; false if it is no chunk.
func Chunk(payload []byte) (run int, data []byte, is bool) {
	if len(payload) < chunkHead || payload[0] != chunkMark {
		return 0, nil, false
	}
	return int(binary.BigEndian.Uint32(payload[1:])), payload[chunkHead:], true
}

// Inflate returns what the data of a run's chunks were made of. A stream that was flushed
// and never ended is whole.
func Inflate(data []byte) ([]byte, error) {
	if len(data) == 0 {
		return nil, nil
	}
	all, err := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(data)), MaxOutput+1))
	if err != nil && err != io.ErrUnexpectedEOF {
		return nil, fmt.Errorf("inflate %d bytes of observations: %w", len(data), err)
	}
	if len(all) > MaxOutput {
		return nil, fmt.Errorf("observations of more than the %d bytes allowed for one run", MaxOutput)
	}
	return all, nil
}

// SyncVariable is the environment variable that is set where a probe can ask for what it
// has printed to be sent at once. It writes a byte to its standard input, which is a
// socket, and reads one when everything is sent.
const SyncVariable = "MAPSTACK_SYNC"

// StretchVariable is the environment variable with Request.Stretch, up to MaxStretch.
const (
	StretchVariable = "MAPSTACK_STRETCH"
	MaxStretch      = 20
)

// ShortestWait is the shortest time after which a probe says that something did not happen,
// before it is stretched. A run that took no longer than that met none of its limits.
const ShortestWait = 10 * time.Second
