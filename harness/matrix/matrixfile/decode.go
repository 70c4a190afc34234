package matrixfile

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"github.com/mapstack/conformance/harness/foreign"
)

// decoder reads YAML into the types of a file. Unlike the library's own, it goes on after a
// mistake, so that all of them are told at once.
type decoder struct {
	getenv   func(string) (string, bool)
	problems []problem
}

// problem is something that is wrong in a line.
type problem struct {
	line int
	what string
}

func (d *decoder) bad(line int, format string, args ...any) {
	d.problems = append(d.problems, problem{line, fmt.Sprintf(format, args...)})
}

// shorthand is a type that is also written in a shorter form.
type shorthand interface {
	short(d *decoder, n ast.Node, name string)
}

// located is a type that keeps the lines of what it was read from.
type located interface{ locate(fields map[string]field) }

// field is a field of a mapping, with the line of its name.
type field struct {
	line  int
	value ast.Node
}

// read reads a node into a value. name is what the value is called in problems.
func (d *decoder) read(n ast.Node, name string, into reflect.Value) {
	if s, ok := into.Addr().Interface().(shorthand); ok {
		s.short(d, n, name)
		return
	}
	switch into.Kind() {
	case reflect.Struct:
		d.object(n, name, into)
	case reflect.Map:
		d.named(n, name, into)
	case reflect.Slice:
		d.list(n, name, into)
	case reflect.String:
		if text, ok := d.text(n, name, "text"); ok {
			into.SetString(text)
		}
	case reflect.Bool:
		if text, ok := d.text(n, name, "true or false"); ok {
			if text != "true" && text != "false" {
				d.bad(line(n), "%s must be true or false", name)
			}
			into.SetBool(text == "true")
		}
	case reflect.Int, reflect.Int64:
		if text, ok := d.text(n, name, "a whole number"); ok {
			number, err := strconv.ParseInt(text, 10, 64)
			if err != nil {
				d.bad(line(n), "%s must be a whole number", name)
			}
			into.SetInt(number)
		}
	}
}

// fields returns the fields of a mapping by their names, each once. It returns false for
// anything else.
func (d *decoder) fields(n ast.Node, what string) (names []string, fields map[string]field, ok bool) {
	m, ok := n.(ast.MapNode)
	if !ok {
		d.bad(line(n), "%s", what)
		return nil, nil, false
	}
	fields = map[string]field{}
	for at := m.MapRange(); at.Next(); {
		name := at.Key().GetToken().Value
		if _, again := fields[name]; again {
			d.bad(line(at.Key()), "%s is there twice", foreign.Text(name))
			continue
		}
		names, fields[name] = append(names, name), field{line(at.Key()), at.Value()}
	}
	return names, fields, true
}

// object reads a mapping into a struct. A field that the struct does not have is a problem.
func (d *decoder) object(n ast.Node, name string, into reflect.Value) {
	known := map[string]reflect.StructField{}
	var allowed []string
	for _, f := range reflect.VisibleFields(into.Type()) {
		if tag, _, _ := strings.Cut(f.Tag.Get("json"), ","); tag != "" {
			known[tag] = f
			allowed = append(allowed, tag)
		}
	}
	names, fields, ok := d.fields(n, name+" must have fields with a colon: "+strings.Join(allowed, ", "))
	if !ok {
		return
	}
	if len(names) == 0 {
		d.bad(line(n), "%s has no fields; the fields are %s", name, strings.Join(allowed, ", "))
		return
	}
	for _, name := range names {
		f, ok := known[name]
		if !ok {
			d.bad(fields[name].line, "%s is no field here; the fields are %s", foreign.Text(name), strings.Join(allowed, ", "))
			continue
		}
		d.read(fields[name].value, name, into.FieldByIndex(f.Index))
	}
	if l, ok := into.Addr().Interface().(located); ok {
		l.locate(fields)
	}
}

// named reads a mapping with names of the user's own.
func (d *decoder) named(n ast.Node, name string, into reflect.Value) {
	names, fields, ok := d.fields(n, name+" must have names of your own, each with a colon and fields below it")
	if !ok {
		return
	}
	into.Set(reflect.MakeMap(into.Type()))
	for _, key := range names {
		value := reflect.New(into.Type().Elem()).Elem()
		d.read(fields[key].value, name+"."+foreign.Text(key), value)
		into.SetMapIndex(reflect.ValueOf(key), value)
	}
}

// list reads a sequence.
func (d *decoder) list(n ast.Node, name string, into reflect.Value) {
	s, ok := n.(*ast.SequenceNode)
	if !ok {
		d.bad(line(n), "%s must be a list, each item on a line with a dash", name)
		return
	}
	into.Set(reflect.MakeSlice(into.Type(), len(s.Values), len(s.Values)))
	for i, item := range s.Values {
		d.read(item, "an item of "+name, into.Index(i))
	}
}

