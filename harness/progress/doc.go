// Package progress has one room:
//
//	display  shows a run as it happens, on a terminal or as plain lines
//
// Every wing above it may import it, except matrix and fixtures.
package progress
