//go:build linux

// Package kernel finds, fetches and unpacks the kernels that package vm runs.
//
// They are Debian's own: every series that is still in one of its suites, as a
// kernel for QEMU or as user-mode Linux. The packages are fetched with apt-get
// from directories of their own (apt.go), chosen by name (pkgname.go),
// unpacked and kept (image.go). The machine's apt state is only read.
package kernel

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// A Spec names a kernel and the kind of program that it is to run.
type Spec struct {
	Series  string // as in "6.12"
	GOARCH  string // the program's: amd64, 386, arm64, arm, riscv64
	Flavour string // Debian's name of the build, such as cloud-amd64; "" under UML
	UML     bool   // user-mode Linux in place of QEMU
}

// debianArch gives, for each GOARCH, the Debian architecture whose kernel runs it.
var debianArch = map[string]string{
	"amd64": "amd64", "386": "amd64",
	"arm64": "arm64", "arm": "arm64",
	"riscv64": "riscv64",
}

var seriesName = regexp.MustCompile(`^[0-9]+\.[0-9]+$`)

// ParseSpec reads SERIES or SERIES/VARIANT. VARIANT is "uml", a GOARCH, or a
// flavour of Debian's, such as rt-amd64 or arm64-16k. Without one it is amd64.
func ParseSpec(s string) (Spec, error) {
	series, variant, slash := strings.Cut(s, "/")
	if !seriesName.MatchString(series) {
		return Spec{}, fmt.Errorf("kernel %q: %q is not a series such as 6.12", s, series)
	}
	spec := Spec{Series: series, GOARCH: "amd64"}
	switch {
	case !slash:
	case variant == "uml":
		spec.UML = true
		return spec, nil
	case debianArch[variant] != "":
		spec.GOARCH = variant
	default:
		// A flavour holds its architecture: rt-amd64, arm64-16k, riscv64.
		spec.Flavour = variant
		parts := strings.Split(variant, "-")
		i := slices.IndexFunc(parts, func(p string) bool { return debianArch[p] != "" })
		if len(parts) < 2 || i < 0 {
			return Spec{}, fmt.Errorf("kernel %q: %q is neither uml, nor an architecture (amd64, 386, arm64, arm, riscv64), nor a flavour with one in it (rt-amd64, arm64-16k)", s, variant)
		}
		spec.GOARCH = parts[i]
		return spec, nil
	}
	spec.Flavour = defaultFlavour(spec.Arch())
	return spec, nil
}

// For returns the spec that runs a program of the given GOARCH on this kernel,
// or an error when its architecture cannot.
func (s Spec) For(goarch string) (Spec, error) {
	arch := debianArch[goarch]
	switch {
	case s.UML && goarch != "amd64":
		return s, fmt.Errorf("kernel %v: user-mode Linux runs amd64 programs only, not %s", s, goarch)
	case arch == "":
		return s, fmt.Errorf("kernel %v: no kernel for %s is known", s, goarch)
	case arch != s.Arch():
		return s, fmt.Errorf("kernel %v: it is for %s and cannot run a program for %s", s, s.Arch(), goarch)
	}
	s.GOARCH = goarch
	return s, nil
}

// Arch returns the Debian architecture of the kernel.
func (s Spec) Arch() string { return debianArch[s.GOARCH] }

// String returns the form that ParseSpec reads.
func (s Spec) String() string {
	switch {
	case s.UML:
		return s.Series + "/uml"
	case s.Flavour != defaultFlavour(s.Arch()):
		return s.Series + "/" + s.Flavour
	case s.GOARCH != "amd64":
		return s.Series + "/" + s.GOARCH
	}
	return s.Series
}

// dir is the name of its place in the cache: one per kernel, whatever it runs.
func (s Spec) dir() string {
	if s.UML {
		return s.Series + "-uml"
	}
	return s.Series + "-" + s.Flavour
}

// defaultFlavour prefers the kernels for virtual machines: they are small, and
// have all drivers that the guest needs built in.
func defaultFlavour(arch string) string {
	if arch == "riscv64" {
		return "riscv64" // there is no cloud flavour
	}
	return "cloud-" + arch
}

// Known lists the kernels that were seen to work. Others may: Fetch looks for
// any series.
func Known() []Spec {
	var list []Spec
	for _, s := range []string{
		"5.10", "6.1", "6.12", "6.16", "6.17", "6.18", "6.19", "7.0", "7.1", "7.2", "7.3",
		"5.10/uml", "6.1/uml", "6.12/uml", "7.2/uml",
		"6.1/arm64", "6.12/arm64", "7.2/arm64", "6.12/arm64-16k",
		"6.12/riscv64", "5.10/386", "6.12/386", "7.2/386",
		"6.12/rt-amd64",
	} {
		spec, err := ParseSpec(s)
		if err != nil {
			panic(err) // the list above is at fault, and a test reads it
		}
		list = append(list, spec)
	}
	return list
}

// suites returns where to look for a kernel, the likeliest first.
func (s Spec) suites() []string {
	switch s.Series {
	case "5.10":
		return []string{"bullseye"}
	case "6.1":
		return []string{"bookworm"}
	case "6.12":
		return []string{"trixie", "bookworm-backports"}
	}
	if s.UML {
		return []string{"forky", "sid", "experimental"}
	}
	return []string{"trixie-backports", "forky", "sid", "experimental"}
}
