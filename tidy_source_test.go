package balsa_test

import (
	"bytes"
	"errors"
	"go/ast"
	"go/build"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"
)

// source is one Go file.
type source struct {
	path string // from the root of the repository, with slashes
	text string
	file *ast.File
}

func (s *source) folder() string { return path.Dir(s.path) }
func (s *source) test() bool     { return strings.HasSuffix(s.path, "_test.go") }
func (s *source) lines() int     { return strings.Count(s.text, "\n") }

// house is the repository as the rules see it.
type house struct {
	module  string // the path that go.mod gives it
	fset    *token.FileSet
	sources []*source         // sorted by path
	texts   map[string]string // every file that is text, Go or not
	types   types.Importer
}

// complaint is one breach: where is a file, or a file and a name in it, as the table of exceptions names it.
type complaint struct{ where, what string }

func words(s string) []string { return strings.Fields(s) }

// readHouse parses everything below a folder. Modules of their own, such as bench, are other houses.
func readHouse(root string) (*house, error) {
	texts := map[string]string{}
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		slashed := filepath.ToSlash(name)
		if d.IsDir() {
			return skipFolder(slashed)
		}
		if !d.Type().IsRegular() {
			return nil
		}
		content, err := os.ReadFile(name)
		if errors.Is(err, fs.ErrNotExist) {
			return nil // an editor's temporary file came and went
		}
		if err == nil && utf8.Valid(content) && !bytes.ContainsRune(content, 0) {
			texts[slashed] = string(content)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return parseHouse(texts, exportData(withoutMapOrder))
}

func skipFolder(name string) error {
	if slices.Contains(words(".git .balsa bin node_modules"), name) {
		return fs.SkipDir
	}
	if _, err := os.Stat(filepath.Join(name, "go.mod")); err == nil && name != "." {
		return fs.SkipDir
	}
	return nil
}

// parseHouse makes a house of texts by path.
func parseHouse(texts map[string]string, packages types.Importer) (*house, error) {
	h := &house{module: "balsa", fset: token.NewFileSet(), texts: texts, types: packages}
	if rest, ok := strings.CutPrefix(texts["go.mod"], "module "); ok {
		h.module, _, _ = strings.Cut(rest, "\n")
	}
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		if !strings.HasSuffix(name, ".go") || strings.Contains(name, "testdata/") {
			continue
		}
		const mode = parser.ParseComments | parser.SkipObjectResolution
		file, err := parser.ParseFile(h.fset, name, texts[name], mode)
		if err != nil {
			return nil, err
		}
		h.sources = append(h.sources, &source{path: name, text: texts[name], file: file})
	}
	return h, nil
}

// exportData lets packages of these rooms be type-checked against the compiler's export data, which the build
// cache holds already: type-checking everything they import from source would take longer than all other
// rules together.
func exportData(rooms []string) types.Importer {
	args := []string{"list", "-e", "-export", "-deps", "-f", "{{.ImportPath}}\t{{.Export}}"}
	for _, room := range rooms {
		if _, err := os.Stat(room); err == nil {
			args = append(args, "./"+room)
		}
	}
	out, listErr := exec.Command("go", args...).Output()
	where := map[string]string{}
	for line := range strings.Lines(string(out)) {
		if name, file, ok := strings.Cut(strings.TrimSpace(line), "\t"); ok {
			where[name] = file
		}
	}
	return importer.ForCompiler(token.NewFileSet(), "gc", func(name string) (io.ReadCloser, error) {
		if listErr != nil {
			return nil, listErr
		}
		return os.Open(where[name])
	})
}

// in returns the files of a folder without its tests.
func (h *house) in(folder string) (found []*source) {
	for _, s := range h.sources {
		if s.folder() == folder && !s.test() {
			found = append(found, s)
		}
	}
	return found
}

// typed type-checks a folder's files. The files of other systems are left out.
func (h *house) typed(folder string) (*types.Info, error) {
	info := &types.Info{Types: map[ast.Expr]types.TypeAndValue{}}
	var files []*ast.File
	for _, s := range h.in(folder) {
		if matches(s) {
			files = append(files, s.file)
		}
	}
	config := types.Config{Importer: h.types}
	_, err := config.Check(h.module+"/"+folder, h.fset, files, info)
	return info, err
}

func matches(s *source) bool {
	context := build.Default
	context.OpenFile = func(string) (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader(s.text)), nil
	}
	ok, err := context.MatchFile(s.folder(), path.Base(s.path))
	return ok && err == nil
}

func (h *house) line(p token.Pos) int { return h.fset.Position(p).Line }

// functions calls f for every function and method with a name that tells them apart in their file.
func (s *source) functions(f func(name string, d *ast.FuncDecl)) {
	for _, d := range s.file.Decls {
		if d, ok := d.(*ast.FuncDecl); ok {
			f(functionName(d), d)
		}
	}
}

func functionName(d *ast.FuncDecl) string {
	if d.Recv == nil || len(d.Recv.List) == 0 {
		return d.Name.Name
	}
	return receiver(d.Recv.List[0].Type) + "." + d.Name.Name
}

// receiver is the name of a method's type, without its pointer and its type parameters.
func receiver(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return receiver(e.X)
	case *ast.IndexExpr:
		return receiver(e.X)
	case *ast.IndexListExpr:
		return receiver(e.X)
	case *ast.Ident:
		return e.Name
	}
	return "?"
}

// around names the function that encloses a position; empty outside of functions.
func (s *source) around(p token.Pos) (name string) {
	s.functions(func(n string, d *ast.FuncDecl) {
		if d.Pos() <= p && p < d.End() {
			name = n
		}
	})
	return name
}

// at makes a complaint about the function around a position.
func (h *house) at(s *source, p token.Pos, what string) complaint {
	where := s.path
	if name := s.around(p); name != "" {
		where += " " + name
	}
	return complaint{where: where, what: h.fset.Position(p).String() + ": " + what}
}
