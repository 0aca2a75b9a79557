package gotest

import "testing"

func TestGolden(t *testing.T) {
	if got := Golden(); got != "golden\n" {
		t.Errorf("golden file: %q", got)
	}
}
