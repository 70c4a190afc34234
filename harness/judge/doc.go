// Package judge has no code. Its rooms read and judge a finished run.
//
// Its rooms:
//
//	article      what each tier of cells decided about what an article says of an architecture
//	assemble     makes the report of a run from its evidence and outcomes
//	certificate  what a certificate says of a run, and why there is none
//	changes      what differs between two runs
//	evidence     the format in which a run is stored, its writer and its reader
//	explain      what a claim, a suite or a defect model is, and what is recorded of it
//	export       writes a report in the formats of others
//	facts        what a target says of itself, checked
//	flakes       which claims are not always decided alike when a run is repeated
//	killtable    which claims catch which defects
//	load         what loads measured on several targets, and how these compare
//	merge        makes one run of several that ran on different machines
//	overview     kernels in a table of systems, series and architectures
//	page         shows a report as one HTML file
//	report       the versioned result document of a run, and its writers
//	seal         keys and signed envelopes
//	summary      shows a report in a terminal
//	verdict      from outcomes to a verdict
//
// harness/cmd, suites and harness/run may import this wing. It imports neither machine, guest
// nor source, so a finished run is judged without the code that made it.
package judge
