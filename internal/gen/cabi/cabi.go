// Package cabi reads what a C header declares by asking the C compiler.
//
// Nothing here parses C. The preprocessor lists the macros (-dD keeps them in
// order, with line markers that tell the file), the compiler writes every
// enumeration and structure into the debug information of an object file, and
// a second object file holds the value of each constant. Nothing is executed,
// so a cross compiler answers for its own architecture.
//
// The generator uses it to write package sys; the layout test of package sys
// uses it to hold the committed files against the header a build sees.
package cabi

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"debug/dwarf"
	"debug/elf"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Config says which headers to read and with which compiler.
type Config struct {
	CC    []string // compiler and its leading arguments; empty means "cc"
	Flags []string // further arguments, -I for one

	// Includes are the headers, as they stand between < and >. One that the
	// compiler does not find declares nothing.
	Includes []string

	// Keep tells whether a name, declared in the file at path, belongs to the
	// answer.
	Keep func(path, name string) bool
}

// ABI is what the headers declare, in the order in which they declare it.
type ABI struct {
	Consts  []Const
	Structs []*Struct
	Files   []File // the files that declared something that was kept
}

// File is a header that was read.
type File struct {
	Path   string
	SHA256 string
}

// A Const is a macro with an integer value, or an enumerator.
type Const struct {
	Name  string
	Macro bool
	First string // of an enumerator: the first one of its enumeration
	Bits  uint64 // value, converted to unsigned long long
	Neg   bool   // Bits is a negative number in two's complement

	Path string
	Line int
}

// Value gives the constant as a decimal integer.
func (c Const) Value() string {
	if c.Neg {
		return strconv.FormatInt(int64(c.Bits), 10)
	}
	return strconv.FormatUint(c.Bits, 10)
}

// Grows tells whether the constant changes when the kernel learns something: a
// first number that is not in use, or a mask of all known flags. Two headers may
// differ there and both be right.
func (c Const) Grows() bool {
	for _, end := range []string{"_LAST", "_MAX", "_MASK"} {
		if strings.HasSuffix(c.Name, end) {
			return true
		}
	}
	return false
}

// A Struct is a structure or a union.
type Struct struct {
	Name   string // tag, "" if it has none
	Union  bool
	Size   int64
	Fields []Field

	Path string
	Line int
}

// A Field is one member of a Struct.
type Field struct {
	Name   string // "" for an anonymous structure or union
	Offset int64  // from the start of the enclosing Struct
	Size   int64
	Elem   int64 // size of one element; equals Size unless Array
	Array  bool
	Len    int64 // number of elements if Array; 0 or -1 is a flexible array
	Signed bool
	C      string  // the element's type as the header spells it
	Struct *Struct // the element's type, if that is a structure or union
}

// Lookup finds a member by name, as C does through anonymous structures and
// unions. Its Offset is from the start of s.
func (s *Struct) Lookup(name string) (Field, bool) {
	all := s.Members()
	i := slices.IndexFunc(all, func(f Field) bool { return f.Name == name })
	if i < 0 {
		return Field{}, false
	}
	return all[i], true
}

// Grows tells whether the kernel may add members at the end, because the caller
// says how long the structure is that it knows: the answers to queries. Of two
// headers one may have the longer.
func (s *Struct) Grows() bool {
	return strings.HasPrefix(s.Name, "io_uring_query_") && s.Name != "io_uring_query_hdr"
}

// Members lists all members with a name, looking through anonymous structures
// and unions. Offsets are from the start of s.
func (s *Struct) Members() []Field {
	var out []Field
	for _, f := range s.Fields {
		switch {
		case f.Name != "":
			out = append(out, f)
		case f.Struct != nil:
			for _, in := range f.Struct.Members() {
				in.Offset += f.Offset
				out = append(out, in)
			}
		}
	}
	return out
}

// Reserved tells whether a member is there only to take up room.
func (f Field) Reserved() bool { return reserved.MatchString(f.Name) }

var reserved = regexp.MustCompile(`^_*(resv|rsvd|pad|reserved)\d*$`)

// Const finds a constant by name.
func (a *ABI) Const(name string) (Const, bool) {
	i := slices.IndexFunc(a.Consts, func(c Const) bool { return c.Name == name })
	if i < 0 {
		return Const{}, false
	}
	return a.Consts[i], true
}

// Struct finds a structure by its tag.
func (a *ABI) Struct(name string) (*Struct, bool) {
	i := slices.IndexFunc(a.Structs, func(s *Struct) bool { return s.Name == name })
	if i < 0 {
		return nil, false
	}
	return a.Structs[i], true
}