// text returns a scalar as it is written, with the variables of the environment filled in:
// a version such as 5.10 is no number. what says what must be there.
func (d *decoder) text(n ast.Node, name, what string) (string, bool) {
	text := ""
	switch n := n.(type) {
	case *ast.StringNode:
		text = n.Value
	case *ast.LiteralNode:
		text = n.Value.Value
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		return n.GetToken().Value, true
	default:
		d.bad(line(n), "%s must be %s", name, what)
		return "", false
	}
	filled, problems := fill(text, d.getenv)
	for _, p := range problems {
		d.bad(line(n), "%s: %s", name, p)
	}
	return filled, len(problems) == 0
}

// fill replaces ${NAME} by a variable of the environment. $${ stands for ${ itself.
func fill(text string, getenv func(string) (string, bool)) (filled string, problems []string) {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(text, "${")
		if !found {
			b.WriteString(text)
			return b.String(), problems
		}
		if kept, escaped := strings.CutSuffix(before, "$"); escaped {
			b.WriteString(kept + "${")
			text = rest
			continue
		}
		b.WriteString(before)
		name, after, closed := strings.Cut(rest, "}")
		value, set := "", false
		if closed && variable(name) {
			value, set = getenv(name)
		}
		switch {
		case !closed || !variable(name):
			return b.String(), append(problems, "${ must begin the name of a variable and a closing brace, such as ${IMAGES}; $${ stands for ${ itself")
		case !set:
			problems = append(problems, fmt.Sprintf("the environment has no variable %s; export it", name))
		}
		b.WriteString(value)
		text = after
	}
}

// variable reports whether a shell could have a variable of this name.
func variable(name string) bool {
	for i, r := range name {
		letter := r == '_' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z'
		if !letter && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return name != ""
}

// line returns the line of a node.
func line(n ast.Node) int {
	if n == nil || n.GetToken() == nil {
		return 0
	}
	return n.GetToken().Position.Line
}

// short reads one name or a list of names.
func (s *Names) short(d *decoder, n ast.Node, name string) {
	items := []ast.Node{n}
	if list, ok := n.(*ast.SequenceNode); ok {
		items = list.Values
	}
	for _, item := range items {
		if text, ok := d.text(item, name, "a name, or a list of names"); ok {
			*s = append(*s, text)
		}
	}
}

// short reads one place of a file or a list of places.
func (s *Sources) short(d *decoder, n ast.Node, name string) {
	items := []ast.Node{n}
	if list, ok := n.(*ast.SequenceNode); ok {
		items = list.Values
	}
	for _, item := range items {
		var one Source
		if _, fields := item.(ast.MapNode); fields {
			before := len(d.problems)
			d.object(item, name, reflect.ValueOf(&one).Elem())
			if len(d.problems) == before {
				for _, problem := range one.problems() {
					d.bad(line(item), "%s: %s", name, problem)
				}
			}
		} else if text, ok := d.text(item, name, "a path, a glob, or url with sha256 and size; or a list of these"); ok {
			one.Path = text
			if strings.Contains(text, "://") {
				d.bad(line(item), "%s: a URL needs its hash: give the fields url, sha256 and size", name)
			} else if text == "" {
				d.bad(line(item), "%s is empty; give a path, a glob, or url with sha256 and size", name)
			}
		}
		*s = append(*s, one)
	}
}

// locate keeps the lines of an entry.
func (e *Entry) locate(fields map[string]field) {
	e.at = map[string]int{}
	for name, f := range fields {
		e.at[name] = f.line
	}
	e.line = first(fields)
}

// locate keeps the lines of a known failure.
func (r *Record) locate(fields map[string]field) {
	r.lines.Entry = first(fields)
	if list, ok := fields["cells"].value.(*ast.SequenceNode); ok {
		for _, n := range list.Values {
			r.lines.Cells = append(r.lines.Cells, line(n))
		}
	}
}

// locate keeps the line of a deviation.
func (e *Exception) locate(fields map[string]field) { e.line = first(fields) }

// first returns the first line of some fields; 0 for none.
func first(fields map[string]field) (first int) {
	for _, f := range fields {
		if first == 0 || f.line < first {
			first = f.line
		}
	}
	return first
}

// sorted returns the problems in the order of their lines.
func (d *decoder) sorted() []problem {
	slices.SortStableFunc(d.problems, func(a, b problem) int { return a.line - b.line })
	return d.problems
}
