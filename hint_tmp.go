package uring

import "github.com/uring-go/uring/sys"

func setupError(err error, entries uint32, p sys.Params) error { return &SetupError{Err: err} }
