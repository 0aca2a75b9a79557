package uring

import "github.com/uring-go/uring/sys"

// probeArgOf is the argument of IORING_REGISTER_PROBE as Probe lays it out.
func probeArgOf(arg sys.Pointer) *probeArg { return (*probeArg)(arg) }
