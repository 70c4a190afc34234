// Package overview arranges kernels in a table of systems, series of Linux and architectures. Every
// report and page that shows the matrix uses it.
package overview

import (
	"cmp"
	"slices"
	"strings"

	"github.com/mapstack/conformance/harness/matrix/release"
)

// Place says where a kernel is in the table.
type Place struct {
	System, Architecture string
	Release              string // uname -r; it may be empty
	Cell                 string
}

// Table is the arranged kernels.
type Table[T any] struct {
	Architectures []string // sorted
	Rows          []Row[T] // by system, then by series
	Kernels       []T      // all, by system, release, architecture and cell
}

// Row is a series of Linux on a system.
type Row[T any] struct {
	System string
	Series string // such as "6.1"; "-" for a release that does not say it
	// Kernels are those of each architecture of the table.
	Kernels [][]T
}

// Of arranges kernels. The order in which they are given does not show.
func Of[T any](kernels []T, at func(T) Place) Table[T] {
	type placed struct {
		Place
		kernel T
		order  release.Release
		series string
	}
	all := make([]placed, len(kernels))
	t := Table[T]{Kernels: make([]T, 0, len(kernels))}
	for i, k := range kernels {
		p := placed{Place: at(k), kernel: k, series: "-"}
		if version, err := release.Parse(p.Release); err == nil {
			p.order, p.series = version, version.Series()
		}
		if all[i] = p; !slices.Contains(t.Architectures, p.Architecture) {
			t.Architectures = append(t.Architectures, p.Architecture)
		}
	}
	slices.Sort(t.Architectures)
	slices.SortStableFunc(all, func(a, b placed) int {
		return cmp.Or(strings.Compare(a.System, b.System), ordered(a.order, b.order), strings.Compare(a.Release, b.Release), strings.Compare(a.Architecture, b.Architecture), strings.Compare(a.Cell, b.Cell))
	})
	for _, p := range all {
		t.Kernels = append(t.Kernels, p.kernel)
		// Kernels of a row follow each other: releases are in order.
		if i := len(t.Rows) - 1; i < 0 || t.Rows[i].System != p.System || t.Rows[i].Series != p.series {
			t.Rows = append(t.Rows, Row[T]{p.System, p.series, make([][]T, len(t.Architectures))})
		}
		row, column := &t.Rows[len(t.Rows)-1], slices.Index(t.Architectures, p.Architecture)
		row.Kernels[column] = append(row.Kernels[column], p.kernel)
	}
	return t
}

// ordered compares two versions as slices.SortFunc asks.
func ordered(a, b release.Release) int {
	switch {
	case a.Less(b):
		return -1
	case b.Less(a):
		return 1
	}
	return 0
}
