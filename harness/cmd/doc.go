// Package cmd has no code. Its rooms are the programs of the project. They hold flags, wiring
// and printing, and leave the rest to the wings below.
//
// Its rooms:
//
//	bench     measures what the harness costs, for make bench
//	faults    injects faults into runs, for make faults
//	fuzz      runs the fuzz targets, for make fuzz
//	mapstack  the command line of the project
//	prebuild  writes the guest images that make dist embeds
//	soak      runs a cell again and again, for make soak
//
// No package may import this wing. It may import every other one.
package cmd