// Load reads the headers.
func Load(cfg Config) (*ABI, error) {
	dir, err := os.MkdirTemp("", "cabi")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	l := &loader{cfg: cfg, dir: dir}
	if len(l.cfg.CC) == 0 {
		l.cfg.CC = []string{"cc"}
	}

	var src strings.Builder
	for _, h := range cfg.Includes {
		fmt.Fprintf(&src, "#if __has_include(<%[1]s>)\n#include <%[1]s>\n#endif\n", h)
	}
	l.prelude = src.String()

	if err := l.macros(); err != nil {
		return nil, err
	}
	if err := l.types(); err != nil {
		return nil, err
	}
	if err := l.values(); err != nil {
		return nil, err
	}
	return l.finish()
}

type loader struct {
	cfg     Config
	dir     string
	prelude string
	paths   []string // files in the order of first mention
	abi     ABI
}

// run calls the compiler on src; what it prints is part of the error.
func (l *loader) run(src string, out string, args ...string) error {
	in := filepath.Join(l.dir, "in.c")
	if err := os.WriteFile(in, []byte(src), 0o600); err != nil {
		return err
	}
	argv := slices.Concat(l.cfg.CC[1:], []string{"-w"}, l.cfg.Flags, args, []string{"-o", out, in})
	cmd := exec.Command(l.cfg.CC[0], argv...)
	var msg bytes.Buffer
	cmd.Stderr = &msg
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, msg.Bytes())
	}
	return nil
}

// macros lists the object-like macros that have a body.
func (l *loader) macros() error {
	out := filepath.Join(l.dir, "out.i")
	if err := l.run(l.prelude, out, "-E", "-dD"); err != nil {
		return err
	}
	f, err := os.Open(out)
	if err != nil {
		return err
	}
	defer f.Close()
	path, line := "", 0
	sc := bufio.NewScanner(f)
	sc.Buffer(nil, 1<<20)
	for sc.Scan() {
		text := sc.Text()
		if rest, ok := strings.CutPrefix(text, "# "); ok {
			num, quoted, _ := strings.Cut(rest, " ")
			if n, err := strconv.Atoi(num); err == nil {
				if i := strings.LastIndexByte(quoted, '"'); i > 0 {
					if path, err = strconv.Unquote(quoted[:i+1]); err != nil {
						return fmt.Errorf("line marker %q: %w", text, err)
					}
					line = n - 1
					if !slices.Contains(l.paths, path) {
						l.paths = append(l.paths, path)
					}
				}
			}
			continue
		}
		line++
		if name, ok := strings.CutPrefix(text, "#undef "); ok {
			l.abi.Consts = slices.DeleteFunc(l.abi.Consts, func(c Const) bool { return c.Name == name })
			continue
		}
		def, ok := strings.CutPrefix(text, "#define ")
		if !ok {
			continue
		}
		name, body, _ := strings.Cut(def, " ")
		if body == "" || strings.Contains(name, "(") || !l.cfg.Keep(path, name) {
			continue
		}
		l.abi.Consts = append(l.abi.Consts, Const{Name: name, Macro: true, Path: path, Line: line})
	}
	return sc.Err()
}

// types lists the enumerations and structures.
func (l *loader) types() error {
	out := filepath.Join(l.dir, "out.o")
	// Without a definition some compilers leave the debug information out.
	src := l.prelude + "int cabi_anchor;\n"
	if err := l.run(src, out, "-c", "-g", "-fno-eliminate-unused-debug-types"); err != nil {
		return err
	}
	obj, err := elf.Open(out)
	if err != nil {
		return err
	}
	defer obj.Close()
	data, err := obj.DWARF()
	if err != nil {
		return err
	}
	r := data.Reader()
	var files []*dwarf.LineFile
	for {
		e, err := r.Next()
		if err != nil {
			return err
		}
		if e == nil {
			return nil
		}
		switch e.Tag {
		case dwarf.TagCompileUnit:
			lr, err := data.LineReader(e)
			if err != nil {
				return err
			}
			if lr == nil {
				return errors.New("object file has no line table")
			}
			files = lr.Files()
			continue
		case dwarf.TagEnumerationType, dwarf.TagStructType, dwarf.TagUnionType:
		default:
			r.SkipChildren()
			continue
		}
		r.SkipChildren()
		path, line := declared(e, files)
		t, err := data.Type(e.Offset)
		if err != nil {
			return err
		}
		switch t := t.(type) {
		case *dwarf.EnumType:
			for _, v := range t.Val {
				if l.cfg.Keep(path, v.Name) {
					l.abi.Consts = append(l.abi.Consts, Const{
						Name: v.Name, First: t.Val[0].Name, Path: path, Line: line,
					})
				}
			}
		case *dwarf.StructType:
			if t.StructName == "" || t.Incomplete || !l.cfg.Keep(path, t.StructName) {
				continue
			}
			s := convert(t)
			s.Path, s.Line = path, line
			l.abi.Structs = append(l.abi.Structs, s)
		}
	}
}

