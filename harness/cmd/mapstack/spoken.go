package main

import (
	"errors"
	"regexp"
	"strings"

	"github.com/mapstack/conformance/harness/language"
)

// spoken returns the language that a command line asks for, or else one's own.
func spoken(args []string, own language.Language) language.Language {
	for i, arg := range args {
		if value, is := strings.CutPrefix(arg, "--lang="); is {
			own = language.Parse(value)
		} else if arg == "--lang" && i+1 < len(args) {
			own = language.Parse(args[i+1])
		}
	}
	return own
}

// inLanguage returns the text of an error. One about the command line or the files of a user is told in
// Chinese to those who read it. Others are English: they quote programs and kernels.
func inLanguage(l language.Language, err error) string {
	both := (*language.Error)(nil)
	switch {
	case l != language.Chinese:
		return err.Error()
	case errors.As(err, &both):
		return both.Chinese
	}
	text := err.Error()
	for _, e := range usageErrors {
		if at := e.english.FindStringSubmatchIndex(text); at != nil {
			return string(e.english.ExpandString(nil, e.chinese, text, at))
		}
	}
	return text
}

// usageErrors are errors of cobra and pflag, and the most frequent ones of ours, whose texts are
// made elsewhere. A test makes each of them.
var usageErrors = []struct {
	english *regexp.Regexp
	chinese string
}{
	{regexp.MustCompile(`^unknown flag: (\S+)$`), "没有选项 $1；--help 列出所有选项"},
	{regexp.MustCompile(`^unknown shorthand flag: '(.)' in (\S+)$`), "$2 中没有选项 -$1；--help 列出所有选项"},
	{regexp.MustCompile(`^flag needs an argument: (\S+)$`), "选项 $1 缺少值"},
	{regexp.MustCompile(`(?s)^invalid argument "(.*)" for "(\S+)" flag: .*$`), "选项 $2 不能是“$1”"},
	{regexp.MustCompile(`(?s)^unknown command "(.*)" for "mapstack"\s+Did you mean this\?\s+(\S+)\s*$`), "没有命令“$1”。您要找的是 $2 吗？"},
	{regexp.MustCompile(`^unknown command "(.*)" for "([a-z -]+)"$`), "$2 没有命令“$1”；--help 列出所有命令"},
	{regexp.MustCompile(`^required flag\(s\) (.*) not set$`), "必须给出选项 $1"},
	{regexp.MustCompile(`^accepts (\d+) arg\(s\), received (\d+)$`), "需要 $1 个参数，给出了 $2 个"},
	{regexp.MustCompile(`^accepts at most (\d+) arg\(s\), received (\d+)$`), "最多 $1 个参数，给出了 $2 个"},
	{regexp.MustCompile(`^requires at least (\d+) arg\(s\), only received (\d+)$`), "至少需要 $1 个参数，只给出了 $2 个"},
	{regexp.MustCompile(`^if any flags in the group \[(.*)\] are set none of the others can be; \[(.*)\] were all set$`), "选项 $1 只能给出其中一个，而 $2 都给出了"},
	{regexp.MustCompile(`^unknown cell "(.*)"; valid are: (.*)$`), "没有单元“$1”；可用的有：$2"},
	{regexp.MustCompile(`^unknown architecture "(.*)"; valid are: (.*)$`), "没有架构“$1”；可用的有：$2"},
	{regexp.MustCompile(`^unknown kernel series "(.*)"; valid are: (.*)$`), "没有内核系列“$1”；可用的有：$2"},
	{regexp.MustCompile(`^focus ".*": "(.*)" is neither a suite nor a claim; the suites, with the prefixes of their claims, are: (.*)$`), "“$1”既不是套件，也不是断言；套件及其断言的前缀是：$2"},
	{regexp.MustCompile(`^read evidence: \S+ (.*): no such file or directory$`), "读取证据：没有 $1 这个文件或目录"},
}
