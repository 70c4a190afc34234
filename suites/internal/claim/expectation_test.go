package claim

import (
	"errors"
	"testing"

	"github.com/onsi/gomega"

	"github.com/mapstack/conformance/harness/judge/facts"
	"github.com/mapstack/conformance/harness/judge/verdict"
)

// TestAnOutcomeSaysWhatWasExpectedAndObserved fails if a reader of a report must take a
// matcher's words apart, or if words for a failure end a check that holds.
func TestAnOutcomeSaysWhatWasExpectedAndObserved(t *testing.T) {
	for name, tc := range map[string]struct {
		expect             func(g gomega.Gomega)
		status             verdict.Status
		expected, observed string
	}{
		"equal":         {func(g gomega.Gomega) { g.Expect("r--p").To(gomega.Equal("rw-p")) }, verdict.Fail, "rw-p", "r--p"},
		"equal, holds":  {func(g gomega.Gomega) { g.Expect(16).To(gomega.Equal(16)) }, verdict.Pass, "16", "16"},
		"not equal":     {func(g gomega.Gomega) { g.Expect(1).NotTo(gomega.Equal(1)) }, verdict.Fail, "not 1", "1"},
		"a bound":       {func(g gomega.Gomega) { g.Expect(6).To(gomega.BeNumerically(">=", 190)) }, verdict.Fail, ">= 190", "6"},
		"an empty text": {func(g gomega.Gomega) { g.Expect("").To(gomega.BeElementOf("a", "b")) }, verdict.Fail, `an element of ["a", "b"]`, `""`},
		"two bounds, hold": {func(g gomega.Gomega) {
			g.Expect(2).To(gomega.And(gomega.BeNumerically(">", 1), gomega.BeNumerically("<", 3)))
		}, verdict.Pass, "> 1 and < 3", "2"},
		"no error, holds":   {func(g gomega.Gomega) { g.Expect(error(nil)).NotTo(gomega.HaveOccurred()) }, verdict.Pass, "no error", "none"},
		"an error, is none": {func(g gomega.Gomega) { g.Expect(errors.New("it\nbroke")).NotTo(gomega.HaveOccurred()) }, verdict.Fail, "no error", "it broke"},
	} {
		c := sample()
		c.Check = func(g gomega.Gomega, tr Transcript, _ facts.Facts) {
			tr.Step("first")
			tr.Step("s").Value("v")
			tc.expect(g)
			tr.Step("first")
		}
		o := Judge(c, evidence(step("first", ""), step("s", "yes")), nil)
		if o.Status != tc.status || o.Expected != tc.expected || o.Observed != tc.observed || o.Expectations != 1 {
			t.Errorf("%s: %+v", name, o)
		}
		last := "s"
		if o.Status == verdict.Pass {
			last = "first" // the whole check ran
		}
		if o.Where.Path != "cells/cell-a/transcripts/p.json" || o.Where.Step != last || len(o.Where.Read) != 2 {
			t.Errorf("%s: %+v", name, o.Where)
		}
	}
}
