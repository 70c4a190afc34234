package diagnose

import "strings"

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
