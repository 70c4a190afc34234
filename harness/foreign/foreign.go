// Package foreign makes text of others harmless: names of programs and control groups,
// words of a guest, file names of an archive. Shell quotes it for a command that somebody
// pastes. Text shows it on a terminal. JSON writes it for other programs.
package foreign

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// plain are the characters that no shell gives a meaning to. zsh expands a word that
// begins with "=".
const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./:,+-@%="

// Plain reports whether every shell reads a word as it is written.
func Plain(word string) bool {
	return word != "" && word[0] != '=' && !strings.ContainsFunc(word, func(r rune) bool { return !strings.ContainsRune(plain, r) })
}

// Shell returns words as a shell reads them back, on one line. A word with characters
// that must not be shown is written as $'...', which bash, ksh, zsh and busybox know.
func Shell(words ...string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		switch {
		case Plain(w):
			quoted[i] = w
		case Text(w) == w:
			quoted[i] = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
		default:
			quoted[i] = escaped(w)
		}
	}
	return strings.Join(quoted, " ")
}

// escaped writes a word as $'...'. Three octal digits end by themselves, so that a digit
// may follow.
func escaped(word string) string {
	var b strings.Builder
	b.WriteString("$'")
	for i := range len(word) {
		switch c := word[i]; {
		case c == '\'' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c >= ' ' && c <= '~':
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, `\%03o`, c)
		}
	}
	return b.String() + "'"
}

// Text returns text for a terminal. Escapes such as \x1b stand for bytes that are no
// character, and for characters that move the cursor, set a colour, reorder the line or
// have no width.
func Text(s string) string {
	var b strings.Builder
	for i, r := range s {
		if r == utf8.RuneError {
			if _, width := utf8.DecodeRuneInString(s[i:]); width == 1 {
				fmt.Fprintf(&b, `\x%02x`, s[i])
				continue
			}
		}
		switch {
		case unicode.IsPrint(r):
			b.WriteRune(r)
		case r < 0x100:
			fmt.Fprintf(&b, `\x%02x`, r)
		case r < 0x10000:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			fmt.Fprintf(&b, `\U%08x`, r)
		}
	}
	return b.String()
}

// JSON returns a JSON text with every character that is not seen as \uXXXX. The value
// stays the same: such characters stand only inside of strings, except the end of a line.
func JSON(text []byte) []byte {
	b := make([]byte, 0, len(text))
	for len(text) > 0 {
		r, width := utf8.DecodeRune(text)
		switch {
		case r == '\n' || r == '\t' || unicode.IsPrint(r):
			b = append(b, text[:width]...)
		case r < 0x10000:
			b = fmt.Appendf(b, `\u%04x`, r)
		default:
			r -= 0x10000
			b = fmt.Appendf(b, `\u%04x\u%04x`, 0xd800+r>>10, 0xdc00+r&0x3ff)
		}
		text = text[width:]
	}
	return b
}
