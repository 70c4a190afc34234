//go:build !dist

package prebuilt

import "io/fs"

// Images is nil: this program compiles what its guests need.
func Images() fs.FS { return nil }
