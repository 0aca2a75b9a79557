package main

import "github.com/uring-go/uring/liburing"

func libraryVersion() string { return liburing.Version() }
