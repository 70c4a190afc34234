// Package language says in which of two languages a reader is spoken to.
package language

import "strings"

// Language is a language of the project's texts.
type Language string

// Languages.
const (
	English Language = "en"
	Chinese Language = "zh"
)

// Of returns the language of the environment. Like setlocale(3) it uses the first of three
// variables that is set and not empty. Every language but Chinese gives English.
func Of(getenv func(string) string) Language {
	for _, name := range []string{"LC_ALL", "LC_MESSAGES", "LANG"} {
		if locale := getenv(name); locale != "" {
			return Parse(locale)
		}
	}
	return English
}

// Parse reads a locale's name, such as zh_CN.UTF-8.
func Parse(locale string) Language {
	if language, _, _ := strings.Cut(strings.ToLower(locale), "_"); strings.HasPrefix(language, "zh") {
		return Chinese
	}
	return English
}

// Pick returns the text in the language.
func (l Language) Pick(english, chinese string) string {
	if l == Chinese {
		return chinese
	}
	return english
}

// Error is an error that can be told in both languages.
type Error struct{ English, Chinese string }

// Error returns the English text.
func (e *Error) Error() string { return e.English }
