package run

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"io"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/mapstack/conformance/harness/failure"
	"github.com/mapstack/conformance/harness/judge/evidence"
	"github.com/mapstack/conformance/harness/machine/target"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/poc/catalog"
	"github.com/mapstack/conformance/poc/stage0"
	"github.com/mapstack/conformance/poc/wire"
)

// chances are how often something goes wrong in a modelled night. They are assumptions.
type chances struct {
	straggler float64 // a cell takes slower times as long as planned: a host that others use
	slower    float64
	transient float64 // a probe run fails by an error of ours, and is tried again
	dies      float64 // a cell's kernel dies under each of its probes
	spread    float64 // of how long a cell takes from one night to the next (log-normal)
}

// modelledCell is a cell that takes as long as a recorded one did, times a factor.
type modelledCell struct {
	cell    matrix.Cell
	of      *evidence.CellRun
	planned float64 // seconds that it took the night before
	factor  float64 // of the recorded costs, tonight
	dies    bool
	seed    uint64
}

// draw makes n cells of recorded ones. Equal seeds give equal cells.
func draw(recorded []evidence.CellRun, n int, seed uint64, odds chances) []modelledCell {
	random := rand.New(rand.NewPCG(seed, 20000))
	all := make([]modelledCell, n)
	for i := range all {
		m := &all[i]
		m.of = &recorded[random.IntN(len(recorded))]
		m.cell, m.seed = m.of.Cell, random.Uint64()
		m.cell.Name = fmt.Sprintf("c%05d", i)
		m.planned = m.of.Seconds * math.Exp(odds.spread*random.NormFloat64())
		m.factor = math.Exp(odds.spread * random.NormFloat64())
		if random.Float64() < odds.straggler {
			m.factor *= odds.slower
		}
		m.dies = random.Float64() < odds.dies
	}
	return all
}

// probes returns the probes of a cell in the order of a run: the facts first.
func (m modelledCell) probes() []string {
	names := slices.Sorted(maps.Keys(m.of.Runs))
	names = slices.DeleteFunc(names, func(p string) bool { return p == catalog.Facts || p == stage0.Probe })
	if _, has := m.of.Runs[catalog.Facts]; has {
		names = append([]string{catalog.Facts}, names...)
	}
	return names
}

// modelled is the Where of a cell whose guests are models: each takes the CPU time and the waits
// that a recorded guest took, on a modelled host, and answers what that one answered.
type modelled struct {
	modelledCell
	host *sharedHost
	odds chances
	bare bool // without transcripts, where only times are asked for
	log  *nightLog
}

// nightLog counts what happened to modelled guests.
type nightLog struct {
	mu                  sync.Mutex
	runs, failed, ended int
	cpu                 float64 // seconds
	memory, mostMemory  int64   // bytes of the guests that run, and the most at once
	longest             time.Duration
}

func (m *modelled) open(_ context.Context, e *Engine, _ matrix.Cell, _ io.Writer) (place, error) {
	return &modelledPlace{modelled: m, engine: e, tries: map[string]int{}, began: time.Now()}, nil
}

func (m *modelled) made(context.Context, *Engine, matrix.Cell) (c evidence.CellRun, err error) {
	return c, nil
}

type modelledPlace struct {
	*modelled
	engine *Engine
	began  time.Time

	mu    sync.Mutex
	tries map[string]int
}

func (p *modelledPlace) lend(ctx context.Context, run func() error) error {
	return p.engine.room(ctx, int64(p.cell.Memory), run)
}

func (p *modelledPlace) start(context.Context, io.Writer) (target.Agent, string, error) {
	return &modelledAgent{place: p}, evidence.Restored, nil
}

func (p *modelledPlace) ask(context.Context) {}

func (p *modelledPlace) facts() (t wire.Transcript, saved bool) {
	t, has := p.of.Transcripts[catalog.Facts]
	return t, has && p.of.Runs[catalog.Facts].Guest == evidence.Saved
}

