package cache

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"os"
	"regexp"
)

var sha256Hex = regexp.MustCompile(`^[0-9a-f]{64}$`)

// ValidSHA256 reports whether sum is a SHA-256 in lower-case hexadecimal.
func ValidSHA256(sum string) bool { return sha256Hex.MatchString(sum) }

func hashFile(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
