package claim

import "github.com/mapstack/conformance/poc/wire"

// Watched returns a transcript that reports to seen what a check reads: each step,
// with the key "", and each value of it, also one that is not there.
func Watched(t wire.Transcript, seen func(step, key string)) Transcript {
	return Transcript{Transcript: t, seen: seen}
}
