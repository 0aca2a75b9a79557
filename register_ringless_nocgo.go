//go:build !linux || !cgo || uringgo

package uring

import "github.com/uring-go/uring/purego"

// registerRingless is the default backend's io_uring_register(2) without a ring.
var registerRingless ringless = purego.RegisterRingless
