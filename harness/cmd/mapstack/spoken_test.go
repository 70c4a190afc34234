package main

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/mapstack/conformance/harness/language"
)

// TestErrorsOfACommandLineAreToldInChinese makes each error that has Chinese words. It fails if one
// of them is worded otherwise by now, so that nobody would ever read the Chinese.
func TestErrorsOfACommandLineAreToldInChinese(t *testing.T) {
	made := map[int]bool{}
	for line, want := range map[string]string{
		"run --nonsense":                         "没有选项 --nonsense；",
		"run -x":                                 "-x 中没有选项 -x；",
		"run --cell":                             "选项 --cell 缺少值",
		"run --repeat many":                      "选项 --repeat 不能是“many”",
		"verdit":                                 "没有命令“verdit”。您要找的是 verdict 吗？",
		"nonsense":                               "mapstack 没有命令“nonsense”",
		"certify /nowhere":                       `必须给出选项 "vendor"`,
		"diff one":                               "需要 2 个参数，给出了 1 个",
		"list cells cells":                       "最多 1 个参数，给出了 2 个",
		"bisect --good a --bad b --focus MS-010": "至少需要 1 个参数，只给出了 0 个",
		"run --cell amd64-debian12-6.1 --target native --quiet": "选项 target cell 只能给出其中一个",
		"run --cell nonsense": "没有单元“nonsense”；可用的有：alpha-6.1",
		"run --arch nonsense": "没有架构“nonsense”；可用的有：",
		"run --kernel 2.4":    "没有内核系列“2.4”；可用的有：",
		"run --focus XX-001":  "“XX-001”既不是套件，也不是断言；",
		"verdict /nowhere":    "读取证据：没有 /nowhere 这个文件或目录",
		"certify --check --vendor " + writeFile(t, "v.yaml", "product:"): "缺少 organisation；必须是一行",
	} {
		_, err := execute(t, strings.Fields(line)...)
		if err == nil {
			t.Errorf("%s: no error", line)
			continue
		}
		if got := inLanguage(language.Chinese, err); !strings.Contains(got, want) || strings.Contains(got, "$") {
			t.Errorf("%s: %q of %q, want %q", line, got, err, want)
		}
		if inLanguage(language.English, err) != err.Error() {
			t.Errorf("%s: the English is another", line)
		}
		for i, e := range usageErrors {
			if e.english.MatchString(err.Error()) {
				made[i] = true
				break
			}
		}
	}
	for i, e := range usageErrors {
		if !made[i] {
			t.Errorf("no command line gives %q", e.english)
		}
	}
	if other := errors.New("the kernel said: $1"); inLanguage(language.Chinese, fmt.Errorf("boot: %w", other)) != "boot: the kernel said: $1" {
		t.Error("an error of others is not told as it is")
	}
}

func TestTheCommandLineSaysTheLanguage(t *testing.T) {
	for line, want := range map[string]language.Language{"": language.English, "run --lang zh": language.Chinese, "run --lang=zh_CN": language.Chinese, "--lang": language.English} {
		if got := spoken(strings.Fields(line), language.English); got != want {
			t.Errorf("%s: %s", line, got)
		}
	}
}
