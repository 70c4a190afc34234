package diagnose

import (
	"fmt"
	"strings"

	"github.com/mapstack/conformance/harness/foreign"
	"github.com/mapstack/conformance/harness/language"
)

// Text is one sentence in each language.
type Text struct {
	English string `json:"en"`
	Chinese string `json:"zh"`
}

// In returns the sentence in a language.
func (t Text) In(l language.Language) string {
	if l == language.Chinese {
		return t.Chinese
	}
	return t.English
}

// say makes a sentence. Both formats get all arguments and take them by number.
func say(english, chinese string, args ...any) Text { return Text{english, chinese}.with(args...) }

// and appends to a sentence. Chinese has no spaces between words.
func (t Text) and(more Text) Text {
	if t.English != "" && more.English != "" && !strings.ContainsAny(more.English[:1], ";,.:") {
		t.English += " "
	}
	return Text{English: t.English + more.English, Chinese: t.Chinese + more.Chinese}
}

// with fills formats with arguments. A Text among them is told in the language of the
// format. Strings and errors may hold what others chose, such as the name of a program:
// they are made safe to show.
func (t Text) with(args ...any) Text {
	fill := func(format string, l language.Language) string {
		in := make([]any, len(args))
		for i, a := range args {
			switch a := a.(type) {
			case Text:
				in[i] = a.In(l)
			case string:
				in[i] = foreign.Text(a)
			case error:
				in[i] = foreign.Text(a.Error())
			default:
				in[i] = a
			}
		}
		if len(in) == 0 {
			return format
		}
		return fmt.Sprintf(format, in...)
	}
	return Text{fill(t.English, language.English), fill(t.Chinese, language.Chinese)}
}
