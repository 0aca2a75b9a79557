//go:build linux && cgo && !uringgo

// Package cref calls liburing's inline functions, so that tests can compare
// what this module computes with what C computes. Nothing else may import it.
// It is a package of its own because test files cannot use cgo; liburing's
// library is not linked, for all it uses is in the header.
package cref

// #cgo CFLAGS: -D_GNU_SOURCE -Werror=implicit-function-declaration
// #include "cref.h"
import "C"

import (
	"unsafe"

	"github.com/uring-go/uring/sys"
)

// MaxArgs is the number of integers that describe a call; the last ones may be
// unused.
const MaxArgs = 8

// Version returns the version of the liburing header that this was compiled
// with.
func Version() (major, minor int) {
	return int(C.cref_liburing_major()), int(C.cref_liburing_minor())
}

// PrepNames returns the names of the prep functions in that header, as far as
// this package knows them. A function's index is its number for Prep.
func PrepNames() []string {
	names := make([]string, C.cref_prep_count())
	for i := range names {
		names[i] = C.GoString(C.cref_prep_name(C.int(i)))
	}
	return names
}

// HasInitialize reports whether Prep can initialize: liburing's get_sqe clears
// an entry since 2.6; before, every prep function did.
func HasInitialize() bool {
	major, minor := Version()
	return major > 2 || major == 2 && minor >= 6
}

// Prep calls function number i on each of the entries, with the arguments of the
// same index: numbers as they are, signed ones sign-extended, addresses as
// integers. If initialize is set, and HasInitialize is, an entry is first
// cleared as liburing's get_sqe does.
func Prep(i int, initialize bool, entries []sys.SQE128, args [][MaxArgs]uint64) {
	if i < 0 || i >= int(C.cref_prep_count()) || len(entries) != len(args) {
		panic("cref: Prep: no such function, or not one set of arguments for each entry")
	}
	if len(entries) == 0 {
		return
	}
	var init C.int
	if initialize {
		init = 1
	}
	C.cref_prep(C.int(i), init, unsafe.Pointer(&entries[0]), C.size_t(unsafe.Sizeof(entries[0])),
		(*C.uint64_t)(unsafe.Pointer(&args[0])), MaxArgs, C.size_t(len(entries)))
}
