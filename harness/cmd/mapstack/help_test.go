package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/spf13/pflag"
)

// TestHelpIsChineseForThoseWhoReadIt fails if a command or an option of these commands is
// added or changed and the catalogue does not follow.
func TestHelpIsChineseForThoseWhoReadIt(t *testing.T) {
	for _, name := range []string{"", "run", "list", "doctor", "verdict", "diff", "export", "explain", "bisect", "certify", "verify", "claims", "init"} {
		cmd := root()
		if name != "" {
			found, _, err := cmd.Find([]string{name})
			if err != nil {
				t.Fatal(err)
			}
			cmd = found
		}
		want := []string{cmd.Short}
		if cmd.Long != "" {
			want = append(want, cmd.Long)
		}
		for _, c := range cmd.Commands() {
			if !c.Hidden {
				want = append(want, c.Short)
			}
		}
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			if f.Name != "help" {
				want = append(want, f.Usage)
			}
		})
		for _, english := range want {
			if catalogue[english] == "" {
				t.Errorf("%q has no Chinese in help.go: %q", name, english)
			}
		}
		args := []string{"--help", "--lang", "zh"}
		if name != "" {
			args = append([]string{name}, args...)
		}
		shown, err := execute(t, args...)
		if err != nil || !strings.Contains(shown, "用法：") || strings.Contains(shown, "Usage:") || strings.Contains(shown, "Flags:") {
			t.Errorf("%q: %v\n%s", name, err, shown)
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
