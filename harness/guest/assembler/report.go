package assembler

import (
	"github.com/mapstack/conformance/poc/wire"
)

// reporter holds the program's routines that write frames. The payload of a frame
// is built at payload; the register cursor holds the address of its next byte. A
// routine preserves no register but cursor.
type reporter struct {
	*assembler
	cursor reg

	payload, history     uint64 // buffers
	kept, line, head     uint64 // variables: the end of history, the start of its last line, and the end of that line's prefix
	length, sequence     uint64
	from, left, attempts uint64

	putBytes, putText, putHex, putHex8, putDecimal label
	putResult, checksum, putBase64, say, send      label
}

// These are the room for one observation and for everything that is sent once, in
// bytes.
const (
	payloadRoom = 8 << 10
	historyRoom = 256 << 10
)

func newReporter(a *assembler) *reporter {
	r := &reporter{assembler: a, cursor: a.r.v[5], payload: a.space(payloadRoom), history: a.space(historyRoom)}
	for _, v := range []*uint64{&r.kept, &r.line, &r.head, &r.length, &r.sequence, &r.from, &r.left, &r.attempts} {
		*v = a.variable()
	}
	for _, l := range []*label{&r.putBytes, &r.putText, &r.putHex, &r.putHex8, &r.putDecimal,
		&r.putResult, &r.checksum, &r.putBase64, &r.say, &r.send} {
		*l = a.label()
	}
	return r
}

// literal appends s to the payload.
func (r *reporter) literal(s string) {
	r.set(r.r.v[0], r.text(s))
	r.set(r.r.v[1], uint64(len(s)))
	r.callTo(r.putBytes)
}

// appendByte appends the lowest byte of s.
func (r *reporter) appendByte(s reg) {
	r.emit(r.store(1, s, r.cursor, 0))
	r.emit(r.increment(r.cursor, r.cursor, 1))
}

// begin starts a new frame.
func (r *reporter) begin() { r.set(r.cursor, r.payload) }

// routines emits the routines, behind the code that calls them. write is the number
// of the system call.
func (r *reporter) routines(write uint64) {
	r.bytesRoutine()
	r.textRoutine()
	r.hexRoutines()
	r.decimalRoutine()
	r.resultRoutine()
	r.checksumRoutine()
	r.base64Routine()
	r.sayRoutine()
	r.sendRoutine(write)
}

func (r *reporter) routine(l label, body func(v [6]reg)) {
	r.place(l)
	r.emit(r.enter())
	body(r.r.v)
	r.emit(r.leave())
}

// step increments a pointer and decrements a count.
func (r *reporter) step(pointer, count reg) {
	r.emit(r.increment(pointer, pointer, 1))
	r.emit(r.increment(count, count, -1))
}

// bytesRoutine appends the v1 bytes at address v0.
func (r *reporter) bytesRoutine() {
	r.routine(r.putBytes, func(v [6]reg) {
		done, loop := r.label(), r.here()
		r.whenIs(equal, v[1], 0, done)
		r.emit(r.load(1, v[2], v[0], 0))
		r.appendByte(v[2])
		r.step(v[0], v[1])
		r.goTo(loop)
		r.place(done)
	})
}

// textRoutine appends the C string at address v0, at most 65 bytes, as part of a
// JSON string. A character that would need an escape becomes a question mark.
func (r *reporter) textRoutine() {
	r.routine(r.putText, func(v [6]reg) {
		r.set(v[1], 65)
		done, odd, good, loop := r.label(), r.label(), r.label(), r.here()
		r.emit(r.load(1, v[2], v[0], 0))
		r.whenIs(equal, v[2], 0, done)
		r.whenIs(equal, v[1], 0, done)
		r.whenIs(below, v[2], ' ', odd)
		r.whenIs(aboveEqual, v[2], 0x7f, odd)
		r.whenIs(equal, v[2], '"', odd)
		r.whenIs(notEqual, v[2], '\\', good)
		r.place(odd)
		r.set(v[2], '?')
		r.place(good)
		r.appendByte(v[2])
		r.step(v[0], v[1])
		r.goTo(loop)
		r.place(done)
	})
}

