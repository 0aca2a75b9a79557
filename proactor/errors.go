package proactor

import (
	"fmt"
	"os"
)

// ErrClosed is the error of calls on a closed Proactor, and of calls that were in
// flight when it was closed. errors.Is finds os.ErrClosed in it.
var ErrClosed error = fmt.Errorf("proactor: %w", os.ErrClosed)
