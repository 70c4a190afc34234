//go:build dist

package prebuilt

import (
	"embed"
	"io/fs"
)

// What make dist wrote there; git ignores it.
//
//go:embed images
var files embed.FS

// Images is what guestimage.Image.Export wrote.
func Images() fs.FS {
	dir, err := fs.Sub(files, "images")
	if err != nil {
		panic(err) // only a path that is not valid gives one
	}
	return dir
}
