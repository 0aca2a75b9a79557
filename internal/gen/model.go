package main

// From what the headers declare to what Go will see: names, types, unions.

import (
	"fmt"
	"strings"

	"github.com/uring-go/uring/internal/gen/cabi"
)

// A goStruct is a structure as Go sees it.
type goStruct struct {
	Name    string
	Doc     string
	C       string // tag
	Path    string // member of the C structure that this is, for a nested one without a tag
	Base    int64  // offset of Path
	Size    int64
	Grows   bool // see cabi.Struct.Grows
	Fields  []goField
	Views   []view
	Trailer string
}

// A goField is a field. Offsets are from the start of the goStruct.
type goField struct {
	Name   string // "_" if reserved
	Type   string
	Doc    string
	Off    int64
	Size   int64
	C      string       // the member it is
	Others []cabi.Field // members of the union that it stands for, too
}

// A view is a typed look at a union that Go keeps as plain words.
type view struct {
	Method, Field, Type, C string
}

// goName makes a Go name of a C one: words joined by underscores.
func goName(c string) string {
	var b strings.Builder
	for w := range strings.SplitSeq(c, "_") {
		if w == "" {
			continue
		}
		if s, ok := words[w]; ok {
			b.WriteString(s)
		} else {
			b.WriteString(strings.ToUpper(w[:1]) + w[1:])
		}
	}
	return b.String()
}

// typeName makes a Go name of a structure's tag.
func typeName(tag string) string {
	if s, ok := typeNames[tag]; ok {
		return s
	}
	for _, p := range []string{"io_uring_", "io_", "__kernel_"} {
		if s, ok := strings.CutPrefix(tag, p); ok {
			return goName(s)
		}
	}
	return goName(tag)
}

// constName is the header's name. A leading __ goes, because Go would not
// export the constant.
func constName(c string) string { return strings.TrimLeft(c, "_") }

// A builder makes the goStructs of one C structure.
type builder struct {
	out []goStruct // nested ones first
}

// buildStructs makes Go structures of all C structures, in their order.
func buildStructs(all []*cabi.Struct) ([]goStruct, error) {
	var b builder
	for _, s := range all {
		if s.Union {
			return nil, fmt.Errorf("union %s: no rule for a union with a tag", s.Name)
		}
		if err := b.add(s, goStruct{Name: typeName(s.Name), C: s.Name, Grows: s.Grows(), Doc: structDocs[s.Name], Trailer: trailers[s.Name]}); err != nil {
			return nil, err
		}
	}
	return b.out, nil
}

func (b *builder) add(s *cabi.Struct, g goStruct) error {
	g.Size = s.Size
	key := g.C
	if g.Path != "" {
		key += "." + g.Path
	}
	if err := b.fields(&g, key, s, 0); err != nil {
		return fmt.Errorf("%s: %w", key, err)
	}
	if err := pad(&g); err != nil {
		return fmt.Errorf("%s: %w", key, err)
	}
	b.out = append(b.out, g)
	return nil
}

// fields appends the members of s, which starts at off in g.
func (b *builder) fields(g *goStruct, key string, s *cabi.Struct, off int64) error {
	for _, f := range s.Fields {
		if f.Size == 0 {
			continue // a flexible array: what follows the structure
		}
		if f.Name == "" {
			if f.Struct == nil {
				return fmt.Errorf("a bit field without a name at %d", f.Offset)
			}
			if !f.Struct.Union {
				if err := b.fields(g, key, f.Struct, off+f.Offset); err != nil {
					return err
				}
			} else if err := b.union(g, key, f, off+f.Offset); err != nil {
				return err
			}
			continue
		}
		if err := b.field(g, key, f, off+f.Offset); err != nil {
			return err
		}
	}
	return nil
}

// field appends one member with a name.
func (b *builder) field(g *goStruct, key string, f cabi.Field, off int64) error {
	rule := fieldRules[key+"."+f.Name]
	gf := goField{Name: goName(f.Name), Off: off, Size: f.Size, C: f.Name, Doc: rule.doc}
	typ, err := b.elemType(f)
	if err != nil {
		return fmt.Errorf("%s: %w", f.Name, err)
	}
	if f.Array {
		typ = fmt.Sprintf("[%d]%s", f.Len, typ)
	}
	gf.Type = typ
	if rule.name != "" {
		gf.Name = rule.name
	} else if f.Reserved() {
		gf.Name = "_"
	}
	if rule.typ != "" {
		gf.Type = rule.typ
	}
	g.Fields = append(g.Fields, gf)
	return nil
}

