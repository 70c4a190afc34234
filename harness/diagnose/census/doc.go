// Package census reads, from /proc and /sys, everything that can refuse a
// thread to one program: each limit, and how much of it is used. It also keeps
// why something could not be read. It judges nothing.
package census
