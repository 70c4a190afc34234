package runtimevariant

import (
	"bytes"
	_ "embed"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"slices"

	"github.com/mapstack/conformance/poc/abi"
)

// stacksSource is added to the runtime's proc.go by the variants.
//
//go:embed stacks.go.txt
var stacksSource string

// These functions of stacks.go.txt replace the runtime's.
const (
	addedMalg  = "mapstackMalg"
	addedAlloc = "mapstackAlloc"
	addedFree  = "mapstackFree"
)

// mapStacks edits proc.go. The g0 of a new thread (allocm) gets its stack from
// mapstackAlloc; the stack of a thread that ended goes to mapstackFree. Nothing
// else changes, so all lines keep their numbers and all directives their places.
func mapStacks(text []byte, table abi.Table, fallback bool) ([]byte, error) {
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, "proc.go", text, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	s := source{text, files.File(file.Pos())}
	malg, err := s.function(file, "malg")
	if err != nil {
		return nil, err
	}
	allocm, err := s.function(file, "allocm")
	if err != nil {
		return nil, err
	}
	made, err := s.only("the stack of a new g0", allocm, isNewG0)
	if err != nil {
		return nil, err
	}
	freed, err := s.only("the end of a g0's stack", file, isFreedG0)
	if err != nil {
		return nil, err
	}
	taken, err := s.only("the stack of a new g", malg, func(n ast.Node) *ast.Ident { return called(n, "stackalloc") })
	if err != nil {
		return nil, err
	}
	own := s.replaced(malg.Pos(), malg.End(), map[*ast.Ident]string{malg.Name: addedMalg, taken: addedAlloc})
	all := s.replaced(file.FileStart, file.FileEnd, map[*ast.Ident]string{made: addedMalg, freed: addedFree})
	return bytes.Join([][]byte{all, []byte(stacksSource), constants(table, fallback), own, nil}, []byte("\n")), nil
}

// constants declares the architecture's numbers.
func constants(table abi.Table, fallback bool) []byte {
	m, p := table.Map, table.Prot
	var b bytes.Buffer
	fmt.Fprintf(&b, "const (\n")
	fmt.Fprintf(&b, "\tmapstackFallback = %t\n", fallback)
	fmt.Fprintf(&b, "\tmapstackFlags = %#x\n", m.Private|m.Anonymous|m.Stack)
	fmt.Fprintf(&b, "\tmapstackFixed = %#x\n", m.Fixed)
	fmt.Fprintf(&b, "\tmapstackReadWrite = %#x\n", p.Read|p.Write)
	for _, name := range []string{"EPERM", "EAGAIN", "EINVAL", "EOPNOTSUPP"} {
		fmt.Fprintf(&b, "\tmapstack%s = %d\n", name, table.Errno(name))
	}
	fmt.Fprintf(&b, ")\n")
	return b.Bytes()
}

// source is a file of the runtime.
type source struct {
	text []byte
	file *token.File
}

// function finds the declaration of a package-level function.
func (s source) function(file *ast.File, name string) (*ast.FuncDecl, error) {
	for _, d := range file.Decls {
		if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == name && f.Body != nil {
			return f, nil
		}
	}
	return nil, fmt.Errorf("it has no function %s", name)
}

// only returns the one identifier that match finds within a node. It fails if there
// is none, or more than one.
func (s source) only(what string, within ast.Node, match func(ast.Node) *ast.Ident) (*ast.Ident, error) {
	var found []*ast.Ident
	ast.Inspect(within, func(n ast.Node) bool {
		if id := match(n); id != nil {
			found = append(found, id)
		}
		return true
	})
	if len(found) != 1 {
		return nil, fmt.Errorf("%s is at %d places, not at one; this Go is not known to mapstack", what, len(found))
	}
	return found[0], nil
}

// replaced returns a part of the text with some identifiers renamed.
func (s source) replaced(from, to token.Pos, names map[*ast.Ident]string) []byte {
	var places []*ast.Ident
	for id := range names {
		places = append(places, id)
	}
	slices.SortFunc(places, func(a, b *ast.Ident) int { return int(a.Pos() - b.Pos()) })
	var out []byte
	at := s.file.Offset(from)
	for _, id := range places {
		out = append(out, s.text[at:s.file.Offset(id.Pos())]...)
		out = append(out, names[id]...)
		at = s.file.Offset(id.End())
	}
	return append(out, s.text[at:s.file.Offset(to)]...)
}

// called returns the identifier if n is a call of the named function, else nil.
func called(n ast.Node, name string) *ast.Ident {
	if call, ok := n.(*ast.CallExpr); ok {
		if id, ok := call.Fun.(*ast.Ident); ok && id.Name == name {
			return id
		}
	}
	return nil
}

// isNewG0 matches malg with a size in an assignment to a field g0. malg(-1) is not
// matched: it leaves the stack to the C library.
func isNewG0(n ast.Node) *ast.Ident {
	a, ok := n.(*ast.AssignStmt)
	if !ok || len(a.Lhs) != 1 || len(a.Rhs) != 1 {
		return nil
	}
	id := called(a.Rhs[0], "malg")
	if left, ok := a.Lhs[0].(*ast.SelectorExpr); !ok || id == nil || left.Sel.Name != "g0" {
		return nil
	}
	if args := a.Rhs[0].(*ast.CallExpr).Args; len(args) == 1 {
		if _, negative := args[0].(*ast.UnaryExpr); !negative {
			return id
		}
	}
	return nil
}

// isFreedG0 matches stackfree of the stack of a field g0.
func isFreedG0(n ast.Node) *ast.Ident {
	id := called(n, "stackfree")
	if id == nil {
		return nil
	}
	if args := n.(*ast.CallExpr).Args; len(args) == 1 {
		if stack, ok := args[0].(*ast.SelectorExpr); ok && stack.Sel.Name == "stack" {
			if g, ok := stack.X.(*ast.SelectorExpr); ok && g.Sel.Name == "g0" {
				return id
			}
		}
	}
	return nil
}
