// Package ci has the pipelines of mapstack's users, and what makes mapstack's packages. It is a
// module of its own, so that nothing here becomes a part of the program. Its only code outside of
// pack are tests, which show the pipelines to what reads them.
package ci
