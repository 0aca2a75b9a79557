//go:build linux && cgo

package liburing

// Which liburing this build has: the header it was compiled with, and the
// library it runs with.

/*
#include "shim.h"
*/
import "C"

import (
	"fmt"

	"github.com/uring-go/uring/sys"
)

// Version returns the version of the library that is running, such as "2.15".
// Libraries before 2.4 cannot tell; for them it is "2.3 or older".
func Version() string {
	if major, minor, ok := library(); ok {
		return fmt.Sprintf("%d.%d", major, minor)
	}
	return "2.3 or older"
}

// HeaderVersion returns the version of the header that this package was
// compiled with. Headers before 2.4 do not say; for them it is "2.3".
func HeaderVersion() string { return headerVersion() }

func headerVersion() string {
	return fmt.Sprintf("%d.%d", C.IO_URING_VERSION_MAJOR, C.IO_URING_VERSION_MINOR)
}

func library() (major, minor int, ok bool) {
	var a, b C.int
	known := C.uring_library(&a, &b)
	return int(a), int(b), known != 0
}

// header reports whether the header is that version or newer.
func header(major, minor int) bool {
	m, n := int(C.IO_URING_VERSION_MAJOR), int(C.IO_URING_VERSION_MINOR)
	return m > major || m == major && n >= minor
}

// setupNeeds names the setup flags that change what the library itself must do,
// and since when it does. An older one would take such a ring for an ordinary
// one and write where it must not.
var setupNeeds = []struct {
	flag         sys.SetupFlags
	major, minor int
}{
	{sys.IORING_SETUP_NO_MMAP | sys.IORING_SETUP_REGISTERED_FD_ONLY, 2, 5},
	{sys.IORING_SETUP_NO_SQARRAY, 2, 6},
	{sys.IORING_SETUP_CQE_MIXED | sys.IORING_SETUP_SQE_MIXED, 2, 13},
	{sys.IORING_SETUP_SQ_REWIND, 2, 14},
}

// usable tells why this library cannot make a ring with these flags.
func usable(flags sys.SetupFlags) error {
	major, minor, ok := library()
	if !ok {
		major, minor = 2, 3
	}
	h, l := [2]int{C.IO_URING_VERSION_MAJOR, C.IO_URING_VERSION_MINOR}, [2]int{major, minor}
	if l[0] < h[0] || l[0] == h[0] && l[1] < h[1] {
		return fmt.Errorf("uring: this program was compiled with liburing %s and runs with %s, which is older and lays out its structures differently: install liburing %s or newer, or compile again", headerVersion(), Version(), headerVersion())
	}
	for _, n := range setupNeeds {
		if bad := flags & n.flag; bad != 0 && !header(n.major, n.minor) {
			return tooOld(bad.String(), fmt.Sprintf("%d.%d", n.major, n.minor))
		}
	}
	return nil
}
