package cache

import (
	"fmt"
	"math"
	"os"

	"github.com/dustin/go-humanize"
)

// DefaultLimit is the limit in bytes of disk when MAPSTACK_CACHE_LIMIT is not set.
// It holds the whole matrix several times.
const DefaultLimit = 24 << 30

// limitVariable names the environment variable with another limit, in the form of
// ParseSize.
const limitVariable = "MAPSTACK_CACHE_LIMIT"

func limitFromEnvironment() (int64, error) {
	text := os.Getenv(limitVariable)
	if text == "" {
		return DefaultLimit, nil
	}
	limit, err := ParseSize(text)
	if err != nil {
		return 0, fmt.Errorf("%s is %w; set it to a size such as 8GiB, or unset it for %s", limitVariable, err, humanize.IBytes(DefaultLimit))
	}
	return limit, nil
}

// ParseSize reads a size such as 8GiB, 500MB or 0 and returns it in bytes.
func ParseSize(text string) (int64, error) {
	size, err := humanize.ParseBytes(text)
	if err != nil || size > math.MaxInt64 {
		return 0, fmt.Errorf("%q, which is not a size", text)
	}
	return int64(size), nil
}
