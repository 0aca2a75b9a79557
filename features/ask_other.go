//go:build !linux

package features

import (
	"runtime"

	"github.com/uring-go/uring/sys"
)

// io_uring exists on Linux only, so the answer to everything is no.

func notHere() error { return &missing{"io_uring does not exist on " + runtime.GOOS} }

func askSetup(sys.SetupFlags) error      { return notHere() }
func askFeature(sys.FeatFlags) error     { return notHere() }
func askOp(sys.Op) error                 { return notHere() }
func askRegisterOp(sys.RegisterOp) error { return notHere() }
func askEnter(sys.EnterFlags) error      { return notHere() }
func askSQEFlag(sys.SQEFlags) error      { return notHere() }
func askBehaviour(int) error             { return notHere() }

func kernelRelease() string { return "" }
