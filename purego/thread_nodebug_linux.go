//go:build linux && !uringdebug

package purego

const debugThreads = false
