//go:build !amd64 || race

package release

import "sync/atomic"

// Store stores v to a ring word with release order.
func Store(p *atomic.Uint32, v uint32) { p.Store(v) }
