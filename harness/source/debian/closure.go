package debian

import (
	"fmt"
	"slices"
	"strings"
)

// Closure returns the packages named by roots and everything they depend on, sorted
// by name. Of alternatives it prefers one that is already in the closure, then the
// first that exists. For a virtual package it takes the first provider. It follows
// neither recommended packages nor dependencies on the packages of leaveOut.
func Closure(x *Index, roots []string, leaveOut ...string) ([]Package, error) {
	c := closure{index: x, in: make(map[string]Package), leaveOut: leaveOut}
	for _, root := range roots {
		if err := c.add(root); err != nil {
			return nil, err
		}
	}
	// The queue grows while it is read.
	for i := 0; i < len(c.queue); i++ {
		p := c.in[c.queue[i]]
		groups, err := p.DependsOn()
		if err != nil {
			return nil, err
		}
		for _, alternatives := range groups {
			if err := c.satisfy(p, alternatives); err != nil {
				return nil, err
			}
		}
	}
	slices.Sort(c.queue)
	all := make([]Package, 0, len(c.queue))
	for _, name := range c.queue {
		all = append(all, c.in[name])
	}
	return all, nil
}

type closure struct {
	index    *Index
	in       map[string]Package
	queue    []string // names in the closure, in the order of adding
	provides map[string][]string
	leaveOut []string
}

func (c *closure) add(name string) error {
	if _, ok := c.in[name]; ok {
		return nil
	}
	p, err := c.index.Find(name)
	if err != nil {
		return err
	}
	c.in[name] = p
	c.queue = append(c.queue, name)
	return nil
}

// satisfy adds a package that satisfies one dependency of p.
func (c *closure) satisfy(p Package, alternatives []string) error {
	for _, name := range alternatives {
		if _, ok := c.in[name]; ok || slices.Contains(c.leaveOut, name) {
			return nil
		}
	}
	for _, name := range alternatives {
		all, err := c.index.versions(name)
		if err != nil {
			return err
		}
		if len(all) > 0 {
			return c.add(name)
		}
		by, err := c.providedBy(name)
		if err != nil {
			return err
		}
		for _, provider := range by {
			if _, ok := c.in[provider]; ok {
				return nil
			}
		}
		if len(by) > 0 {
			return c.add(by[0])
		}
	}
	return fmt.Errorf("package %s depends on %s, which suite %s does not have for %s",
		p.label(), strings.Join(alternatives, " or "), c.index.Suite, c.index.Arch)
}

func (c *closure) providedBy(name string) ([]string, error) {
	if c.provides == nil {
		var err error
		if c.provides, err = c.index.providers(); err != nil {
			return nil, err
		}
	}
	return c.provides[name], nil
}
