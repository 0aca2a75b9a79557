package scenario

import "sync"

// A Need is something that the kernel must be able to do for a scenario to make
// sense. Met asks it; an error means that it could not be told.
type Need struct {
	What string
	ask  func() (bool, error)
}

// Met asks the kernel, once in a program.
func (n Need) Met() (bool, error) {
	once, _ := answers.LoadOrStore(n.What, sync.OnceValues(n.ask))
	return once.(func() (bool, error))()
}

// answers holds what the kernel said, by Need.What.
var answers sync.Map
