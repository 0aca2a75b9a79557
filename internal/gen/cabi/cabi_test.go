//go:build linux

package cabi

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const header = `
#include "other.h"
#define GUARD
#define CALL(x) (x)
#define ZERO	0
#define ALL	(~0U)
#define MINUS	(-2)
#define WIDE	0xffff000000000000ULL
#define SHIFTED	((unsigned)1 << BELOW) /* defined further down */

enum tagged { A0, A1 = 1U << 31, __A_LAST };
enum { LATER = 7, };
#define BELOW	16
#define GONE	1
#undef GONE

typedef unsigned char u8;
typedef unsigned long long __attribute__((aligned(8))) u64;

struct outer {
	u8	kind;
	signed char delta;
	u8	pad[2];
	union {
		unsigned wide;
		struct { unsigned short low; unsigned short high[1]; };
	};
	union { u64 whole; unsigned half; } named;
	u64	resv1;
	u64	tail[];
};
struct declared_only;
`

func load(t *testing.T, text string) *ABI {
	t.Helper()
	if _, err := exec.LookPath("cc"); err != nil {
		t.Skip("could not tell: no C compiler")
	}
	dir := t.TempDir()
	for name, text := range map[string]string{
		"test.h":  text,
		"other.h": "#define FOREIGN 5\nenum { FOREIGN_TOO };\nstruct foreign { int x; };\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	abi, err := Load(Config{
		Flags:    []string{"-isystem", dir},
		Includes: []string{"test.h", "not-there.h"},
		Keep:     func(path, name string) bool { return strings.HasSuffix(path, "/test.h") },
	})
	if err != nil {
		t.Fatal(err)
	}
	return abi
}

func TestConsts(t *testing.T) {
	abi := load(t, header)
	var got [][2]string
	for _, c := range abi.Consts {
		got = append(got, [2]string{c.Name, c.Value()})
	}
	want := [][2]string{
		{"ZERO", "0"}, {"ALL", "4294967295"}, {"MINUS", "-2"}, {"WIDE", "18446462598732840960"}, {"SHIFTED", "65536"},
		{"A0", "0"}, {"A1", "2147483648"}, {"__A_LAST", "2147483649"}, {"LATER", "7"}, {"BELOW", "16"},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("constants (-want +got):\n%s", d)
	}
	if c, _ := abi.Const("__A_LAST"); c.Macro || c.First != "A0" || !c.Grows() {
		t.Errorf("__A_LAST = %+v, want an enumerator that grows, after A0", c)
	}
	if c, _ := abi.Const("ALL"); !c.Macro || c.Grows() {
		t.Errorf("ALL = %+v, want a macro that does not grow", c)
	}
	if len(abi.Files) != 1 || filepath.Base(abi.Files[0].Path) != "test.h" || len(abi.Files[0].SHA256) != 64 {
		t.Errorf("files = %+v, want test.h and its checksum", abi.Files)
	}
}

func TestStructs(t *testing.T) {
	abi := load(t, header)
	if len(abi.Structs) != 1 {
		t.Fatalf("%d structures, want 1", len(abi.Structs))
	}
	s, ok := abi.Struct("outer")
	if !ok || s.Size != 24 || s.Union {
		t.Fatalf("found %t, %+v; want a structure of 24 bytes", ok, s)
	}
	type member struct {
		Name                    string
		Offset, Size, Elem, Len int64
		Signed, Reserved        bool
	}
	var got []member
	for _, f := range s.Members() {
		got = append(got, member{f.Name, f.Offset, f.Size, f.Elem, f.Len, f.Signed, f.Reserved()})
	}
	want := []member{
		{"kind", 0, 1, 1, 1, false, false},
		{"delta", 1, 1, 1, 1, true, false},
		{"pad", 2, 2, 1, 2, false, true},
		{"wide", 4, 4, 4, 1, false, false},
		{"low", 4, 2, 2, 1, false, false},
		{"high", 6, 2, 2, 1, false, false},
		{"named", 8, 8, 8, 1, false, false},
		{"resv1", 16, 8, 8, 1, false, true},
		{"tail", 24, 0, 8, got[len(got)-1].Len, false, false}, // flexible: compilers differ in the count
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("members (-want +got):\n%s", d)
	}
	if f, ok := s.Lookup("high"); !ok || f.Offset != 6 {
		t.Errorf("Lookup(high) = %+v, %t", f, ok)
	}
	if f, ok := s.Lookup("named"); !ok || f.Struct == nil || !f.Struct.Union {
		t.Errorf("Lookup(named) = %+v, %t; want a union", f, ok)
	}
	if _, ok := s.Lookup("half"); ok {
		t.Error("Lookup found half, which is inside a member with a name")
	}
}

// TestErrors: what the compiler says reaches the caller.
func TestErrors(t *testing.T) {
	load(t, "#define FINE 1\n") // skips without a compiler
	dir := t.TempDir()
	for text, want := range map[string]string{
		"struct broken { int":         "error",
		"#define NAME \"a string\"\n": "a macro is not an integer constant",
	} {
		if err := os.WriteFile(filepath.Join(dir, "test.h"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Load(Config{
			Flags:    []string{"-isystem", dir},
			Includes: []string{"test.h"},
			Keep:     func(path, name string) bool { return strings.HasSuffix(path, "/test.h") },
		})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want one with %q", text, err, want)
		}
	}
}
