package main

import (
	"fmt"
	"io/fs"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mapstack/conformance/docs"
	"github.com/mapstack/conformance/fixtures"
	"github.com/mapstack/conformance/harness/judge/explain"
	"github.com/mapstack/conformance/harness/judge/killtable"
	"github.com/mapstack/conformance/harness/language"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/poc/defect"
	"github.com/mapstack/conformance/suites"
)

func explainCommand() *cobra.Command {
	return &cobra.Command{
		Use: "explain CLAIM|SUITE|DEFECT", Short: "Say what a claim, a suite or a defect is, and what to do when a claim fails",
		Long: "explain shows a claim's sentence, level and source, the probe and the steps that decide it, the defects that prove\n" +
			"that it can fail, the recorded kernels on which it fails or does not apply, the findings that name it, and what to do.\n" +
			"It boots nothing and downloads nothing.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			l, err := library(tongue(cmd))
			if err != nil {
				return err
			}
			return l.Explain(cmd.OutOrStdout(), args[0], tongue(cmd))
		},
	}
}

// library returns all that can be explained.
func library(to language.Language) (l explain.Library, err error) {
	l.Suites, l.Claims = suites.Explained()
	l.Models = defect.Models()
	if l.Recorded, err = suites.Recorded(); err != nil {
		return l, err
	}
	table, err := fs.ReadFile(fixtures.FS(), "kill-table.md")
	if err != nil {
		return l, fmt.Errorf("read the kill table: %w", err)
	}
	if l.Proofs, err = killtable.Read(table); err != nil {
		return l, err
	}
	if l.Known, err = onRecord(); err != nil {
		return l, err
	}
	l.Findings, err = explain.Findings(docs.FS(), to)
	return l, err
}

// onRecord returns the known failures and the deviations of the fixtures.
func onRecord() (all []explain.Known, err error) {
	cells, err := matrix.Load(fixtures.FS())
	if err != nil {
		return nil, err
	}
	known, err := matrix.LoadKnown(fixtures.FS())
	if err != nil {
		return nil, err
	}
	deviations, err := suites.Deviations(fixtures.FS(), cells)
	if err != nil {
		return nil, err
	}
	for _, k := range known.All() {
		ends := k.Until
		if k.FixedIn != "" {
			ends = strings.TrimPrefix(ends+", ", ", ") + "Linux " + k.FixedIn
		}
		all = append(all, explain.Known{Claim: k.Claim, File: "fixtures/known-failures.yaml", Cells: k.Cells, Reason: k.Reason, Link: k.Link, Ends: ends})
	}
	for _, d := range deviations {
		all = append(all, explain.Known{Claim: d.Claim, File: "fixtures/deviations.yaml", Cells: d.Cells, Reason: d.Reason, Link: d.Source, Ends: d.Until})
	}
	return all, nil
}
