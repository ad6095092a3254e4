package balsa_test

import (
	"fmt"
	"go/ast"
	"maps"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// checkImports holds the table of rooms: production files import what their room may, and nothing else.
func checkImports(h *house) (found []complaint) {
	for _, s := range h.sources {
		r, known := roomOf(s.folder())
		if !known {
			found = append(found, complaint{s.path, s.folder() + " is no room in the table of rooms"})
		}
		if !known || s.test() {
			continue
		}
		for _, spec := range s.file.Imports {
			name, _ := strconv.Unquote(spec.Path.Value)
			if why := r.refuses(h.module, name); why != "" {
				found = append(found, complaint{s.path, "imports " + name + ": " + why})
			}
		}
	}
	return found
}

func roomOf(folder string) (room, bool) {
	for _, r := range rooms {
		if r.folder == folder || path.Base(r.folder) == "*" && path.Dir(r.folder) == path.Dir(folder) {
			return r, true
		}
	}
	return room{}, false
}

// refuses says why the room may not import a package; empty when it may.
func (r room) refuses(module, name string) string {
	first, _, _ := strings.Cut(name, "/")
	within := func(prefix string) bool { return name == prefix || strings.HasPrefix(name, prefix+"/") }
	switch {
	case within(module):
		if folder := path.Clean("." + strings.TrimPrefix(name, module)); !r.mayEnter(folder) {
			return "the table of rooms does not let " + r.folder + " use " + folder
		}
	case strings.Contains(first, "."):
		if !slices.ContainsFunc(words(r.from), within) {
			return "the table of rooms names no such module for " + r.folder
		}
	case slices.Contains(words(r.not), name):
		return r.folder + " must not touch the world"
	}
	return ""
}

func (r room) mayEnter(folder string) bool {
	return slices.ContainsFunc(words(r.may), func(may string) bool {
		return may == "*" || may == folder || path.Base(may) == "*" && path.Dir(may) == path.Dir(folder)
	})
}

// checkPurity keeps raft a pure function of its inputs: an allow-list of packages, no channels.
func checkPurity(h *house) (found []complaint) {
	for _, s := range h.in("raft") {
		for _, spec := range s.file.Imports {
			if name, _ := strconv.Unquote(spec.Path.Value); !slices.Contains(words(pure), name) {
				found = append(found, complaint{s.path, name + " is not on the list of pure packages"})
			}
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			unary, isUnary := n.(*ast.UnaryExpr)
			_, isChan := n.(*ast.ChanType)
			_, isSend := n.(*ast.SendStmt)
			if isChan || isSend || isUnary && unary.Op.String() == "<-" {
				found = append(found, h.at(s, n.Pos(), "a channel: the core waits for nobody"))
			}
			return true
		})
	}
	return found
}

// checkStatements keeps goroutines, and choices that the scheduler makes, out of the rooms that the simulator
// runs.
func checkStatements(h *house) (found []complaint) {
	for _, folder := range withoutGo {
		for _, s := range h.in(folder) {
			ast.Inspect(s.file, func(n ast.Node) bool {
				what := ""
				switch n.(type) {
				case *ast.GoStmt:
					what = "a go statement: only rooms that schedule start goroutines"
				case *ast.SelectStmt:
					what = "a select statement: its choice cannot be replayed"
				}
				if what != "" {
					found = append(found, h.at(s, n.Pos(), what))
				}
				return true
			})
		}
	}
	return found
}

// checkMapOrder finds loops whose order Go draws by lot.
func checkMapOrder(h *house) (found []complaint) {
	for _, folder := range withoutMapOrder {
		if len(h.in(folder)) == 0 {
			continue
		}
		info, err := h.typed(folder)
		if err != nil {
			found = append(found, complaint{folder, "does not type-check: " + err.Error()})
			continue
		}
		for _, s := range h.in(folder) {
			found = append(found, h.mapLoops(s, info)...)
		}
	}
	return found
}

// checkFloats keeps out arithmetic that may differ between processors.
func checkFloats(h *house) (found []complaint) {
	for _, folder := range withoutFloats {
		if len(h.in(folder)) == 0 {
			continue
		}
		info, err := h.typed(folder)
		if err != nil {
			found = append(found, complaint{folder, "does not type-check: " + err.Error()})
			continue
		}
		for _, s := range h.in(folder) {
			ast.Inspect(s.file, func(n ast.Node) bool {
				if e, ok := n.(ast.Expr); ok && isFloat(info.Types[e].Type) {
					found = append(found, h.at(s, n.Pos(), "floating point: processors round differently"))
				}
				return true
			})
		}
	}
	return found
}

func checkFunctionLength(h *house) (found []complaint) {
	for _, s := range h.sources {
		s.functions(func(name string, d *ast.FuncDecl) {
			if n := h.line(d.End()) - h.line(d.Pos()) + 1; n > maxFunction {
				found = append(found, complaint{s.path + " " + name, over("lines", n, maxFunction)})
			}
		})
	}
	return found
}

func over(what string, n, most int) string { return fmt.Sprintf("%d %s, at most %d", n, what, most) }

func checkFileLength(h *house) (found []complaint) {
	for _, s := range h.sources {
		most := maxFile
		if s.test() {
			most = maxTestFile
		}
		if n := s.lines(); n > most {
			found = append(found, complaint{s.path, over("lines", n, most)})
		}
	}
	return found
}

// typeSpecs calls f for every named type of a file.
func (s *source) typeSpecs(f func(*ast.TypeSpec)) {
	ast.Inspect(s.file, func(n ast.Node) bool {
		if spec, ok := n.(*ast.TypeSpec); ok {
			f(spec)
		}
		return true
	})
}

