package cache

import (
	"strings"
	"testing"
)

func TestLimitIsReadFromTheEnvironment(t *testing.T) {
	for text, want := range map[string]int64{
		"": 24 << 30, "0": 0, "8GiB": 8 << 30, "1.5 GiB": 3 << 29, "500MB": 500_000_000, "4096": 4096, "9223372036854775807": 1<<63 - 1,
	} {
		t.Setenv(limitVariable, text)
		c, err := Inspect(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		if c.Limit() != want {
			t.Errorf("%q is a limit of %d bytes, want %d", text, c.Limit(), want)
		}
		_ = c.Close()
	}
}

func TestWrongLimitIsAnErrorThatSaysSo(t *testing.T) {
	for _, text := range []string{"lots", "-1", "8GiBs", "GiB", " ", "1e3", "8EiB", "99999999999999999999"} {
		t.Setenv(limitVariable, text)
		for name, open := range map[string]func(string) (*Cache, error){"Open": Open, "Inspect": Inspect} {
			_, err := open(t.TempDir())
			if err == nil {
				t.Errorf("%s: %q was accepted", name, text)
				continue
			}
			for _, want := range []string{limitVariable, text, "8GiB", "24 GiB"} {
				if !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
					t.Errorf("%s: %q: %v, want one line with %q", name, text, err, want)
				}
			}
		}
	}
}
