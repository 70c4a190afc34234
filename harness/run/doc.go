// Package run schedules bound subjects over the host's cores and memory, runs their probes,
// and writes the evidence. It knows no claim, and is given its data as an fs.FS.
//
// Its rooms:
//
//	bisect     where in a list of kernels a claim begins to be decided otherwise
//	doctor     what a machine lacks for a run, and the command that supplies it
//	shard      divides the cells of a run among machines
//	subject    the five kinds of subject: cell, kernel, disk image, whole system, running system
//	trials     the probes of a subject below every defect model, for the kill table
//	turns      loads measured on several targets in turns
//	watch      which kernel each cell had, and which cells have another one now
//	workbench  joins cache, mirror, toolbox, toolchain and kernels into an engine
//
// Only harness/cmd and suites may import this wing. It imports every wing below it, except
// diagnose and fixtures.
package run