func checkStructFields(h *house) (found []complaint) {
	for _, s := range h.sources {
		s.typeSpecs(func(spec *ast.TypeSpec) {
			t, ok := spec.Type.(*ast.StructType)
			if !ok {
				return
			}
			most := maxFields
			if s.folder() == "raft" && spec.Name.Name == "Config" {
				most = maxConfigFields
			}
			if n := t.Fields.NumFields(); n > most {
				where := s.path + " " + spec.Name.Name
				found = append(found, complaint{where, over("fields", n, most)})
			}
		})
	}
	return found
}

func checkInterfaceMethods(h *house) (found []complaint) {
	for _, s := range h.sources {
		s.typeSpecs(func(spec *ast.TypeSpec) {
			t, ok := spec.Type.(*ast.InterfaceType)
			if !ok {
				return
			}
			n := 0
			for _, m := range t.Methods.List {
				n += len(m.Names)
			}
			if n > maxMethods {
				where := s.path + " " + spec.Name.Name
				found = append(found, complaint{where, over("methods", n, maxMethods)})
			}
		})
	}
	return found
}

// checkExportedNames bounds what a reader of raft has to learn. Kinds and reasons of events are a vocabulary
// of their own and live in events.go.
func checkExportedNames(h *house) (found []complaint) {
	n := 0
	for _, s := range h.in("raft") {
		if path.Base(s.path) != "events.go" {
			n += len(s.exported())
		}
	}
	if n > maxExported {
		found = append(found, complaint{"raft", over("exported names", n, maxExported)})
	}
	return found
}

// exported lists the exported names at package level; methods belong to their types.
func (s *source) exported() (names []string) {
	add := func(id *ast.Ident) {
		if id.IsExported() {
			names = append(names, id.Name)
		}
	}
	for _, d := range s.file.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Recv == nil {
				add(d.Name)
			}
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				switch spec := spec.(type) {
				case *ast.TypeSpec:
					add(spec.Name)
				case *ast.ValueSpec:
					for _, id := range spec.Names {
						add(id)
					}
				}
			}
		}
	}
	return names
}

func checkLineWidth(h *house) (found []complaint) {
	for _, s := range h.sources {
		n := 0
		for line := range strings.Lines(s.text) {
			n++
			line = strings.TrimRight(line, "\r\n")
			width := utf8.RuneCountInString(line) + strings.Count(line, "\t")*(columnsOfATab-1)
			if width > maxWidth {
				what := fmt.Sprintf("line %d: %s", n, over("columns", width, maxWidth))
				found = append(found, complaint{s.path, what})
			}
		}
	}
	return found
}

// checkSleep lets tests sleep in their two helpers alone: advance moves the clock of a bubble, eventually
// polls what runs in real time. A sleep anywhere else is a guess about speed.
func checkSleep(h *house) (found []complaint) {
	for _, s := range h.sources {
		if !s.test() && !importsTesting(s) {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			if !isSelector(n, "time", "Sleep") {
				return true
			}
			if !slices.Contains(words(helpersThatSleep), s.around(n.Pos())) {
				found = append(found, h.at(s, n.Pos(), "time.Sleep outside of "+helpersThatSleep))
			}
			return true
		})
	}
	return found
}

func importsTesting(s *source) bool {
	return slices.ContainsFunc(s.file.Imports, func(i *ast.ImportSpec) bool {
		return i.Path.Value == `"testing"`
	})
}

// checkSkip finds tests that switch themselves off.
func checkSkip(h *house) (found []complaint) {
	for _, s := range h.sources {
		if !s.test() && !importsTesting(s) {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			f, ok := n.(*ast.SelectorExpr)
			if ok && slices.Contains(words("Skip Skipf SkipNow"), f.Sel.Name) {
				found = append(found, h.at(s, n.Pos(), "a test that can be skipped is not a check"))
			}
			return true
		})
	}
	return found
}

var (
	leftover    = regexp.MustCompile(`\bFIX` + `ME\b`)
	unexplained = regexp.MustCompile(`\bTO` + `DO\b(\(until .*)?`)
	place       = regexp.MustCompile(`(^|[^\w.~/-])/(home|root|Users|work)/`)
)

// checkLeftovers finds what should not have been left: notes to repair something, and notes without an end.
func checkLeftovers(h *house) (found []complaint) {
	return h.eachLine(func(line string) string {
		if leftover.MatchString(line) {
			return "repair it now: " + leftover.FindString(line)
		}
		for _, m := range unexplained.FindAllStringSubmatch(line, -1) {
			if m[1] == "" {
				return m[0] + " without a condition: write " + m[0] + "(until what is true)"
			}
		}
		return ""
	})
}

// checkPlaces finds paths that exist on somebody's machine only.
func checkPlaces(h *house) (found []complaint) {
	return h.eachLine(func(line string) string {
		if m := place.FindString(line); m != "" {
			return "names a place of one machine: " + m
		}
		return ""
	})
}

func (h *house) eachLine(check func(line string) string) (found []complaint) {
	for _, name := range slices.Sorted(maps.Keys(h.texts)) {
		if strings.Contains(name, "testdata/") {
			continue
		}
		n := 0
		for line := range strings.Lines(h.texts[name]) {
			n++
			if what := check(line); what != "" {
				found = append(found, complaint{name, fmt.Sprintf("line %d: %s", n, what)})
			}
		}
	}
	return found
}
