package main

import (
	"os"
	"testing"

	"github.com/mapstack/conformance/harness/source/quarantine"
)

// TestMain lets the commands under test start this program as they start mapstack.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == quarantine.Command || os.Getenv(asMain) != "" {
		main()
	}
	os.Exit(m.Run())
}
