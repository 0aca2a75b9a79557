package main

// What -check does: hold the committed files against headers.

import (
	"bytes"
	"errors"
	"fmt"
	"go/ast"
	"go/constant"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/uring-go/uring/internal/gen/cabi"
)

const abiFile = "sys/zabi.go"

// check compares files, made from in, with those below root.
func check(w io.Writer, root string, in *input, files map[string][]byte) error {
	old, err := os.ReadFile(filepath.Join(root, abiFile))
	if err != nil {
		return err
	}
	if slices.Equal(recorded(old), in.Sources) {
		return checkBytes(w, root, files)
	}
	fmt.Fprintln(w, "these are not the headers that the committed files were made from:")
	fmt.Fprint(w, diff(sourceLines(recorded(old)), sourceLines(in.Sources)))
	grows := map[string]bool{}
	for _, s := range in.Structs {
		grows[s.Name] = s.Grows
	}
	return checkFacts(w, old, files[abiFile], grows)
}

// recorded reads the list of headers at the top of a generated file.
func recorded(file []byte) []source {
	var out []source
	for line := range strings.Lines(string(file)) {
		rest, ok := strings.CutPrefix(line, "//\t")
		if f := strings.Fields(rest); ok && len(f) == 2 {
			out = append(out, source{Name: f[1], SHA256: f[0]})
		}
		if strings.HasPrefix(line, "package ") {
			break
		}
	}
	return out
}

func sourceLines(list []source) string {
	var b strings.Builder
	for _, s := range list {
		fmt.Fprintf(&b, "%s  %s\n", s.SHA256, s.Name)
	}
	return b.String()
}

// checkBytes demands the same bytes.
func checkBytes(w io.Writer, root string, files map[string][]byte) error {
	var wrong []string
	for _, name := range slices.Sorted(maps.Keys(files)) {
		old, err := os.ReadFile(filepath.Join(root, name))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		if err != nil || !bytes.Equal(old, files[name]) {
			wrong = append(wrong, name)
			fmt.Fprintf(w, "--- %s, committed\n+++ %s, from the headers\n%s", name, name, diff(string(old), string(files[name])))
		}
	}
	if wrong != nil {
		return fmt.Errorf("not what the headers give: %s", strings.Join(wrong, ", "))
	}
	fmt.Fprintf(w, "%d files are what the headers give, byte for byte\n", len(files))
	return nil
}

// diff gives the lines between the first difference and the last.
func diff(a, b string) string {
	x, y := strings.SplitAfter(a, "\n"), strings.SplitAfter(b, "\n")
	for len(x) > 0 && len(y) > 0 && x[0] == y[0] {
		x, y = x[1:], y[1:]
	}
	for len(x) > 0 && len(y) > 0 && x[len(x)-1] == y[len(y)-1] {
		x, y = x[:len(x)-1], y[:len(y)-1]
	}
	var out strings.Builder
	for _, part := range []struct {
		sign  string
		lines []string
	}{{"-", x}, {"+", y}} {
		for _, line := range part.lines {
			if line != "" {
				out.WriteString(part.sign + strings.TrimSuffix(line, "\n") + "\n")
			}
		}
	}
	return out.String()
}

// A fact is one thing that a generated file states. facts are keyed by what
// they are about: the name of a constant, of a type, or of a field.
type fact struct {
	text  string
	grows bool           // a newer header may have a larger value
	value constant.Value // of a constant, or the size of a structure
}

// checkFacts demands that all that the old file states holds in the new one,
// and prints what only the new one states.
func checkFacts(w io.Writer, old, new []byte, grows map[string]bool) error {
	was, err := facts(old, grows)
	if err != nil {
		return fmt.Errorf("committed: %w", err)
	}
	is, err := facts(new, grows)
	if err != nil {
		return err
	}
	bad := 0
	for _, name := range slices.Sorted(maps.Keys(was)) {
		a := was[name]
		b, ok := is[name]
		switch {
		case !ok:
			bad++
			fmt.Fprintf(w, "missing: %s, committed as %s\n", name, a.text)
		case a.text == b.text:
		case a.grows && b.grows && constant.Compare(b.value, token.GTR, a.value):
			fmt.Fprintf(w, "grown: %s from %s to %s\n", name, a.text, b.text)
		default:
			bad++
			fmt.Fprintf(w, "different: %s is %s, committed as %s\n", name, b.text, a.text)
		}
	}
	fresh := 0
	for _, name := range slices.Sorted(maps.Keys(is)) {
		if _, ok := was[name]; !ok {
			fresh++
			fmt.Fprintf(w, "new: %s, %s\n", name, is[name].text)
		}
	}
	if bad > 0 {
		return fmt.Errorf("%d of %d committed constants, types and fields do not hold for these headers", bad, len(was))
	}
	fmt.Fprintf(w, "all %d committed constants, types and fields hold for these headers; %d are new\n", len(was), fresh)
	return nil
}

// facts reads a generated file with the type checker; grows names the
// structures that may become longer. Sizes are those of a
// 64-bit machine; the layout is made to be the same on all.
func facts(src []byte, grows map[string]bool) (map[string]fact, error) {
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, "", src, 0)
	if err != nil {
		return nil, err
	}
	sizes := types.SizesFor("gc", "amd64")
	conf := types.Config{Importer: importer.ForCompiler(fset, "source", nil), Sizes: sizes}
	pkg, err := conf.Check("sys", fset, []*ast.File{f}, nil)
	if err != nil {
		return nil, err
	}
	short := types.RelativeTo(pkg)
	out := map[string]fact{}
	for _, name := range pkg.Scope().Names() {
		switch obj := pkg.Scope().Lookup(name).(type) {
		case *types.Const:
			out[name] = fact{
				text:  fmt.Sprintf("%s %s", types.TypeString(obj.Type(), short), obj.Val().ExactString()),
				grows: cabi.Const{Name: name}.Grows(),
				value: obj.Val(),
			}
		case *types.TypeName:
			under := obj.Type().Underlying()
			st, ok := under.(*types.Struct)
			if !ok {
				out[name] = fact{text: types.TypeString(under, short)}
				continue
			}
			size := sizes.Sizeof(under)
			out[name] = fact{
				text:  fmt.Sprintf("a structure of %d bytes", size),
				grows: grows[name],
				value: constant.MakeInt64(size),
			}
			var fields []*types.Var
			for field := range st.Fields() {
				fields = append(fields, field)
			}
			for i, off := range sizes.Offsetsof(fields) {
				if field := fields[i]; field.Name() != "_" {
					out[name+"."+field.Name()] = fact{text: fmt.Sprintf("%s at offset %d", types.TypeString(field.Type(), short), off)}
				}
			}
		}
	}
	return out, nil
}
