// Package progress carries what the harness is doing, such as a download or a boot, to
// whoever shows it. A package that does work sends each Event to a Sink that it was given;
// the command decides how to show it.
//
// It has three rooms:
//
//	display  shows a run as it happens, on a terminal or as plain lines
//	events   writes the events of a run as lines of JSON
//	pace     how far a run is, and how long the rest takes
//
// Every wing above it may import it, except matrix and fixtures.
package progress
