package uring

// What New fails with. hint_linux.go finds the hint.

// A SetupError says why New could not make a ring. Hint, if not empty, is what
// the system itself answered when it was asked for the reason, and what can be
// done about it.
type SetupError struct {
	Err  error
	Hint string
}

func (e *SetupError) Error() string {
	if e.Hint == "" {
		return e.Err.Error()
	}
	return e.Err.Error() + ": " + e.Hint
}

func (e *SetupError) Unwrap() error { return e.Err }
