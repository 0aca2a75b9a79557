//go:build !linux || !cgo

package liburing

import (
	"errors"
	"testing"

	"github.com/uring-go/uring/sys"
)

// Without cgo the package says so, and a zero Ring does nothing.
func TestStub(t *testing.T) {
	if r, err := New(8, nil); r != nil || !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("New = %v, %v", r, err)
	}
	if r, n, err := NewMem(8, nil, nil); r != nil || n != 0 || !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("NewMem = %v, %d, %v", r, n, err)
	}
	if r, err := Adopt(nil); r != nil || !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("Adopt = %v, %v", r, err)
	}
	if Version() != "" || HeaderVersion() != "" {
		t.Errorf("versions %q and %q", Version(), HeaderVersion())
	}
	r := new(Ring)
	if n, err := r.Submit(sys.Wait{}); n != 0 || !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("Submit = %d, %v", n, err)
	}
	for what, err := range map[string]error{
		"Wait": r.Wait(sys.Wait{}), "RegisterRingFd": r.RegisterRingFd(), "UnregisterRingFd": r.UnregisterRingFd(),
		"CloseRingFd": r.CloseRingFd(), "Resize": r.Resize(8, nil), "Close": r.Close(),
		"Flush": r.Flush(), "DontFork": r.DontFork(),
	} {
		if !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if r.Queue() != nil || r.Ready() != 0 || r.Peek(nil) != 0 || r.Peek32(nil) != 0 || r.Fd() != -1 || r.Pointer() != nil || r.Shared() || r.Adopted() {
		t.Error("a Ring that cannot exist does something")
	}
}