func (b *builder) elemType(f cabi.Field) (string, error) {
	if f.Struct != nil {
		if f.Struct.Name == "" || f.Struct.Union {
			return "", fmt.Errorf("no rule for the type %s", f.C)
		}
		return typeName(f.Struct.Name), nil
	}
	switch f.Elem {
	case 1, 2, 4, 8:
		if f.Signed {
			return fmt.Sprintf("int%d", 8*f.Elem), nil
		}
		return fmt.Sprintf("uint%d", 8*f.Elem), nil
	}
	return "", fmt.Errorf("no Go type for %s of %d bytes", f.C, f.Elem)
}

// union appends what Go sees of an anonymous union.
func (b *builder) union(g *goStruct, key string, u cabi.Field, off int64) error {
	names := u.Struct.Members()
	if len(names) == 0 {
		return fmt.Errorf("union at %d has no members", off)
	}
	pick, ok := picks[key+"."+names[0].Name]
	if !ok {
		if len(u.Struct.Fields) != 1 {
			return fmt.Errorf("union of %s: no rule says which member Go sees", names[0].Name)
		}
		pick = names[0].Name
	}
	if name, ok := strings.CutPrefix(pick, "view:"); ok {
		return b.views(g, key, name, u, off)
	}

	first := len(g.Fields)
	for _, f := range u.Struct.Fields {
		in := f.Name == pick
		if f.Name == "" && f.Struct != nil && !f.Struct.Union {
			_, in = f.Struct.Lookup(pick)
		}
		if !in {
			continue
		}
		var err error
		if f.Name == "" {
			err = b.fields(g, key, f.Struct, off+f.Offset)
		} else {
			err = b.field(g, key, f, off+f.Offset)
		}
		if err != nil {
			return err
		}
		break
	}
	picked := g.Fields[first:]
	if len(picked) == 0 {
		return fmt.Errorf("union of %s has no member %s", names[0].Name, pick)
	}

	// Every other member is named where its bytes are.
	for _, m := range names {
		m.Offset += off
		for i := range picked {
			p := &picked[i]
			if m.Name != p.C && !m.Reserved() && m.Size > 0 && p.Off <= m.Offset && m.Offset+m.Size <= p.Off+p.Size {
				p.Others = append(p.Others, m)
			}
		}
	}
	return nil
}

// views appends a union as plain words, with a typed view for each member.
func (b *builder) views(g *goStruct, key, name string, u cabi.Field, off int64) error {
	if u.Size%8 != 0 || off%8 != 0 {
		return fmt.Errorf("union at %d of %d bytes is not made of 8-byte words", off, u.Size)
	}
	f := goField{Name: name, Type: fmt.Sprintf("[%d]uint64", u.Size/8), Off: off, Size: u.Size}
	var methods []string
	for _, m := range u.Struct.Fields {
		if m.Struct == nil || m.Struct.Union || m.Name == "" {
			return fmt.Errorf("union at %d: member %q is not a structure with a name", off, m.Name)
		}
		v := view{Method: goName(m.Name), Field: name, C: m.Name, Type: typeName(m.Struct.Name)}
		if m.Struct.Name == "" {
			v.Type = g.Name + goName(m.Name)
			nested := goStruct{Name: v.Type, C: g.C, Path: m.Name, Base: off, Doc: structDocs[key+"."+m.Name]}
			if err := b.add(m.Struct, nested); err != nil {
				return err
			}
		}
		methods = append(methods, v.Method)
		g.Views = append(g.Views, v)
	}
	f.Doc = "a union; see the methods " + strings.Join(methods, ", ")
	g.Fields = append(g.Fields, f)
	return nil
}

// pad makes every hole explicit, so that the layout is the same where a
// uint64 is aligned to 4 bytes, and refuses fields that overlap.
func pad(g *goStruct) error {
	var out []goField
	end := int64(0)
	hole := func(to int64) {
		if end < to {
			out = append(out, goField{Name: "_", Type: fmt.Sprintf("[%d]uint8", to-end), Off: end, Size: to - end})
		}
	}
	for _, f := range g.Fields {
		if f.Off < end {
			return fmt.Errorf("%s at %d overlaps what ends at %d", f.Name, f.Off, end)
		}
		hole(f.Off)
		out = append(out, f)
		end = f.Off + f.Size
	}
	hole(g.Size)
	if end > g.Size {
		return fmt.Errorf("fields end at %d, the structure at %d", end, g.Size)
	}
	g.Fields = out
	return nil
}
