//go:build linux

package kernel

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseSpec(t *testing.T) {
	tests := []struct {
		in   string
		want Spec
		arch string
	}{
		{"6.12", Spec{Series: "6.12", GOARCH: "amd64", Flavour: "cloud-amd64"}, "amd64"},
		{"5.10/uml", Spec{Series: "5.10", GOARCH: "amd64", UML: true}, "amd64"},
		{"6.12/386", Spec{Series: "6.12", GOARCH: "386", Flavour: "cloud-amd64"}, "amd64"},
		{"6.12/arm64", Spec{Series: "6.12", GOARCH: "arm64", Flavour: "cloud-arm64"}, "arm64"},
		{"6.12/arm", Spec{Series: "6.12", GOARCH: "arm", Flavour: "cloud-arm64"}, "arm64"},
		{"6.12/arm64-16k", Spec{Series: "6.12", GOARCH: "arm64", Flavour: "arm64-16k"}, "arm64"},
		{"6.12/riscv64", Spec{Series: "6.12", GOARCH: "riscv64", Flavour: "riscv64"}, "riscv64"},
		{"7.2/rt-amd64", Spec{Series: "7.2", GOARCH: "amd64", Flavour: "rt-amd64"}, "amd64"},
	}
	for _, tt := range tests {
		got, err := ParseSpec(tt.in)
		if err != nil {
			t.Errorf("ParseSpec(%q): %v", tt.in, err)
			continue
		}
		if d := cmp.Diff(tt.want, got); d != "" {
			t.Errorf("ParseSpec(%q) (-want +got):\n%s", tt.in, d)
		}
		if got.Arch() != tt.arch || got.String() != tt.in {
			t.Errorf("ParseSpec(%q): Arch %q, want %q; String %q", tt.in, got.Arch(), tt.arch, got)
		}
	}
	if s, err := ParseSpec("6.12/amd64"); err != nil || s.String() != "6.12" {
		t.Errorf("6.12/amd64 is %v, %v, want 6.12", s, err)
	}
	for _, in := range []string{"", "6", "6.12.1", "v6.12", "latest", "6.12/", "6.12/mips", "6.12/rt", "6.12/uml/x", "/uml"} {
		if s, err := ParseSpec(in); err == nil {
			t.Errorf("ParseSpec(%q) = %+v, want an error", in, s)
		} else if !strings.Contains(err.Error(), `"`+in+`"`) {
			t.Errorf("ParseSpec(%q): the error %q does not name it", in, err)
		}
	}
}

func TestSpecFor(t *testing.T) {
	for _, tt := range []struct {
		spec, goarch, want string // want "" for an error
	}{
		{"6.12/rt-amd64", "amd64", "6.12/rt-amd64"},
		{"6.12/rt-amd64", "386", "6.12/rt-amd64"},
		{"6.12/arm64", "arm", "6.12/arm"},
		{"6.12/arm64", "amd64", ""},
		{"6.12/uml", "amd64", "6.12/uml"},
		{"6.12/uml", "386", ""},
		{"6.12/386", "s390x", ""},
	} {
		spec, err := ParseSpec(tt.spec)
		if err != nil {
			t.Fatal(err)
		}
		got, err := spec.For(tt.goarch)
		switch {
		case tt.want == "" && err == nil:
			t.Errorf("%s for %s: %v, want an error", tt.spec, tt.goarch, got)
		case tt.want != "" && (err != nil || got.String() != tt.want || got.GOARCH != tt.goarch):
			t.Errorf("%s for %s: %+v, %v, want %s", tt.spec, tt.goarch, got, err, tt.want)
		}
	}
}

// Known panics on a bad entry; its entries must also be distinct.
func TestKnown(t *testing.T) {
	seen := map[string]bool{}
	for _, spec := range Known() {
		if seen[spec.String()] {
			t.Errorf("%v is listed twice", spec)
		}
		seen[spec.String()] = true
		if len(spec.suites()) == 0 {
			t.Errorf("%v: no suite to look in", spec)
		}
	}
}

// Programs of two architectures share a kernel, and nothing else does.
func TestCacheDirs(t *testing.T) {
	kernels := map[string]Spec{}
	for _, spec := range Known() {
		other, ok := kernels[spec.dir()]
		if ok && (other.Arch() != spec.Arch() || other.UML != spec.UML || other.Series != spec.Series || other.Flavour != spec.Flavour) {
			t.Errorf("%v and %v have the same place in the cache, %s", spec, other, spec.dir())
		}
		kernels[spec.dir()] = spec
	}
}
