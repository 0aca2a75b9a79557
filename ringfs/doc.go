// Package ringfs is package os on io_uring: files and directories, whose operations
// go through a proactor.Proactor.
//
//	p, err := proactor.New(nil)
//	files := ringfs.New(p)
//	f, err := files.Open(ctx, "data")
//	n, err := f.ReadAt(buf, 4096)
//
// An OS names files as package os does. An FS is one directory and what is below it,
// which no name and no symbolic link leaves; it is an fs.FS. Both have ReadFiles, for
// many files at once, and OS has CopyTree.
//
// A File is what an os.File is: safe for many goroutines, with a position that a lock
// guards, and closed while calls are in flight if it must be. Methods that an interface
// of the standard library prescribes have a twin with a context; a context that ends
// cancels the operation, and the call returns when the kernel has let go of its memory.
//
// # When it pays
//
// A single read of what is in the page cache costs as much as with os.File, or a little
// more. It pays to read many places at once (ReadAtv), to read past the page cache with
// many reads in flight, each on a goroutine and none on a thread (O_DIRECT), to read
// many small files (ReadFiles), to write and to sync in one step (WriteSync), and where
// a call must end when its context does. Stat, renames, links, removals and syncs are
// carried out by threads of the kernel: one after the other they are slower than with
// package os.
//
// With O_DIRECT, memory, offset and length of a read or write may be whatever they are;
// Alignment says which take the straight way, and Aligned makes memory that does. Writes
// that begin or end within a block are slower, for they go through the page cache and are
// written back at once; what else writes to the same file meanwhile, through another File
// or past this package, must keep out of those pages.
//
// # Ordinary calls
//
// io_uring has no operation for these, and ordinary system calls carry them out, which
// no context cancels: reading a directory, reading a symbolic link, Seek, Chmod, Chown,
// Chtimes, and copying inside the kernel (copy_file_range). Where io_uring is not
// available at all, the proactor's fall-back carries out everything in that way; see
// proactor.Config.Fallback.
//
// # Errors
//
// They are *fs.PathError and *os.LinkError as in package os, so that errors.Is finds
// fs.ErrNotExist, os.ErrClosed, os.ErrDeadlineExceeded and context.Canceled in them.
// io.EOF is never wrapped.
package ringfs
