//go:build linux

// Cp copies files and directories through io_uring, and shows how far it is.
//
//	cp [-r] [-q] SOURCE DEST
//
// If DEST is a directory, the copy is made in it. Permission bits, times, symbolic links
// and holes are preserved.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"time"

	"github.com/uring-go/uring/proactor"
	"github.com/uring-go/uring/ringfs"
)

func main() {
	recursive := flag.Bool("r", false, "copy directories")
	quiet := flag.Bool("q", false, "do not show how far it is")
	flag.Usage = func() {
		fmt.Fprintln(os.Stderr, "usage: cp [-r] [-q] SOURCE DEST")
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() != 2 {
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var to io.Writer = os.Stderr
	if *quiet {
		to = io.Discard
	}
	if err := run(ctx, to, flag.Arg(0), flag.Arg(1), *recursive); err != nil {
		fmt.Fprintln(os.Stderr, "cp:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, to io.Writer, src, dst string, recursive bool) error {
	p, err := proactor.New(nil)
	if err != nil {
		return err
	}
	defer p.Close()
	files := ringfs.New(p)
	info, err := files.Lstat(ctx, src)
	if err != nil {
		return err
	}
	if info.IsDir() && !recursive {
		return fmt.Errorf("%s is a directory; -r copies it", src)
	}
	if at, err := files.Stat(ctx, dst); err == nil && at.IsDir() {
		dst = filepath.Join(dst, filepath.Base(filepath.Clean(src)))
	}
	b := bar{to: to, total: size(src)}
	done, err := files.CopyTree(ctx, dst, src, &ringfs.CopyOptions{Progress: b.show})
	if err != nil {
		fmt.Fprintln(to)
		return err
	}
	b.last = time.Time{}
	b.show(done)
	fmt.Fprintln(to)
	return nil
}

// size is how many bytes there are to copy, as far as that can be known.
func size(src string) (total int64) {
	filepath.WalkDir(src, func(_ string, d fs.DirEntry, err error) error {
		if err != nil {
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			return fs.SkipDir // copying will say why
		}
		if d.Type().IsRegular() {
			if info, err := d.Info(); err == nil {
				total += info.Size()
			}
		}
		return nil
	})
	return total
}

// bar draws a progress bar, not more often than anybody can see.
type bar struct {
	to    io.Writer
	total int64
	last  time.Time
}

func (b *bar) show(p ringfs.CopyProgress) {
	if time.Since(b.last) < 50*time.Millisecond {
		return
	}
	b.last = time.Now()
	const width = 30
	part := 1.0
	if b.total > 0 {
		part = min(1, float64(p.Bytes)/float64(b.total))
	}
	full := int(part * width)
	fmt.Fprintf(b.to, "\r[%s%s] %3.0f%%  %d files  %.1f of %.1f MiB ", strings.Repeat("=", full), strings.Repeat(" ", width-full), 100*part,
		p.Files, float64(p.Bytes)/(1<<20), float64(b.total)/(1<<20))
}
