//go:build linux

package sys_test

// Every Prep method names its twin in liburing in the last line of its comment.
// This file reads those lines, without C; prep_test.go holds them against the
// header in use.

import (
	"embed"
	"go/ast"
	"go/parser"
	"go/token"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/uring-go/uring/sys"
)

//go:embed *.go
var sources embed.FS

var twinLine = regexp.MustCompile(`^// liburing: (io_uring_prep_[a-z0-9_]+|none)   kernel: [5-9]\.[0-9]+$`)

// noTwin are the methods that liburing has no function for.
var noTwin = map[string]string{
	"PrepRecvZC": "liburing's own tests fill the entry by hand",
}

// twins returns the methods of *sys.SQE whose names begin with Prep, as written
// in the sources, with the function that each one's comment names, or "".
func twins(t *testing.T) map[string]string {
	t.Helper()
	files, err := sources.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	found := make(map[string]string)
	for _, f := range files {
		if strings.HasSuffix(f.Name(), "_test.go") {
			continue
		}
		src, err := sources.ReadFile(f.Name())
		if err != nil {
			t.Fatal(err)
		}
		file, err := parser.ParseFile(token.NewFileSet(), f.Name(), src, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range file.Decls {
			fn, ok := decl.(*ast.FuncDecl)
			if !ok || fn.Recv == nil || !strings.HasPrefix(fn.Name.Name, "Prep") {
				continue
			}
			if fn.Doc == nil {
				t.Errorf("%s has no comment", fn.Name.Name)
				continue
			}
			last := fn.Doc.List[len(fn.Doc.List)-1].Text
			m := twinLine.FindStringSubmatch(last)
			if m == nil {
				t.Errorf("the comment of %s ends with %q, want it to match %s", fn.Name.Name, last, twinLine)
				continue
			}
			if !strings.HasPrefix(fn.Doc.Text(), fn.Name.Name+" ") {
				t.Errorf("the comment of %s does not begin with its name", fn.Name.Name)
			}
			found[fn.Name.Name] = strings.TrimPrefix(m[1], "none")
		}
	}
	return found
}

// methodName returns the name that the twin of a function must have.
func methodName(function string) string {
	var b strings.Builder
	b.WriteString("Prep")
	for word := range strings.SplitSeq(strings.TrimPrefix(function, "io_uring_prep_"), "_") {
		switch word {
		case "zc", "rw":
			b.WriteString(strings.ToUpper(word))
		default:
			b.WriteString(strings.ToUpper(word[:1]) + word[1:])
		}
	}
	return b.String()
}

func TestPrepTwinLines(t *testing.T) {
	found := twins(t)
	methodOf := make(map[string]string)
	for method, twin := range found {
		if twin == "" {
			if noTwin[method] == "" {
				t.Errorf("%s claims to have no twin; the exceptions do not list it", method)
			}
			continue
		}
		if want := methodName(twin); method != want {
			t.Errorf("%s is the twin of %s, so its name should be %s", method, twin, want)
		}
		if other, ok := methodOf[twin]; ok {
			t.Errorf("%s and %s name the same twin %s", method, other, twin)
		}
		methodOf[twin] = method
	}
	for method := range noTwin {
		if twin, ok := found[method]; !ok || twin != "" {
			t.Errorf("the exceptions list %s, which is not a method without twin", method)
		}
	}
	// What was compiled must be what was read: a method in a file that the
	// pattern above misses would show here.
	compiled := 0
	for i := range reflect.TypeFor[*sys.SQE]().NumMethod() {
		name := reflect.TypeFor[*sys.SQE]().Method(i).Name
		if !strings.HasPrefix(name, "Prep") {
			continue
		}
		compiled++
		if _, ok := found[name]; !ok {
			t.Errorf("%s is a method but was not found in the sources", name)
		}
	}
	if compiled != len(found) {
		t.Errorf("%d methods are compiled in, %d are in the sources", compiled, len(found))
	}
	t.Logf("%d methods, %d of them without twin", len(found), len(noTwin))
}
