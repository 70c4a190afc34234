// Package matrix loads, validates and selects cells. A cell is one point of
// kernel x OS x architecture x machine x page size. The package reads the bytes that it is
// given and touches nothing else.
//
// Its rooms:
//
//	arch        one record for each architecture: its names, and the QEMU machines that boot it
//	local       the parts of an architecture that no archive has (sw64), supplied by their owner
//	matrixfile  the matrix of a vendor's own, in a file
//	osname      the operating systems whose kernels are certified, by any of their names
//	release     reads the version in a kernel release, and orders versions
//	strictyaml  decodes YAML files of people, and makes a panic of the library an error
//
// This wing is data, and what reads it. Every wing above it may import it, except fixtures:
// fixtures are data without code. It imports harness/failure,
// harness/foreign, harness/language and poc at most.
package matrix