// hexRoutines append v0. putHex writes 0x and no leading zeros; putHex8 writes the
// lower 32 bits in eight digits.
func (r *reporter) hexRoutines() {
	digits := r.label()
	r.routine(r.putHex, func(v [6]reg) {
		for _, c := range "0x" {
			r.set(v[1], uint64(c))
			r.appendByte(v[1])
		}
		r.set(v[1], 16)
		r.set(v[2], 0)
		r.callTo(digits)
	})
	r.routine(r.putHex8, func(v [6]reg) {
		r.emit(r.shift(true, v[0], v[0], 32))
		r.set(v[1], 8)
		r.set(v[2], 1)
		r.callTo(digits)
	})
	// digits appends v1 digits from the top of v0. Leading zeros are written only if
	// v2 is set.
	r.routine(digits, func(v [6]reg) {
		letter, shown, next, show, loop := r.label(), r.label(), r.label(), r.label(), r.here()
		r.emit(r.shift(false, v[3], v[0], 60))
		r.emit(r.shift(true, v[0], v[0], 4))
		r.emit(r.increment(v[1], v[1], -1))
		r.whenIs(notEqual, v[2], 0, show)
		r.whenIs(notEqual, v[3], 0, show)
		r.whenIs(notEqual, v[1], 0, next)
		r.place(show)
		r.set(v[2], 1)
		r.whenIs(aboveEqual, v[3], 10, letter)
		r.emit(r.increment(v[3], v[3], '0'))
		r.goTo(shown)
		r.place(letter)
		r.emit(r.increment(v[3], v[3], 'a'-10))
		r.place(shown)
		r.appendByte(v[3])
		r.place(next)
		r.whenIs(notEqual, v[1], 0, loop)
	})
}

// decimalRoutine appends v0, which must be below 10^10.
func (r *reporter) decimalRoutine() {
	powers := r.words(1e9, 1e8, 1e7, 1e6, 1e5, 1e4, 1e3, 1e2, 10, 1)
	r.routine(r.putDecimal, func(v [6]reg) {
		r.set(v[1], powers)
		r.set(v[2], 0)
		next, show, counted, loop := r.label(), r.label(), r.label(), r.here()
		r.emit(r.load(8, v[3], v[1], 0))
		r.emit(r.increment(v[1], v[1], 8))
		r.set(v[4], '0')
		count := r.here()
		r.when(below, v[0], v[3], counted)
		r.emit(r.binary(sub, v[0], v[0], v[3]))
		r.emit(r.increment(v[4], v[4], 1))
		r.goTo(count)
		r.place(counted)
		r.whenIs(notEqual, v[2], 0, show)
		r.whenIs(notEqual, v[4], '0', show)
		r.whenIs(notEqual, v[3], 1, next)
		r.place(show)
		r.set(v[2], 1)
		r.appendByte(v[4])
		r.place(next)
		r.whenIs(notEqual, v[3], 1, loop)
	})
}

// failures is the lowest system call result that stands for minus an errno.
const failures = ^uint64(4095) + 1

// resultRoutine appends the result of a system call, which v0 holds.
func (r *reporter) resultRoutine() {
	r.routine(r.putResult, func(v [6]reg) {
		failed, done := r.label(), r.label()
		r.emit(r.move(v[4], v[0]))
		r.whenIs(aboveEqual, v[4], failures, failed)
		result := r.variable()
		r.put(result, v[4])
		r.literal(`,"ret":"`)
		r.get(v[0], result)
		r.callTo(r.putHex)
		r.literal(`"`)
		r.goTo(done)
		r.place(failed)
		r.put(result, v[4])
		r.literal(`,"errno":`)
		r.get(v[1], result)
		r.set(v[0], 0)
		r.emit(r.binary(sub, v[0], v[0], v[1]))
		r.callTo(r.putDecimal)
		r.place(done)
	})
}

// checksumRoutine updates the CRC-32 in v2 with the v1 bytes at address v0.
func (r *reporter) checksumRoutine() {
	const polynomial = 0xedb88320
	r.routine(r.checksum, func(v [6]reg) {
		done, loop := r.label(), r.here()
		r.whenIs(equal, v[1], 0, done)
		r.emit(r.load(1, v[3], v[0], 0))
		r.emit(r.binary(xor, v[2], v[2], v[3]))
		r.set(v[4], 8)
		even, bit := r.label(), r.here()
		r.set(r.r.temp, 1)
		r.emit(r.binary(and, v[3], v[2], r.r.temp))
		r.emit(r.shift(false, v[2], v[2], 1))
		r.whenIs(equal, v[3], 0, even)
		r.set(r.r.temp, polynomial)
		r.emit(r.binary(xor, v[2], v[2], r.r.temp))
		r.place(even)
		r.emit(r.increment(v[4], v[4], -1))
		r.whenIs(notEqual, v[4], 0, bit)
		r.step(v[0], v[1])
		r.goTo(loop)
		r.place(done)
	})
}

