//go:build !linux

package main

import "github.com/uring-go/uring"

// check has one thing to find: that io_uring is not here.
func check() (kernel string, results []finding) {
	_, err := uring.New(nil)
	if err == nil {
		return "", []finding{{Name: "ring", Status: ok, Text: "a ring could be made"}}
	}
	return "", []finding{failed("ring", err)}
}
