// Houserules checks what this repository promises about its source and no
// ordinary linter knows:
//
//   - package unsafe is imported only by files named *_unsafe.go and by files
//     that use cgo, so that a reader finds all of it;
//   - there is no go:linkname;
//   - the library, that is every package somebody can import and what those
//     import, reads no environment variable and has no init function;
//   - no committed line names a directory of somebody's machine.
//
// It prints one line for each violation and exits 1 if there is any.
//
//	houserules DIR     DIR is the root of the repository
package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: houserules DIR")
		os.Exit(2)
	}
	found, err := check(os.Args[1])
	for _, f := range found {
		fmt.Println(f)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "houserules:", err)
	}
	if err != nil || len(found) > 0 {
		os.Exit(1)
	}
}

// check returns the violations in the repository at root.
func check(root string) ([]string, error) {
	files, err := committed(root)
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("%s has no files", root)
	}
	library, err := libraryDirs(root)
	if err != nil {
		return nil, err
	}
	var found []string
	for _, name := range files {
		text, err := os.ReadFile(filepath.Join(root, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue // deleted, and the deletion is not committed yet
		}
		if err != nil {
			return nil, err
		}
		found = append(found, machinePaths(name, text)...)
		if strings.HasSuffix(name, ".go") {
			inLibrary := library[path.Dir(name)] && !strings.HasSuffix(name, "_test.go")
			f, err := goFile(name, text, inLibrary)
			if err != nil {
				return nil, err
			}
			found = append(found, f...)
		}
	}
	return found, nil
}

// committed returns the files that git tracks, with slashes and relative to root;
// without a git repository, as in an unpacked archive, all files.
func committed(root string) ([]string, error) {
	if _, err := os.Stat(filepath.Join(root, ".git")); err == nil {
		// A repository may belong to another user, in a container for instance.
		out, err := exec.Command("git", "-c", "safe.directory=*", "-C", root, "ls-files", "-z").Output()
		if err != nil {
			return nil, fmt.Errorf("git ls-files: %w", err)
		}
		return strings.FieldsFunc(string(out), func(r rune) bool { return r == 0 }), nil
	}
	var files []string
	err := fs.WalkDir(os.DirFS(root), ".", func(name string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			files = append(files, name)
		}
		return err
	})
	return files, err
}

// libraryDirs returns the directories of the packages that a program can import,
// and of what these import, in any build that we support.
func libraryDirs(root string) (map[string]bool, error) {
	root, err := filepath.Abs(root)
	if err != nil {
		return nil, err
	}
	dirs := map[string]bool{}
	for _, cgo := range []string{"0", "1"} {
		list := func(args ...string) ([]string, error) {
			cmd := exec.Command("go", append([]string{"list"}, args...)...)
			cmd.Dir = root
			cmd.Env = append(os.Environ(), "GOOS=linux", "CGO_ENABLED="+cgo)
			cmd.Stderr = os.Stderr
			out, err := cmd.Output()
			if err != nil {
				return nil, fmt.Errorf("%v: %w", cmd, err)
			}
			return strings.Fields(string(out)), nil
		}
		public, err := list("-f", `{{if ne .Name "main"}}{{.ImportPath}}{{end}}`, "./...")
		if err != nil {
			return nil, err
		}
		public = slices.DeleteFunc(public, func(p string) bool {
			return slices.Contains(strings.Split(p, "/"), "internal")
		})
		if len(public) == 0 {
			return nil, fmt.Errorf("no package to import in %s", root)
		}
		deps, err := list(append([]string{"-deps", "-f", "{{if and .Module .Module.Main}}{{.Dir}}{{end}}"}, public...)...)
		if err != nil {
			return nil, err
		}
		for _, d := range deps {
			rel, err := filepath.Rel(root, d)
			if err != nil {
				return nil, err
			}
			dirs[filepath.ToSlash(rel)] = true
		}
	}
	return dirs, nil
}

// unsafeName matches the names of files that may import unsafe; what follows
// says the system or that it is a test.
var unsafeName = regexp.MustCompile(`(^|_)unsafe(_[a-z0-9]+)*\.go$`)

// environment holds the functions that read the environment.
var environment = map[string][]string{
	"os":                    {"Getenv", "LookupEnv", "Environ", "ExpandEnv"},
	"syscall":               {"Getenv", "Environ"},
	"golang.org/x/sys/unix": {"Getenv", "Environ"},
}

// goFile returns the violations in one Go file.
func goFile(name string, text []byte, library bool) ([]string, error) {
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, name, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		if strings.Contains(name, "testdata/") {
			return nil, nil // may be wrong on purpose
		}
		return nil, err
	}
	var found []string
	report := func(pos token.Pos, format string, args ...any) {
		found = append(found, fmt.Sprintf("%v: %s", fset.Position(pos), fmt.Sprintf(format, args...)))
	}

	imported := map[string]*ast.ImportSpec{}
	local := map[string]string{} // name in this file → import path
	for _, spec := range file.Imports {
		p := strings.Trim(spec.Path.Value, `"`)
		imported[p] = spec
		local[path.Base(p)] = p
		if spec.Name != nil {
			local[spec.Name.Name] = p
		}
	}
	if spec := imported["unsafe"]; spec != nil && imported["C"] == nil && !unsafeName.MatchString(path.Base(name)) {
		report(spec.Pos(), "imports unsafe; only files named *_unsafe.go and cgo files may")
	}
	for _, group := range file.Comments {
		for _, c := range group.List {
			if strings.HasPrefix(c.Text, "//go:"+"linkname") {
				report(c.Pos(), "go:linkname reaches into another package")
			}
		}
	}
	if !library {
		return found, nil
	}
	for _, decl := range file.Decls {
		if f, ok := decl.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" {
			report(f.Pos(), "init function in the library")
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if pkg, ok := sel.X.(*ast.Ident); ok && slices.Contains(environment[local[pkg.Name]], sel.Sel.Name) {
			report(sel.Pos(), "%s.%s: the library reads no environment variables", pkg.Name, sel.Sel.Name)
		}
		return true
	})
	return found, nil
}

// machineDirs are directories under which people keep their own files; a path
// there is somebody's machine and nobody else's.
var machineDirs = regexp.MustCompile(`(?:^|[^\w./$~}-])(/(?:home|root|Users|work)/[\w.]+)`)

// machinePaths returns the lines of a text file that name a directory of
// somebody's machine.
func machinePaths(name string, text []byte) []string {
	if !utf8.Valid(text) || bytes.IndexByte(text, 0) >= 0 {
		return nil
	}
	var found []string
	scan := bufio.NewScanner(bytes.NewReader(text))
	scan.Buffer(nil, len(text)+1)
	for line := 1; scan.Scan(); line++ {
		if m := machineDirs.FindStringSubmatch(scan.Text()); m != nil {
			found = append(found, fmt.Sprintf("%s:%d:1: names a directory of one machine: %s", name, line, m[1]))
		}
	}
	return found
}
