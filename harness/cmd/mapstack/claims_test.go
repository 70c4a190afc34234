package main

import (
	"path/filepath"
	"strings"
	"testing"
)

// TestTheArticleIsAnsweredFromEvidence fails if a statement of the article has no answer, or one
// that the evidence does not show.
func TestTheArticleIsAnsweredFromEvidence(t *testing.T) {
	recorded := filepath.Join("..", "..", "..", "fixtures", "recorded")
	for _, tc := range []struct {
		args  []string
		wants []string
	}{
		{[]string{"claims", "article", recorded}, []string{"\n6. A2.10  MAP_STACK takes PROT_WRITE", "Refuted where these hold: MS-002 MS-005 MS-008",
			"On the twin of sw64, since none of its kernels decided it: the statement is wrong\n     MS-002 alpha-6.1  pass: expected ", "cells/alpha-6.1/transcripts/mapstack.json",
			"28 statements: 14 wrong, 2 right, 1 not decided by this run, 11 decided by reading.\n"}},
		{[]string{"claims", "article", recorded, "--lang", "zh"}, []string{"该陈述错误", "28 条陈述：14 条错误"}},
		{[]string{"claims", "article"}, []string{"28. A4.15", "Decided by a source"}},
	} {
		out, err := execute(t, tc.args...)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range tc.wants {
			if !strings.Contains(out, want) || strings.Contains(out, "%!(") {
				t.Errorf("%v: no %q in\n%s", tc.args, want, out)
			}
		}
	}
	if out, err := execute(t, "claims", "article"); err != nil || strings.Contains(out, "the statement is") {
		t.Errorf("an answer without a run: %v\n%s", err, out)
	}
	for _, args := range [][]string{{"claims"}, {"claims", "nonsense"}, {"claims", "article", "/nowhere"}} {
		if _, err := execute(t, args...); err == nil {
			t.Errorf("%v: no error", args)
		}
	}
}
