//go:build linux

package uring_test

import (
	"os/exec"
	"regexp"
	"testing"
)

// GetSQE costs as much as the compiler allows a function that it inlines. If a
// change makes it dearer, every caller pays for a call per entry.
func TestGetSQEIsInlined(t *testing.T) {
	tool, err := exec.LookPath("go")
	if err != nil {
		t.Skip("there is no go command here")
	}
	// The compiler's remarks are kept with the package in the build cache.
	out, err := exec.CommandContext(t.Context(), tool, "build", "-gcflags=-m=2", ".").CombinedOutput()
	if err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	if regexp.MustCompile(`can inline \(\*Ring\)\.GetSQE `).Match(out) {
		return
	}
	why := regexp.MustCompile(`.*inline \(\*Ring\)\.GetSQE.*`).Find(out)
	t.Errorf("GetSQE is not inlined: %s", why)
}
