//go:build linux && !uringdebug

package backendtest

// DebugThreads reports whether purego checks the thread in every call.
const DebugThreads = false
