package main

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mapstack/conformance/harness/guest/assembler"
	"github.com/mapstack/conformance/harness/language"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/harness/matrix/arch"
	"github.com/mapstack/conformance/harness/matrix/osname"
	"github.com/mapstack/conformance/harness/run/turns"
	"github.com/mapstack/conformance/poc/catalog"
	"github.com/mapstack/conformance/poc/defect"
	"github.com/mapstack/conformance/suites"
)

// values returns what a flag or an argument can be, each with what it is. The cells are those
// that the command line would select from.
type values func(l language.Language, cells []matrix.Cell) []cobra.Completion

// says joins a value with what it is, which a shell shows beside it.
func says(value, what string) cobra.Completion { return cobra.CompletionWithDesc(value, what) }

// lists are the flags whose value is a list, separated by commas; singles have one value.
var (
	lists   = map[string]values{"cell": cellValues, "skip": skipValues, "focus": focusValues, "arch": archValues, "kernel": seriesValues, "load": fixed(turns.Loads()...)}
	singles = map[string]values{"defect": defectValues, "os": systemValues, "target": targetValues,
		"lang": fixed("en", "zh"), "exit": fixed("verdict", "bisect"), "format": fixed(formatNames()...)}
)

// completeValues makes the shell complete the values of flags and the arguments of a command and
// of those below it.
func completeValues(cmd *cobra.Command) {
	register := func(flag string, complete cobra.CompletionFunc) {
		if cmd.LocalNonPersistentFlags().Lookup(flag) == nil && cmd.PersistentFlags().Lookup(flag) == nil {
			return
		}
		if err := cmd.RegisterFlagCompletionFunc(flag, complete); err != nil {
			panic(err) // the flag is there, and nothing else completes it
		}
	}
	for flag, of := range lists {
		register(flag, inList(flag, of))
	}
	for flag, of := range singles {
		register(flag, one(of))
	}
	if f := cmd.Flags().Lookup("output"); f != nil && f.DefValue == "text" {
		register("output", one(fixed("text", "json")))
	}
	switch cmd.Name() {
	case "probe":
		cmd.ValidArgsFunction = probeArguments
	case "bisect":
		cmd.ValidArgsFunction = bisected
	case "explain":
		cmd.ValidArgsFunction = firstOf(explained)
	case "make", "read": // of stage0
		cmd.ValidArgsFunction = firstOf(stage0Values)
	case "claims":
		cmd.ValidArgsFunction = firstOf(fixed("article"))
	}
	for _, c := range cmd.Commands() {
		completeValues(c)
	}
}

// offer returns what completes a command line: without an error, because there is no place for
// one to be read.
func offer(cmd *cobra.Command, of values) []cobra.Completion {
	s := selection{discovers: cmd.Flags().Lookup("matrix") != nil, Selection: matrix.Selection{All: true}}
	if f := cmd.Flags().Lookup("matrix"); f != nil {
		s.matrix = f.Value.String()
	}
	c, err := s.chosen()
	if err != nil {
		return nil
	}
	if c.file != nil { // cells of the built-in matrix can be named, too
		builtin, err := (&selection{Selection: matrix.Selection{All: true}}).cells()
		if err == nil {
			c.cells = append(c.cells, builtin...)
		}
	}
	return of(tongue(cmd), c.cells)
}

// one completes a value.
func one(of values) cobra.CompletionFunc {
	return func(cmd *cobra.Command, _ []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
		return beginning(offer(cmd, of), "", typed), cobra.ShellCompDirectiveNoFileComp
	}
}

// firstOf completes the first argument, and leaves the others to the names of files.
func firstOf(of values) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveDefault
		}
		return beginning(offer(cmd, of), "", typed), cobra.ShellCompDirectiveNoFileComp
	}
}

// inList completes the last value of a list, and leaves out those that are there.
func inList(flag string, of values) cobra.CompletionFunc {
	return func(cmd *cobra.Command, _ []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if flag == "kernel" && strings.ContainsRune(typed, '/') {
			return nil, cobra.ShellCompDirectiveDefault // a kernel of one's own
		}
		before := ""
		if i := strings.LastIndexByte(typed, ','); i >= 0 {
			before = typed[:i+1]
		}
		all := slices.DeleteFunc(offer(cmd, of), func(c cobra.Completion) bool {
			value, _, _ := strings.Cut(c, "\t")
			return slices.Contains(matrix.Names(before), value)
		})
		return beginning(all, before, strings.TrimPrefix(typed, before)), cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
	}
}

