package sys_test

import (
	"fmt"
	"regexp"
	"testing"

	"github.com/uring-go/uring/sys"
)

// since gives the Since method of a constant of the named type.
var since = map[string]func(uint64) string{
	"Op":         func(v uint64) string { return sys.Op(v).Since() },
	"RegisterOp": func(v uint64) string { return sys.RegisterOp(v).Since() },
	"SQEFlags":   func(v uint64) string { return sys.SQEFlags(v).Since() },
	"SetupFlags": func(v uint64) string { return sys.SetupFlags(v).Since() },
	"FeatFlags":  func(v uint64) string { return sys.FeatFlags(v).Since() },
	"EnterFlags": func(v uint64) string { return sys.EnterFlags(v).Since() },
}

// TestSinceComplete demands a release for every generated constant: a new
// header brings a failure here until someone has found out.
func TestSinceComplete(t *testing.T) {
	release := regexp.MustCompile(`^(5\.([1-9]|1[0-9])|6\.([0-9]|1[0-9])|[7-9]\.[0-9]+)$`)
	n := map[string]int{}
	for _, c := range cConsts {
		f := since[c.Type]
		if f == nil {
			continue
		}
		got := f(c.Bits)
		if c.C == "IORING_OP_LAST" || c.C == "IORING_REGISTER_LAST" {
			if got != "" {
				t.Errorf("%s has Since %q, but is no operation", c.C, got)
			}
			continue
		}
		n[c.Type]++
		if !release.MatchString(got) {
			t.Errorf("%s has Since %q, want a release", c.C, got)
		}
	}
	for name := range since {
		if n[name] < 7 {
			t.Errorf("%d constants of type %s; the table is cut short", n[name], name)
		}
	}
}

// TestSinceOrder: numbers are given out in order, so releases do not go back.
func TestSinceOrder(t *testing.T) {
	late := map[string]string{
		// Numbered before the operation that follows it, merged after.
		"IORING_REGISTER_ZCRX_IFQ": "6.15",
	}
	type release struct{ major, minor int }
	last := map[string]release{}
	for _, c := range cConsts {
		f := since[c.Type]
		if f == nil || c.C == "IORING_OP_LAST" || c.C == "IORING_REGISTER_LAST" || c.C == "IORING_REGISTER_USE_REGISTERED_RING" {
			continue
		}
		var r release
		if _, err := fmt.Sscanf(f(c.Bits), "%d.%d", &r.major, &r.minor); err != nil {
			t.Errorf("%s: %v", c.C, err)
			continue
		}
		if want, ok := late[c.C]; ok {
			if f(c.Bits) != want {
				t.Errorf("%s has Since %s, want %s", c.C, f(c.Bits), want)
			}
			continue
		}
		if l := last[c.Type]; r.major < l.major || r.major == l.major && r.minor < l.minor {
			t.Errorf("%s came in %d.%d, but what is numbered before it in %d.%d", c.C, r.major, r.minor, l.major, l.minor)
		}
		last[c.Type] = r
	}
}

// TestSince spells some out, and what is not a single known value.
func TestSince(t *testing.T) {
	for _, tt := range []struct {
		what fmt.Stringer
		got  string
		want string
	}{
		{sys.IORING_OP_READ, sys.IORING_OP_READ.Since(), "5.6"},
		{sys.IORING_OP_LAST, sys.IORING_OP_LAST.Since(), ""},
		{sys.Op(255), sys.Op(255).Since(), ""},
		{sys.IORING_SETUP_DEFER_TASKRUN, sys.IORING_SETUP_DEFER_TASKRUN.Since(), "6.1"},
		{sys.IORING_SETUP_NO_SQARRAY, sys.IORING_SETUP_NO_SQARRAY.Since(), "6.6"},
		{sys.IORING_SETUP_SQ_REWIND, sys.IORING_SETUP_SQ_REWIND.Since(), "7.0"},
		{sys.IORING_SETUP_SQPOLL | sys.IORING_SETUP_SQ_AFF, (sys.IORING_SETUP_SQPOLL | sys.IORING_SETUP_SQ_AFF).Since(), ""},
		{sys.SetupFlags(0), sys.SetupFlags(0).Since(), ""},
		{sys.SetupFlags(1 << 31), sys.SetupFlags(1 << 31).Since(), ""},
		{sys.IORING_FEAT_EXT_ARG, sys.IORING_FEAT_EXT_ARG.Since(), "5.11"},
		{sys.IORING_FEAT_NO_IOWAIT, sys.IORING_FEAT_NO_IOWAIT.Since(), "6.15"},
		{sys.IORING_ENTER_EXT_ARG_REG, sys.IORING_ENTER_EXT_ARG_REG.Since(), "6.13"},
		{sys.IOSQE_CQE_SKIP_SUCCESS, sys.IOSQE_CQE_SKIP_SUCCESS.Since(), "5.17"},
		{sys.IORING_REGISTER_QUERY, sys.IORING_REGISTER_QUERY.Since(), "6.18"},
		{sys.IORING_REGISTER_USE_REGISTERED_RING, sys.IORING_REGISTER_USE_REGISTERED_RING.Since(), "6.3"},
		{sys.IORING_REGISTER_PROBE | sys.IORING_REGISTER_USE_REGISTERED_RING, (sys.IORING_REGISTER_PROBE | sys.IORING_REGISTER_USE_REGISTERED_RING).Since(), "6.3"},
		{sys.IORING_REGISTER_QUERY | sys.IORING_REGISTER_USE_REGISTERED_RING, (sys.IORING_REGISTER_QUERY | sys.IORING_REGISTER_USE_REGISTERED_RING).Since(), "6.18"},
		{sys.IORING_REGISTER_LAST | sys.IORING_REGISTER_USE_REGISTERED_RING, (sys.IORING_REGISTER_LAST | sys.IORING_REGISTER_USE_REGISTERED_RING).Since(), ""},
	} {
		if tt.got != tt.want {
			t.Errorf("%v: Since %q, want %q", tt.what, tt.got, tt.want)
		}
	}
}
