// Package gotest has something to test, for the end-to-end test of the runner.
package gotest

import "os"

// Golden returns a file of testdata.
func Golden() string {
	text, err := os.ReadFile("testdata/golden")
	if err != nil {
		return err.Error()
	}
	return string(text)
}
