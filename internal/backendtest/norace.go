//go:build linux && !race

package backendtest

// Race reports whether the race detector is on.
const Race = false
