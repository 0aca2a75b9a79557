//go:build !linux

package random

import "github.com/uring-go/uring/internal/scenario"

func (p Program) run(*scenario.Run) {}
