// Package bundle makes one program of mapstack and of the packages that its cells
// need, for machines without a network. The packages are a zip archive behind the
// program, laid out like the Debian mirror that they come from, with its
// signatures. They are verified like those of a mirror. Files that a matrix file names by
// URL and hash are below files/.
//
// Every wing of the harness but matrix may import it, and it imports no package of
// this module. Write makes a bundle, Own opens the one that this process runs from.
package bundle
