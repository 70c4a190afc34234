package kernel

import (
	"bytes"
	"compress/gzip"
	"io"
)

// ikconfigStart stands before the configuration that a kernel with CONFIG_IKCONFIG holds as a
// gzip stream (kernel/configs.c), also where CONFIG_IKCONFIG_PROC is not set.
const ikconfigStart = "IKCFG_ST"

// ikconfig returns the configuration in an unwrapped kernel; nil if there is none that can be
// read. The kernel is somebody else's.
func ikconfig(plain []byte) []byte {
	for {
		i := bytes.Index(plain, []byte(ikconfigStart))
		if i < 0 {
			return nil
		}
		plain = plain[i+len(ikconfigStart):]
		z, err := gzip.NewReader(bytes.NewReader(plain))
		if err != nil {
			continue // other text of the kernel, such as the marker of another copy
		}
		z.Multistream(false)
		text, err := io.ReadAll(io.LimitReader(z, maxConfig+1))
		if err == nil && len(text) <= maxConfig && bytes.Contains(text, []byte("\nCONFIG_")) {
			return text
		}
	}
}
