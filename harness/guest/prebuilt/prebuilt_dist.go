//go:build dist

package prebuilt

import (
	"embed"
	"io/fs"
)

// git ignores this folder, which make dist fills.
//
//go:embed images
var files embed.FS

// Images returns the files that guestimage.Image.Export wrote.
func Images() fs.FS {
	dir, err := fs.Sub(files, "images")
	if err != nil {
		panic(err) // fails only for an invalid path
	}
	return dir
}
