package evidence

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"sort"

	"github.com/mapstack/conformance/poc/stage0"
	"github.com/mapstack/conformance/poc/wire"
)

// Bounds of what is read again; they are those of package target.
const (
	maxObservation  = 16 << 10 // bytes of one line of a probe
	maxObservations = 8192
	maxLogLine      = 2 * wire.MaxLine // where the console cuts a line
)

// Replayed says how transcripts compare with the console logs beside them.
type Replayed struct {
	Compared int
	// Unseen are the transcripts that no log can show, as cell/probe, and why.
	Unseen map[string]string
}

// Replay reads the frames in the console logs again. A transcript that no log holds is an
// error: one of both was changed after the run.
func Replay(dir fs.FS, cells []CellRun) (Replayed, error) {
	r := Replayed{Unseen: map[string]string{}}
	for _, c := range cells {
		for _, probe := range slices.Sorted(maps.Keys(c.Transcripts)) {
			at := c.Cell.Name + "/" + probe
			if probe == stage0.Probe {
				r.Unseen[at] = "stage 0 has no numbered frames"
				continue
			}
			name := probe
			if c.Runs[probe].Guest == Saved {
				name = BootConsole
			}
			file := path.Join("cells", c.Cell.Name, "console", name+".log")
			log, err := ReadFile(dir, file)
			switch {
			case errors.Is(err, fs.ErrNotExist):
				r.Unseen[at] = "it has no console log"
				continue
			case err != nil:
				return r, err
			}
			if !shows(log, c.Transcripts[probe]) {
				return r, fmt.Errorf("the transcript of probe %s on cell %s is not what its console log %s holds; one of them was changed after the run", probe, c.Cell.Name, file)
			}
			r.Compared++
		}
	}
	return r, nil
}

// shows reports whether a run in the log printed the transcript.
func shows(log []byte, t wire.Transcript) bool {
	want, err := json.Marshal(observed{t.Observations, t.Exit})
	if err != nil {
		return false
	}
	for _, guest := range guests(log) {
		for _, run := range guest {
			if got, err := json.Marshal(run); err == nil && bytes.Equal(got, want) {
				return true
			}
		}
	}
	return false
}

// observed is the part of a transcript that a guest says.
type observed struct {
	Observations []wire.Observation
	Exit         wire.Exit
}

// guests returns the runs of each guest in a log. A probe that is tried again has several
// guests in one log, which number their frames alike. A guest that was saved while it spoke
// ends an earlier conversation first. Each conversation begins with the frame 0, which may
// be repeated. Guests of one snapshot begin with the same frames, so that only a later frame
// shows that another guest speaks: all since the last frame 0 are its own.
func guests(log []byte) (all [][]observed) {
	frames, sinceZero := map[uint32][]byte{}, map[uint32][]byte{}
	for _, line := range lines(log) {
		f, err := wire.Decode(wire.GuestPrefix, line)
		if err != nil {
			continue
		}
		if f.Seq == 0 {
			sinceZero = map[uint32][]byte{}
		}
		before, again := frames[f.Seq]
		if again && !bytes.Equal(before, f.Payload) || f.Seq == 0 && !again && len(frames) > 0 {
			all = append(all, runs(frames))
			frames = maps.Clone(sinceZero)
		}
		frames[f.Seq], sinceZero[f.Seq] = f.Payload, f.Payload
	}
	return append(all, runs(frames))
}

// lines splits a log where the console does.
func lines(log []byte) (all [][]byte) {
	for len(log) > 0 {
		end := bytes.IndexByte(log, '\n') + 1
		if end == 0 {
			end = len(log)
		}
		line := log[:end]
		log = log[end:]
		for len(line) > maxLogLine {
			all, line = append(all, line[:maxLogLine]), line[maxLogLine:]
		}
		all = append(all, line)
	}
	return all
}

// runs returns what a guest's frames say of every run that ended.
func runs(frames map[uint32][]byte) (all []observed) {
	order := slices.Collect(maps.Keys(frames))
	sort.Slice(order, func(i, j int) bool { return order[i] < order[j] })
	deflated := map[int][]byte{}
	for _, seq := range order {
		run, data, is := wire.Chunk(frames[seq])
		if is {
			deflated[run] = append(deflated[run], data...)
			continue
		}
		var r wire.Record
		if json.Unmarshal(frames[seq], &r) != nil || r.Kind != wire.KindDone || r.Exit == nil {
			continue
		}
		printed, err := wire.Inflate(deflated[r.Run])
		if err != nil {
			continue
		}
		o := observed{Observations: []wire.Observation{}, Exit: *r.Exit}
		o.Exit.Dropped = wire.ReadObservations(bytes.NewReader(printed), maxObservation, maxObservations, func(one wire.Observation) {
			o.Observations = append(o.Observations, one)
		})
		if o.Exit.Cut {
			o.Exit.Dropped++
		}
		all = append(all, o)
	}
	return all
}
