package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// TestHelpIsChineseForThoseWhoReadIt fails if a command or an option is added or changed and the
// Chinese does not follow, or if a text in Chinese is of nothing any more.
func TestHelpIsChineseForThoseWhoReadIt(t *testing.T) {
	used := map[string]bool{}
	top := root()
	top.InitDefaultHelpCmd()
	top.InitDefaultCompletionCmd()
	count := 0
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		if cmd.Hidden {
			return
		}
		count++
		want := []string{cmd.Short, cmd.Long}
		for _, g := range cmd.Groups() {
			want = append(want, g.Title)
		}
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			if f.Name != "help" && f.Name != "version" && !f.Hidden { // cobra's own words
				want = append(want, f.Usage)
			}
		})
		cmd.PersistentFlags().VisitAll(func(f *pflag.Flag) { want = append(want, f.Usage) })
		for _, english := range want {
			if used[english] = true; english != "" && translated(english) == english {
				t.Errorf("%s: %q has no Chinese in help.go or helplong.go", cmd.CommandPath(), english)
			}
		}
		path := strings.Fields(cmd.CommandPath())[1:]
		if shown, err := execute(t, append(path, "--help", "--lang", "zh")...); err != nil || !strings.Contains(shown, "用法：") && !cmd.IsAdditionalHelpTopicCommand() || strings.Contains(shown, "Usage:") || strings.Contains(shown, "Flags:") {
			t.Errorf("%s: %v\n%s", cmd.CommandPath(), err, shown)
		}
		for _, c := range cmd.Commands() {
			walk(c)
		}
	}
	walk(top)
	if count < 30 {
		t.Errorf("%d commands", count)
	}
	for _, from := range []map[string]string{catalogue, longer} {
		for english := range from {
			if !used[english] {
				t.Errorf("%q is no text of the help any more", english)
			}
		}
	}
	if shown, err := execute(t, "run", "--help"); err != nil || !strings.Contains(shown, "Usage:") {
		t.Errorf("%v\n%s", err, shown)
	}
}

// TestColumnsLineUpInChinese fails if characters that are two columns wide shift the next
// column.
func TestColumnsLineUpInChinese(t *testing.T) {
	shown, err := execute(t, "list", "--lang", "zh", "--cell", "amd64-debian12-6.1")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(shown, "\n")
	for _, column := range []struct{ head, value string }{{"架构", "amd64 "}, {"系统", "Debian 12"}} {
		head, _, found := strings.Cut(lines[0], column.head)
		if at := strings.LastIndex(lines[1], column.value); !found || text.StringWidth(head) != text.StringWidth(lines[1][:at]) {
			t.Errorf("%s and %s stand in different columns:\n%s", column.head, column.value, shown)
		}
	}
}

// TestAFileIsNeverColoured fails if escape sequences could reach a file or a pipe.
func TestAFileIsNeverColoured(t *testing.T) {
	file, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if coloured(file, func(string) string { return "" }) {
		t.Error("a file is taken for a terminal")
	}
}

// TestEveryCommandHasAGroupAndAnExample fails if a new command is found below the others, or if
// its help shows no line that can be typed. An example must be a command line that is there.
func TestEveryCommandHasAGroupAndAnExample(t *testing.T) {
	for _, c := range root().Commands() {
		if c.Hidden || !c.Runnable() && !c.HasSubCommands() || c.Name() == "version" || c.Name() == "help" || c.Name() == "completion" {
			continue
		}
		if c.GroupID == "" || c.Example == "" {
			t.Errorf("%s: group %q, examples %q", c.Name(), c.GroupID, c.Example)
		}
		for line := range strings.Lines(c.Example) {
			_, line, found := strings.Cut(line, "mapstack ")
			if !found {
				t.Errorf("%s: no command of mapstack in an example", c.Name())
			}
			line, _, _ = strings.Cut(line, " #")
			words := strings.Fields(strings.ReplaceAll(line, "'", ""))
			of, rest, err := root().Find(words)
			if err != nil || of.Parent() == nil {
				t.Fatalf("%s: %q: %v", c.Name(), line, err)
			}
			if i := strings.Index(line, " -- "); i < 0 {
				if err := of.ParseFlags(rest); err != nil {
					t.Errorf("%s: %q: %v", c.Name(), line, err)
				}
			}
		}
	}
	for name := range descriptions {
		if c, _, err := root().Find([]string{name}); err != nil || c.Name() != name {
			t.Errorf("%s has a description and is no command", name)
		}
	}
}

// TestThePageOfTheEnvironmentIsThatOfTheDocumentation fails if one of them knows a variable that
// the other does not mention.
func TestThePageOfTheEnvironmentIsThatOfTheDocumentation(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", "running.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "\n## Environment\n")
	section, _, _ = strings.Cut(section, "\n## ")
	name := regexp.MustCompile(`\b[A-Z][A-Z0-9]*(_[A-Z0-9]+)+\b`)
	documented := map[string]bool{}
	for line := range strings.Lines(section) {
		if strings.HasPrefix(line, "|") {
			for _, v := range name.FindAllString(line, -1) {
				documented[v] = true
				if !strings.Contains(environmentPage, v) || !strings.Contains(environmentPageChinese, v) {
					t.Errorf("help environment has no %s", v)
				}
			}
		}
	}
	for _, v := range name.FindAllString(environmentPage, -1) {
		if strings.HasPrefix(v, "MAPSTACK_") && !documented[v] {
			t.Errorf("docs/running.md has no %s", v)
		}
		if !strings.Contains(environmentPageChinese, v) {
			t.Errorf("the Chinese page has no %s", v)
		}
	}
	if len(documented) < 5 {
		t.Errorf("%d variables found in docs/running.md", len(documented))
	}
}
