// Package docs gives the program the pages that it quotes.
package docs

import (
	"embed"
	"io/fs"
)

//go:embed findings.md findings.zh-CN.md
var pages embed.FS

// FS returns the pages as a read-only file system, with paths as in this folder.
func FS() fs.FS { return pages }
