//go:build linux

// Which package holds the kernel: names and their order.

package kernel

import (
	"cmp"
	"slices"
	"strings"
)

// A pkgName is the name of a kernel package, taken apart.
type pkgName struct {
	full     string
	version  string // "6.12.107+deb13", "6.1.0-50", "7.3"
	binary   bool   // linux-binary-…: holds the image alone
	unsigned bool   // the image without a signature for secure boot
}

// parsePkgName takes the name of a kernel package of the given flavour apart.
//
// Up to 6.18 the kernel is in linux-image-VERSION-FLAVOUR. From 6.19 on that is
// an empty wrapper, and the kernel is in linux-binary-VERSION-FLAVOUR. Unsigned
// twins are linux-image-VERSION-FLAVOUR-unsigned and
// linux-binary-unsigned-VERSION-FLAVOUR; they come a few days earlier.
func parsePkgName(name, flavour string) (pkgName, bool) {
	p := pkgName{full: name}
	rest, ok := strings.CutPrefix(name, "linux-image-")
	if !ok {
		if rest, ok = strings.CutPrefix(name, "linux-binary-"); !ok {
			return p, false
		}
		p.binary = true
	}
	var before, after bool
	rest, before = strings.CutPrefix(rest, "unsigned-")
	rest, after = strings.CutSuffix(rest, "-unsigned")
	p.unsigned = before || after
	p.version, ok = strings.CutSuffix(rest, "-"+flavour)
	// Without a version in it the name is a meta package. A version that holds
	// more than digits and dots after its dash is another flavour, such as
	// "6.12.107+deb13-cloud" before "amd64".
	if !ok || p.version == "" || p.version[0] < '0' || p.version[0] > '9' {
		return p, false
	}
	if _, abi, dash := strings.Cut(p.version, "-"); dash && !isABI(abi) {
		return p, false
	}
	return p, true
}

// isABI reports whether s is what may follow the dash of a version: a number,
// a release candidate, or one of them with Debian's own suffix.
func isABI(s string) bool {
	s = strings.TrimPrefix(s, "rc")
	return s != "" && s[0] >= '0' && s[0] <= '9' && !strings.Contains(s, "-")
}

// inSeries reports whether the package's kernel belongs to the series.
func (p pkgName) inSeries(series string) bool {
	rest, ok := strings.CutPrefix(p.version, series)
	return ok && (rest == "" || rest[0] < '0' || rest[0] > '9')
}

// choose returns the names of the packages that hold a kernel of the series and
// flavour, the best first: the highest version, linux-binary before
// linux-image (which may be a wrapper), signed before unsigned.
func choose(names []string, series, flavour string) []string {
	var list []pkgName
	for _, name := range names {
		if p, ok := parsePkgName(name, flavour); ok && p.inSeries(series) {
			list = append(list, p)
		}
	}
	slices.SortFunc(list, func(a, b pkgName) int {
		return cmp.Or(
			compareVersions(b.version, a.version),
			compareBool(b.binary, a.binary),
			compareBool(a.unsigned, b.unsigned),
		)
	})
	full := make([]string, len(list))
	for i, p := range list {
		full[i] = p.full
	}
	return full
}

// compareVersions orders versions as people read them: runs of digits by their
// value, all else by its characters, and a release candidate before its release.
func compareVersions(a, b string) int {
	for a != "" || b != "" {
		var an, bn string
		an, a = cutDigits(a)
		bn, b = cutDigits(b)
		an, bn = strings.TrimLeft(an, "0"), strings.TrimLeft(bn, "0")
		if c := cmp.Or(cmp.Compare(len(an), len(bn)), strings.Compare(an, bn)); c != 0 {
			return c
		}
		an, a = cutOther(a)
		bn, b = cutOther(b)
		if an != bn {
			if c := compareBool(strings.HasPrefix(bn, "-rc"), strings.HasPrefix(an, "-rc")); c != 0 {
				return c
			}
			return strings.Compare(an, bn)
		}
	}
	return 0
}

func cutDigits(s string) (digits, rest string) {
	n := len(s) - len(strings.TrimLeft(s, "0123456789"))
	return s[:n], s[n:]
}

func cutOther(s string) (other, rest string) {
	if n := strings.IndexAny(s, "0123456789"); n >= 0 {
		return s[:n], s[n:]
	}
	return s, ""
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}
