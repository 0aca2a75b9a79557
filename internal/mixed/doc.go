//go:build !linux || !cgo || uringgo

// Package mixed is the C half of the tests in which C and Go use one ring. This
// build has none.
package mixed
