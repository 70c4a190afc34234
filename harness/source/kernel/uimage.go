package kernel

import (
	"encoding/binary"
	"fmt"

	"github.com/mapstack/conformance/harness/source/decompress"
)

// uImageMagic begins the legacy image of U-Boot, whose header is big-endian
// (include/image.h of U-Boot).
const uImageMagic = "\x27\x05\x19\x56"

// uImageTypes are the types of a uImage that hold one kernel.
var uImageTypes = map[byte]bool{2: true, 14: true} // IH_TYPE_KERNEL, IH_TYPE_KERNEL_NOLOAD

// uImageCompressions are U-Boot's numbers (IH_COMP_*). A payload that is compressed, and
// whose header says that it is not, is identified as the next layer.
var uImageCompressions = map[byte]decompress.Format{
	0: decompress.None, 1: decompress.Gzip, 2: decompress.Bzip2, 3: decompress.LZMA, 5: decompress.LZ4, 6: decompress.Zstd,
}

func uImage(data []byte) (content, error) {
	const sizeAt, typeAt, compressionAt, headerLen = 12, 30, 31, 64
	if len(data) < headerLen {
		return content{}, fmt.Errorf("the uImage is truncated in its header, at %d bytes", len(data))
	}
	if t := data[typeAt]; !uImageTypes[t] {
		return content{}, fmt.Errorf("the uImage is of type %d, which is no single kernel; give the kernel that it was made of", t)
	}
	f, ok := uImageCompressions[data[compressionAt]]
	if !ok {
		return content{}, fmt.Errorf("the uImage has compression number %d; known are none, gzip, bzip2, lzma, lz4 and zstd", data[compressionAt])
	}
	body, err := within(data, "uImage", headerLen, int64(binary.BigEndian.Uint32(data[sizeAt:])))
	if err != nil {
		return content{}, err
	}
	return content{wrapped: &payload{layer: "uImage", format: f, data: body, size: -1}}, nil
}