// base64Routine appends the v1 bytes at address v0 in base64.
func (r *reporter) base64Routine() {
	alphabet := r.text("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
	r.routine(r.putBase64, func(v [6]reg) {
		done, whole, loop := r.label(), r.label(), r.here()
		r.whenIs(equal, v[1], 0, done)
		// v3 collects up to three bytes; v2 holds each in turn.
		r.emit(r.load(1, v[2], v[0], 0))
		r.emit(r.shift(true, v[3], v[2], 16))
		r.whenIs(equal, v[1], 1, whole)
		r.emit(r.load(1, v[2], v[0], 1))
		r.emit(r.shift(true, v[2], v[2], 8))
		r.emit(r.binary(or, v[3], v[3], v[2]))
		r.whenIs(equal, v[1], 2, whole)
		r.emit(r.load(1, v[2], v[0], 2))
		r.emit(r.binary(or, v[3], v[3], v[2]))
		r.place(whole)
		for i := range uint(4) {
			none, shown := r.label(), r.label()
			if i >= 2 { // the third letter needs two bytes, the fourth three
				r.whenIs(below, v[1], uint64(i), none)
			}
			r.emit(r.shift(true, v[2], v[3], 40+6*i)) // shift the six bits to the top, then down
			r.emit(r.shift(false, v[2], v[2], 58))
			r.set(v[4], alphabet)
			r.emit(r.binary(add, v[2], v[2], v[4]))
			r.emit(r.load(1, v[2], v[2], 0))
			r.goTo(shown)
			r.place(none)
			r.set(v[2], '=')
			r.place(shown)
			r.appendByte(v[2])
		}
		r.whenIs(below, v[1], 4, done)
		r.emit(r.increment(v[0], v[0], 3))
		r.emit(r.increment(v[1], v[1], -3))
		r.goTo(loop)
		r.place(done)
	})
}

// sayRoutine frames the payload, keeps the frame in history and sends it.
func (r *reporter) sayRoutine() {
	r.routine(r.say, func(v [6]reg) {
		r.set(v[0], r.payload)
		r.emit(r.binary(sub, v[0], r.cursor, v[0]))
		r.put(r.length, v[0])
		r.get(r.cursor, r.kept)
		r.put(r.line, r.cursor)
		r.literal(wire.EarlyPrefix)
		r.put(r.head, r.cursor)
		for _, n := range []uint64{r.sequence, r.length} {
			r.get(v[0], n)
			r.callTo(r.putDecimal)
			r.literal(" ")
		}
		r.get(v[0], r.head)
		r.emit(r.binary(sub, v[1], r.cursor, v[0]))
		r.set(v[2], 0xffffffff)
		r.callTo(r.checksum)
		r.set(v[0], r.payload)
		r.get(v[1], r.length)
		r.callTo(r.checksum)
		r.set(r.r.temp, 0xffffffff)
		r.emit(r.binary(xor, v[0], v[2], r.r.temp))
		r.callTo(r.putHex8)
		r.literal(" ")
		r.set(v[0], r.payload)
		r.get(v[1], r.length)
		r.callTo(r.putBase64)
		r.literal("\n")
		r.put(r.kept, r.cursor)
		r.get(v[0], r.sequence)
		r.emit(r.increment(v[0], v[0], 1))
		r.put(r.sequence, v[0])
		r.get(v[0], r.line)
		r.emit(r.binary(sub, v[1], r.cursor, v[0]))
		r.callTo(r.send)
	})
}

// sendAttempts bounds the writes of one frame that send nothing.
const sendAttempts = 64

// sendRoutine writes the v1 bytes at address v0 to standard output. If the writes
// keep failing the rest is lost, and the host notices that a frame is missing.
func (r *reporter) sendRoutine(write uint64) {
	r.routine(r.send, func(v [6]reg) {
		r.put(r.from, v[0])
		r.put(r.left, v[1])
		r.set(v[2], sendAttempts)
		r.put(r.attempts, v[2])
		done, wrote, loop := r.label(), r.label(), r.here()
		r.get(v[1], r.left)
		r.whenIs(equal, v[1], 0, done)
		r.system(v[0], write, number(1), held(r.from), held(r.left))
		r.emit(r.increment(v[2], v[0], -1))
		r.whenIs(below, v[2], failures-1, wrote) // neither an error nor zero bytes
		r.get(v[2], r.attempts)
		r.emit(r.increment(v[2], v[2], -1))
		r.put(r.attempts, v[2])
		r.whenIs(notEqual, v[2], 0, loop)
		r.goTo(done)
		r.place(wrote)
		r.get(v[1], r.from)
		r.emit(r.binary(add, v[1], v[1], v[0]))
		r.put(r.from, v[1])
		r.get(v[1], r.left)
		r.emit(r.binary(sub, v[1], v[1], v[0]))
		r.put(r.left, v[1])
		r.goTo(loop)
		r.place(done)
	})
}