func (p *modelledPlace) guests() bool { return true }

func (p *modelledPlace) early() (wire.Transcript, bool) {
	t, spoke := p.of.Transcripts[stage0.Probe]
	return t, spoke && !p.bare
}

func (p *modelledPlace) describe(c *evidence.CellRun) {
	c.Kernel, c.QEMU, c.Guest = p.of.Kernel, p.of.QEMU, p.of.Guest
}

// unchanged is called at the end of the cell.
func (p *modelledPlace) unchanged(context.Context) error {
	p.log.mu.Lock()
	defer p.log.mu.Unlock()
	p.log.ended++
	p.log.longest = max(p.log.longest, time.Since(p.began))
	return nil
}

func (p *modelledPlace) snapshot() string { return "" }

// modelledAgent runs one probe.
type modelledAgent struct {
	place *modelledPlace
	cpu   float64
	size  int64
}

func (a *modelledAgent) Greeting() (wire.Hello, time.Duration) { return wire.Hello{}, 0 }
func (a *modelledAgent) Stop() error                           { return nil }
func (a *modelledAgent) Usage() (float64, int64)               { return a.cpu, a.size }

// Run computes for half of the CPU time of the recorded run, waits as long as that one waited,
// and computes for the other half. The first probe of a guest bears the restore, as in a record.
func (a *modelledAgent) Run(_ context.Context, probe string, _ []string) (wire.Transcript, error) {
	p := a.place
	p.mu.Lock()
	try := p.tries[probe]
	p.tries[probe]++
	p.mu.Unlock()
	was := p.of.Runs[probe]
	random := p.random(probe, try)
	part, problem := 1.0, (*failure.Failure)(nil)
	switch {
	case p.dies && probe != catalog.Facts:
		part, problem = random.Float64(), &failure.Failure{Kind: failure.Panic, Message: "modelled: the kernel died"}
	case random.Float64() < p.odds.transient:
		part, problem = random.Float64(), &failure.Failure{Kind: failure.Infra, Message: "modelled: QEMU was not run in time"}
	}
	a.cpu, a.size = part*p.factor*was.CPUSeconds, was.ResidentBytes
	p.log.note(a.size, problem != nil, a.cpu)
	p.host.burn(a.cpu / 2)
	time.Sleep(time.Duration(part * p.factor * waited(was) * 1e9))
	p.host.burn(a.cpu / 2)
	p.log.free(a.size)
	if problem != nil {
		return wire.Transcript{}, problem
	}
	return p.answer(probe)
}

// waited returns how long a recorded probe run waited: all of its time in which it used no CPU.
func waited(r evidence.ProbeRun) float64 { return max(0, r.StartSeconds+r.Seconds-r.CPUSeconds) }

// answer returns a transcript of its own, as decoding a guest's frames makes one.
func (p *modelledPlace) answer(probe string) (t wire.Transcript, err error) {
	if p.bare && probe != catalog.Facts { // which the engine reads
		return wire.Transcript{Probe: probe}, nil
	}
	b, err := json.Marshal(p.of.Transcripts[probe])
	if err != nil {
		return t, err
	}
	return t, json.Unmarshal(b, &t)
}

// random returns numbers that depend on the cell, the probe and the attempt alone, and not on the
// order in which guests run.
func (p *modelledPlace) random(probe string, try int) *rand.Rand {
	h := fnv.New64a()
	fmt.Fprint(h, probe, try)
	return rand.New(rand.NewPCG(p.seed, h.Sum64()))
}

func (l *nightLog) note(bytes int64, failed bool, cpu float64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.runs++
	l.cpu += cpu
	if failed {
		l.failed++
	}
	l.memory += bytes
	l.mostMemory = max(l.mostMemory, l.memory)
}

func (l *nightLog) free(bytes int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.memory -= bytes
}
