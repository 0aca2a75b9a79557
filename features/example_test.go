package features_test

import (
	"errors"
	"fmt"

	"github.com/uring-go/uring/features"
	"github.com/uring-go/uring/sys"
)

// The three answers, and what a program does with each.
func ExampleHaveOp() {
	err := features.HaveOp(sys.IORING_OP_PIPE)
	switch {
	case err == nil:
		fmt.Println("make pipes through the ring")
	case errors.Is(err, features.ErrNotSupported):
		fmt.Println("make pipes with pipe2")
	default:
		fmt.Println("make pipes with pipe2, and say why:", err)
	}
}
