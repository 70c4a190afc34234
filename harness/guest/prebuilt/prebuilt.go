//go:build !dist

package prebuilt

import "io/fs"

// Images returns nil: this program compiles its guest programs.
func Images() fs.FS { return nil }