// beginning returns the values that begin as typed, in capitals or not, after what stands before
// them.
func beginning(all []cobra.Completion, before, typed string) (some []cobra.Completion) {
	for _, c := range all {
		if len(c) < len(typed) || !strings.EqualFold(c[:len(typed)], typed) {
			continue
		}
		if before != "" {
			// Of a value with a comma and a description, cobra's script for bash finds that it
			// does not begin as typed, because bash quotes the comma in one of them.
			c, _, _ = strings.Cut(c, "\t")
		}
		some = append(some, before+c)
	}
	return some
}

// fixed returns values that need no words.
func fixed(names ...string) values {
	return func(language.Language, []matrix.Cell) []cobra.Completion { return slices.Clone(names) }
}

// bisected completes the first argument of bisect: a cell or an architecture, or else a file.
func bisected(cmd *cobra.Command, args []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
	words := func(l language.Language, cells []matrix.Cell) []cobra.Completion {
		return append(archValues(l, cells), cellValues(l, cells)...)
	}
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveDefault
	}
	return beginning(offer(cmd, words), "", typed), cobra.ShellCompDirectiveDefault
}

func cellValues(l language.Language, cells []matrix.Cell) (all []cobra.Completion) {
	var groups []string
	for _, c := range cells {
		all = append(all, says(c.Name, c.OS))
		if c.Group != "" && !slices.Contains(groups, c.Group) {
			groups = append(groups, c.Group)
			all = append(all, says(c.Group, l.Pick("a group of cells", "一组单元")))
		}
	}
	return all
}

func focusValues(l language.Language, _ []matrix.Cell) (all []cobra.Completion) {
	about := suites.About()
	for _, s := range suites.All() {
		all = append(all, says(s.Name, l.Pick(about[s.Name].English, about[s.Name].Chinese)))
	}
	for _, c := range suites.Claims() {
		all = append(all, says(c.ID, l.Pick(c.English, c.Chinese)))
	}
	return all
}

func skipValues(l language.Language, cells []matrix.Cell) []cobra.Completion {
	return append(cellValues(l, cells), focusValues(l, cells)...)
}

func archValues(language.Language, []matrix.Cell) (all []cobra.Completion) {
	for _, rec := range arch.All() {
		all = append(all, says(rec.GOARCH, strings.Join(rec.Aliases, " ")))
	}
	return all
}

// stage0Values are the architectures for which there is a program of stage 0.
func stage0Values(l language.Language, cells []matrix.Cell) []cobra.Completion {
	return slices.DeleteFunc(archValues(l, cells), func(c cobra.Completion) bool {
		name, _, _ := strings.Cut(c, "\t")
		_, err := assembler.Program(name)
		return err != nil
	})
}

func seriesValues(_ language.Language, cells []matrix.Cell) (all []cobra.Completion) {
	for _, c := range cells {
		if s := c.Kernel.Series; s != "" && !slices.Contains(all, s) {
			all = append(all, s)
		}
	}
	return all
}

func defectValues(l language.Language, _ []matrix.Cell) (all []cobra.Completion) {
	for _, m := range defect.Models() {
		all = append(all, says(m.Name, l.Pick(m.English, m.Chinese)))
	}
	return all
}

func systemValues(l language.Language, _ []matrix.Cell) (all []cobra.Completion) {
	for _, r := range osname.All() {
		all = append(all, says(r.ID, l.Pick(r.English, r.Chinese)))
	}
	for _, s := range osname.Systems() {
		if !slices.ContainsFunc(osname.All(), func(r osname.Record) bool { return r.ID == s.ID }) {
			all = append(all, says(s.ID, l.Pick(s.English, s.Chinese)))
		}
	}
	return all
}

func targetValues(l language.Language, _ []matrix.Cell) []cobra.Completion {
	return []cobra.Completion{says("native", l.Pick("this system", "本机")), says("ssh://", l.Pick("ssh://user@host[:port]", "ssh://用户@主机[:端口]")),
		says("user", l.Pick("a user-mode emulator of --arch", "--arch 的用户态模拟器"))}
}

func explained(l language.Language, cells []matrix.Cell) []cobra.Completion {
	return append(focusValues(l, cells), defectValues(l, cells)...)
}

// probeArguments completes a cell and a probe, or a probe alone where --target names the place.
func probeArguments(cmd *cobra.Command, args []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
	probes := func(language.Language, []matrix.Cell) (all []cobra.Completion) {
		for _, name := range probeNames() {
			p, _ := catalog.Lookup(name)
			all = append(all, says(name, p.Risk.Reason))
		}
		return all
	}
	of := cellValues
	switch target := cmd.Flags().Lookup("target").Value.String(); {
	case len(args) > 1 || target != "" && len(args) > 0:
		return nil, cobra.ShellCompDirectiveDefault
	case len(args) == 1 || target != "":
		of = probes
	}
	return beginning(offer(cmd, of), "", typed), cobra.ShellCompDirectiveNoFileComp
}
