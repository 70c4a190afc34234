package diagnose

import (
	"fmt"
	"strings"
)

// Text is one sentence in each language.
type Text struct {
	English string `json:"en"`
	Chinese string `json:"zh"`
}

// Language is one that a diagnosis can be told in.
type Language string

// Languages.
const (
	English Language = "en"
	Chinese Language = "zh"
)

// LanguageOf reads the language of a locale, as setlocale(3) finds it: of the
// three variables the first that is set and not empty. What is not Chinese is
// English.
func LanguageOf(getenv func(string) string) Language {
	for _, name := range []string{"LC_ALL", "LC_MESSAGES", "LANG"} {
		if locale := getenv(name); locale != "" {
			return ParseLanguage(locale)
		}
	}
	return English
}

// ParseLanguage reads a locale's name, such as zh_CN.UTF-8.
func ParseLanguage(locale string) Language {
	if language, _, _ := strings.Cut(strings.ToLower(locale), "_"); strings.HasPrefix(language, "zh") {
		return Chinese
	}
	return English
}

// In is the sentence in one language.
func (t Text) In(l Language) string {
	if l == Chinese {
		return t.Chinese
	}
	return t.English
}

// say makes a sentence. Both formats take all arguments, by number where the
// order differs.
func say(english, chinese string, args ...any) Text {
	return Text{English: fmt.Sprintf(english, args...), Chinese: fmt.Sprintf(chinese, args...)}
}

// and puts something behind a sentence. Chinese has no spaces between words.
func (t Text) and(more Text) Text {
	if t.English != "" && more.English != "" && !strings.ContainsAny(more.English[:1], ";,") {
		t.English += " "
	}
	return Text{English: t.English + more.English, Chinese: t.Chinese + more.Chinese}
}
