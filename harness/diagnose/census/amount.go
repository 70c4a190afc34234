package census

import (
	"encoding/json"
	"strconv"
)

// State says what is known of an amount.
type State int

// States of an amount.
const (
	Unread State = iota
	Exact
	Unlimited
)

// Amount is a number of things or of bytes. The zero value is an amount that
// could not be read.
type Amount struct {
	N     uint64
	State State
}

// Known returns an exact amount.
func Known(n uint64) Amount { return Amount{N: n, State: Exact} }

// AtLeast reports whether both amounts are exact and a is not smaller than b.
func (a Amount) AtLeast(b Amount) bool {
	return a.State == Exact && b.State == Exact && a.N >= b.N
}

// String returns the number, "unlimited", or "?".
func (a Amount) String() string {
	switch a.State {
	case Exact:
		return strconv.FormatUint(a.N, 10)
	case Unlimited:
		return "unlimited"
	}
	return "?"
}

// MarshalJSON writes the number, "unlimited", or null.
func (a Amount) MarshalJSON() ([]byte, error) {
	switch a.State {
	case Exact:
		return json.Marshal(a.N)
	case Unlimited:
		return []byte(`"unlimited"`), nil
	}
	return []byte("null"), nil
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (a *Amount) UnmarshalJSON(b []byte) error {
	switch string(b) {
	case "null":
		*a = Amount{}
		return nil
	case `"unlimited"`:
		*a = Amount{State: Unlimited}
		return nil
	}
	a.State = Exact
	return json.Unmarshal(b, &a.N)
}

// kib returns an amount of KiB in bytes.
func kib(a Amount) Amount {
	a.N <<= 10
	return a
}

// Limit is a resource limit (getrlimit(2)).
type Limit struct {
	Soft Amount `json:"soft"`
	Hard Amount `json:"hard"`
}