func declared(e *dwarf.Entry, files []*dwarf.LineFile) (path string, line int) {
	if i, ok := e.Val(dwarf.AttrDeclFile).(int64); ok && int(i) < len(files) && files[i] != nil {
		path = files[i].Name
	}
	n, _ := e.Val(dwarf.AttrDeclLine).(int64)
	return path, int(n)
}

func convert(t *dwarf.StructType) *Struct {
	s := &Struct{Name: t.StructName, Union: t.Kind == "union", Size: t.ByteSize}
	for _, m := range t.Field {
		f := Field{Name: m.Name, Offset: m.ByteOffset, Size: max(m.Type.Size(), 0), Len: 1}
		elem := m.Type
		if a, ok := elem.(*dwarf.ArrayType); ok {
			f.Array, f.Len, elem = true, a.Count, a.Type
		}
		f.Elem = elem.Size()
		f.C = elem.String()
		for {
			td, ok := elem.(*dwarf.TypedefType)
			if !ok {
				break
			}
			elem = td.Type
		}
		switch elem := elem.(type) {
		case *dwarf.StructType:
			f.Struct = convert(elem)
		case *dwarf.IntType, *dwarf.CharType:
			f.Signed = true
		}
		s.Fields = append(s.Fields, f)
	}
	return s
}

// values asks for the value of every constant: one array holds them all.
func (l *loader) values() error {
	if len(l.abi.Consts) == 0 {
		return nil
	}
	var src strings.Builder
	src.WriteString(l.prelude)
	src.WriteString("const unsigned long long cabi_bits[] = {\n")
	for _, c := range l.abi.Consts {
		fmt.Fprintf(&src, "(%s) | 0ULL,\n", c.Name) // an error for what is no integer
	}
	src.WriteString("};\nconst unsigned char cabi_neg[] = {\n")
	for _, c := range l.abi.Consts {
		fmt.Fprintf(&src, "(%s) < 0,\n", c.Name)
	}
	src.WriteString("};\n")

	out := filepath.Join(l.dir, "values.o")
	if err := l.run(src.String(), out, "-c"); err != nil {
		return fmt.Errorf("a macro is not an integer constant: %w", err)
	}
	obj, err := elf.Open(out)
	if err != nil {
		return err
	}
	defer obj.Close()
	bits, err := object(obj, "cabi_bits")
	if err != nil {
		return err
	}
	neg, err := object(obj, "cabi_neg")
	if err != nil {
		return err
	}
	if n := len(l.abi.Consts); len(bits) != 8*n || len(neg) != n {
		return fmt.Errorf("object file holds %d and %d bytes for %d constants", len(bits), len(neg), n)
	}
	for i := range l.abi.Consts {
		l.abi.Consts[i].Bits = obj.ByteOrder.Uint64(bits[8*i:])
		l.abi.Consts[i].Neg = neg[i] != 0
	}
	return nil
}

// object gives the bytes of an initialised variable.
func object(f *elf.File, name string) ([]byte, error) {
	syms, err := f.Symbols()
	if err != nil {
		return nil, err
	}
	for _, s := range syms {
		if s.Name == name && int(s.Section) < len(f.Sections) {
			b := make([]byte, s.Size)
			_, err := f.Sections[s.Section].ReadAt(b, int64(s.Value))
			return b, err
		}
	}
	return nil, fmt.Errorf("object file has no symbol %s", name)
}

// finish puts everything into the order of the headers and names the files.
func (l *loader) finish() (*ABI, error) {
	rank := func(path string) int { return slices.Index(l.paths, path) }
	slices.SortStableFunc(l.abi.Consts, func(a, b Const) int {
		if d := rank(a.Path) - rank(b.Path); d != 0 {
			return d
		}
		return a.Line - b.Line
	})
	slices.SortStableFunc(l.abi.Structs, func(a, b *Struct) int {
		if d := rank(a.Path) - rank(b.Path); d != 0 {
			return d
		}
		return a.Line - b.Line
	})
	for _, p := range l.paths {
		used := slices.ContainsFunc(l.abi.Consts, func(c Const) bool { return c.Path == p }) ||
			slices.ContainsFunc(l.abi.Structs, func(s *Struct) bool { return s.Path == p })
		if !used {
			continue
		}
		sum, err := hash(p)
		if err != nil {
			return nil, err
		}
		l.abi.Files = append(l.abi.Files, File{Path: p, SHA256: sum})
	}
	return &l.abi, nil
}

func hash(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
