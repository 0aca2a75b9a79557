//go:build linux

package kernel

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParsePkgName(t *testing.T) {
	tests := []struct {
		name, flavour    string
		version          string // "" if it is no kernel of the flavour
		binary, unsigned bool
	}{
		{"linux-image-5.10.0-32-cloud-amd64", "cloud-amd64", "5.10.0-32", false, false},
		{"linux-image-6.1.0-0.deb11.5-cloud-amd64", "cloud-amd64", "6.1.0-0.deb11.5", false, false},
		{"linux-image-6.12.107+deb13-cloud-amd64", "cloud-amd64", "6.12.107+deb13", false, false},
		{"linux-image-6.12.107+deb13-cloud-amd64-unsigned", "cloud-amd64", "6.12.107+deb13", false, true},
		{"linux-binary-6.19.14+deb13-cloud-amd64", "cloud-amd64", "6.19.14+deb13", true, false},
		{"linux-binary-unsigned-7.3.4+deb13-cloud-amd64", "cloud-amd64", "7.3.4+deb13", true, true},
		{"linux-binary-7.3-cloud-amd64", "cloud-amd64", "7.3", true, false},
		{"linux-binary-7.4-rc1-cloud-amd64", "cloud-amd64", "7.4-rc1", true, false},
		{"linux-image-6.12.107+deb13-arm64-16k", "arm64-16k", "6.12.107+deb13", false, false},
		{"linux-image-6.12.107+deb13-riscv64", "riscv64", "6.12.107+deb13", false, false},
		// another flavour
		{"linux-image-6.12.107+deb13-cloud-amd64", "amd64", "", false, false},
		{"linux-image-6.1.0-50-rt-amd64", "amd64", "", false, false},
		{"linux-image-6.1.0-50-amd64", "cloud-amd64", "", false, false},
		// without a version, or not an image
		{"linux-image-cloud-amd64", "cloud-amd64", "", false, false},
		{"linux-image-amd64", "amd64", "", false, false},
		{"linux-image-6.1.0-50-cloud-amd64-dbg", "cloud-amd64", "", false, false},
		{"linux-headers-6.1.0-50-cloud-amd64", "cloud-amd64", "", false, false},
		{"linux-modules-7.3-cloud-amd64", "cloud-amd64", "", false, false},
		{"linux-image-", "cloud-amd64", "", false, false},
	}
	for _, tt := range tests {
		p, ok := parsePkgName(tt.name, tt.flavour)
		if ok != (tt.version != "") {
			t.Errorf("%s as %s: %v (%+v)", tt.name, tt.flavour, ok, p)
			continue
		}
		if ok && (p.full != tt.name || p.version != tt.version || p.binary != tt.binary || p.unsigned != tt.unsigned) {
			t.Errorf("%s as %s: %+v, want version %q, binary %v, unsigned %v", tt.name, tt.flavour, p, tt.version, tt.binary, tt.unsigned)
		}
	}
}

func TestChoose(t *testing.T) {
	names := []string{
		"linux-image-6.1.0-9-cloud-amd64",
		"linux-image-6.1.0-50-cloud-amd64",
		"linux-image-6.12.107+deb13-cloud-amd64",
		"linux-image-6.12.94+deb13-cloud-amd64",
		"linux-image-6.12.107+deb13-cloud-amd64-unsigned",
		"linux-image-6.12.200+deb13-rt-amd64",
		"linux-image-7.3.4+deb13-cloud-amd64",
		"linux-binary-7.3.4+deb13-cloud-amd64",
		"linux-binary-unsigned-7.3.5+deb13-cloud-amd64",
		"linux-binary-7.3-rc7-cloud-amd64",
		"linux-binary-7.3-cloud-amd64",
	}
	for series, want := range map[string][]string{
		"6.1": {"linux-image-6.1.0-50-cloud-amd64", "linux-image-6.1.0-9-cloud-amd64"},
		"6.12": {
			"linux-image-6.12.107+deb13-cloud-amd64", "linux-image-6.12.107+deb13-cloud-amd64-unsigned",
			"linux-image-6.12.94+deb13-cloud-amd64",
		},
		"7.3": {
			"linux-binary-unsigned-7.3.5+deb13-cloud-amd64",
			"linux-binary-7.3.4+deb13-cloud-amd64", "linux-image-7.3.4+deb13-cloud-amd64",
			"linux-binary-7.3-cloud-amd64", "linux-binary-7.3-rc7-cloud-amd64",
		},
		"7.4": {},
	} {
		if d := cmp.Diff(want, choose(names, series, "cloud-amd64")); d != "" {
			t.Errorf("choose %s (-want +got):\n%s", series, d)
		}
	}
}

func TestCompareVersions(t *testing.T) {
	ascending := []string{"5.10.0-9", "5.10.0-32", "6.1.0-50", "6.12.9+deb13", "6.12.94+deb13", "6.12.107+deb13", "7.3-rc2", "7.3-rc10", "7.3", "7.3.4+deb13", "10.0"}
	for i, a := range ascending {
		for j, b := range ascending {
			want := compareBool(i > j, false) - compareBool(i < j, false)
			if got := compareVersions(a, b); got != want {
				t.Errorf("compareVersions(%q, %q) = %d, want %d", a, b, got, want)
			}
		}
	}
}

func TestUMLSeries(t *testing.T) {
	for version, series := range map[string]string{"5.10um3+b1": "5.10", "6.1um4+b13": "6.1", "6.12um1+b21": "6.12", "7.2um1": "7.2"} {
		for _, s := range []string{"5.1", "5.10", "6.1", "6.12", "7.2"} {
			if got, want := (pkgName{version: version}).inSeries(s), s == series; got != want {
				t.Errorf("version %s in series %s: %v", version, s, got)
			}
		}
	}
}

func TestDebianSite(t *testing.T) {
	for lines, want := range map[string]string{
		"":                         "",
		"Ubuntu|Ubuntu|http://u\n": "",
		"Debian|Debian-Security|http://s\nDebian|Debian|http://d/debian\n": "http://d/debian",
		"Debian|Debian|\n": "",
		"garbage\n||\n":    "",
	} {
		if got := debianSite(lines); got != want {
			t.Errorf("debianSite(%q) = %q, want %q", lines, got, want)
		}
	}
}
