package diagnose

import "strings"

// Language is a language of a diagnosis.
type Language string

// Languages.
const (
	English Language = "en"
	Chinese Language = "zh"
)

// LanguageOf returns the language of the environment. Like setlocale(3) it uses the
// first of three variables that is set and not empty. Every language but Chinese
// gives English.
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
