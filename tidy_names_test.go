package balsa_test

import (
	"go/ast"
	"go/token"
	"go/types"
	"slices"
	"strings"
)

// mapLoops finds, in one file, loops over maps and over the iterators of package maps, unless the iterator
// goes straight into a function of slices that sorts.
func (h *house) mapLoops(s *source, info *types.Info) (found []complaint) {
	sorted := map[ast.Node]bool{}
	ast.Inspect(s.file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			if isSelector(n.Fun, "slices", "Sorted", "SortedFunc", "SortedStableFunc") && len(n.Args) > 0 {
				sorted[n.Args[0]] = true
			}
			if isSelector(n.Fun, "maps", "Keys", "Values", "All") && !sorted[n] {
				found = append(found, h.at(s, n.Pos(), "iterates over a map: its order is drawn by lot"))
			}
		case *ast.RangeStmt:
			if t := info.Types[n.X].Type; t != nil && isMap(t) {
				found = append(found, h.at(s, n.Pos(), "range over a map: its order is drawn by lot"))
			}
		}
		return true
	})
	return found
}

func isMap(t types.Type) bool {
	_, ok := t.Underlying().(*types.Map)
	return ok
}

func isFloat(t types.Type) bool {
	if t == nil {
		return false
	}
	basic, ok := t.Underlying().(*types.Basic)
	return ok && basic.Info()&(types.IsFloat|types.IsComplex) != 0
}

// isSelector reports whether a node is one of a package's names, by the package's usual name.
func isSelector(n ast.Node, pkg string, names ...string) bool {
	e, ok := n.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	x, ok := e.X.(*ast.Ident)
	return ok && x.Name == pkg && slices.Contains(names, e.Sel.Name)
}

// checkDocComments demands a comment on every package, every exported name, and every exported method of an
// exported type or interface. String needs none: its contract is fmt.Stringer's, and twenty comments "String
// prints the event" would tell nobody anything.
func checkDocComments(h *house) (found []complaint) {
	documented := map[string]bool{}
	for _, s := range h.sources {
		if s.test() {
			continue
		}
		documented[s.folder()] = documented[s.folder()] || s.file.Doc != nil
		for _, d := range s.file.Decls {
			for _, name := range undocumented(d) {
				found = append(found, complaint{s.path + " " + name, "exported without a doc comment"})
			}
		}
	}
	for _, s := range h.sources {
		if ok, has := documented[s.folder()]; has && !ok {
			found = append(found, complaint{s.folder(), "the package has no doc comment"})
			delete(documented, s.folder())
		}
	}
	return found
}

func undocumented(d ast.Decl) (names []string) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		name := functionName(d)
		owner, _, method := strings.Cut(name, ".")
		if d.Doc != nil || !d.Name.IsExported() || method && !ast.IsExported(owner) {
			return nil
		}
		if !method || d.Name.Name != "String" {
			names = append(names, name)
		}
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			names = append(names, undocumentedSpec(d, spec)...)
		}
	}
	return names
}

func undocumentedSpec(d *ast.GenDecl, spec ast.Spec) (names []string) {
	switch spec := spec.(type) {
	case *ast.TypeSpec:
		alone := d.Doc != nil && !d.Lparen.IsValid()
		if spec.Name.IsExported() && spec.Doc == nil && spec.Comment == nil && !alone {
			names = append(names, spec.Name.Name)
		}
		if t, ok := spec.Type.(*ast.InterfaceType); ok && spec.Name.IsExported() {
			for _, m := range t.Methods.List {
				for _, id := range m.Names {
					if id.IsExported() && m.Doc == nil && m.Comment == nil {
						names = append(names, spec.Name.Name+"."+id.Name)
					}
				}
			}
		}
	case *ast.ValueSpec:
		for _, id := range spec.Names {
			if id.IsExported() && d.Doc == nil && spec.Doc == nil && spec.Comment == nil {
				names = append(names, id.Name)
			}
		}
	}
	return names
}

// checkPackageState finds variables at package level: what one group of a process changed, another would see.
// Values that nobody changes pass: sentinels of errors, compiled patterns, tables of checksums, embedded
// files, assertions.
func checkPackageState(h *house) (found []complaint) {
	for _, s := range h.sources {
		if s.test() || strings.HasPrefix(s.folder(), "cmd/") {
			continue
		}
		for _, d := range s.file.Decls {
			if d, ok := d.(*ast.GenDecl); ok && d.Tok == token.VAR {
				found = append(found, mutable(s, d)...)
			}
		}
	}
	return found
}

func mutable(s *source, d *ast.GenDecl) (found []complaint) {
	for _, spec := range d.Specs {
		spec := spec.(*ast.ValueSpec)
		for i, id := range spec.Names {
			fixed := i < len(spec.Values) && constant(id.Name, spec.Values[i])
			if fixed || id.Name == "_" || embeds(d, spec) {
				continue
			}
			where := s.path + " " + id.Name
			found = append(found, complaint{where, "a variable at package level: state that groups share"})
		}
	}
	return found
}

func embeds(d *ast.GenDecl, spec *ast.ValueSpec) bool {
	for _, doc := range []*ast.CommentGroup{d.Doc, spec.Doc} {
		if doc == nil {
			continue
		}
		for _, c := range doc.List {
			if strings.HasPrefix(c.Text, "//go:embed ") {
				return true
			}
		}
	}
	return false
}

func constant(name string, value ast.Expr) bool {
	if call, ok := value.(*ast.CallExpr); ok {
		return isSelector(call.Fun, "errors", "New") || isSelector(call.Fun, "fmt", "Errorf") ||
			isSelector(call.Fun, "regexp", "MustCompile") || isSelector(call.Fun, "crc32", "MakeTable")
	}
	other, ok := value.(*ast.SelectorExpr) // another room's sentinel under our name
	return ok && strings.HasPrefix(name, "Err") && strings.HasPrefix(other.Sel.Name, "Err")
}
