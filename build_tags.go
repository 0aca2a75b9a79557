//go:build (linux && !cgo && uringcgo) || (uringgo && uringcgo)

package uring

// The tag uringcgo demands the C backend. Without cgo, or together with uringgo,
// which demands the other one, it cannot be had, and this line stops the build.
const _ int = "the build tag uringcgo demands the liburing backend: build with CGO_ENABLED=1 and without the tag uringgo"
