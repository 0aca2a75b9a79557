//go:build failing

package gotest

import "testing"

func TestFailing(t *testing.T) { t.Error("as asked") }
