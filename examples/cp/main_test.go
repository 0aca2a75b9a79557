//go:build linux

package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
)

func TestCopy(t *testing.T) {
	src, dst := t.TempDir()+"/src", t.TempDir()
	os.MkdirAll(src+"/a/b", 0o755)
	for i := range 50 {
		os.WriteFile(fmt.Sprintf("%s/a/b/%d", src, i), bytes.Repeat([]byte{byte(i)}, i*1000), 0o640)
	}
	os.Symlink("a/b/1", src+"/link")
	var shown bytes.Buffer
	if err := run(t.Context(), &shown, src, dst, false); err == nil || !strings.Contains(err.Error(), "-r") {
		t.Errorf("a directory without -r: %v", err)
	}
	if err := run(t.Context(), &shown, src, dst, true); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("diff", "-r", "--no-dereference", src, dst+"/src").CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
	if s := shown.String(); !strings.Contains(s, "100%") || !strings.Contains(s, "50 files") {
		t.Errorf("it showed %q", s)
	}
	if err := run(t.Context(), &shown, src+"/a/b/7", dst+"/one", false); err != nil {
		t.Error(err)
	}
	if b, _ := os.ReadFile(dst + "/one"); len(b) != 7000 {
		t.Errorf("%d bytes", len(b))
	}
	if err := run(t.Context(), &shown, src+"/none", dst, false); err == nil {
		t.Error("what is not there was copied")
	}
}
