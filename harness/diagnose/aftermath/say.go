package aftermath

import (
	"fmt"

	"github.com/mapstack/conformance/harness/diagnose"
)

// say makes a text. Both formats get all arguments and take them by number.
func say(english, chinese string, args ...any) diagnose.Text {
	return diagnose.Text{English: fmt.Sprintf(english, args...), Chinese: fmt.Sprintf(chinese, args...)}
}

// shown returns a text of others as it may be shown.
func shown(text string) string { return clean([]byte(text), maxText) }
