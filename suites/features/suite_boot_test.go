//go:build boot

package features

import (
	"testing"

	"github.com/onsi/ginkgo/v2"

	"github.com/mapstack/conformance/suites/internal/conformance"
)

// TestBootConformance judges the claims on real kernels, or on the evidence of
// a finished run: see boot.Env.
func TestBootConformance(t *testing.T) {
	if err := conformance.Build(t.Context(), Suite()); err != nil {
		t.Fatal(err)
	}
	ginkgo.RunSpecs(t, "mapstack conformance: features")
}
