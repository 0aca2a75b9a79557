//go:build linux

package ringfs_test

// SQLite's operating system, on package ringfs. Locks are for the connections of this
// process.

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/vfs"
	"golang.org/x/sys/unix"

	"github.com/uring-go/uring/ringfs"
)

// ringVFS is a vfs.VFS.
type ringVFS struct {
	files *ringfs.OS
	extra int // flags for databases, such as O_DIRECT

	mu    sync.Mutex
	locks map[string]*locks
}

// locks are those of one database.
type locks struct {
	shared   int
	reserved bool
	pending  bool // nobody may begin to read
	writing  bool // an exclusive lock
}

var background = context.Background()

func (v *ringVFS) Open(name string, flags vfs.OpenFlag) (vfs.File, vfs.OpenFlag, error) {
	flag := os.O_RDONLY
	if flags&vfs.OPEN_READWRITE != 0 {
		flag = os.O_RDWR
	}
	if flags&vfs.OPEN_CREATE != 0 {
		flag |= os.O_CREATE
	}
	if flags&vfs.OPEN_EXCLUSIVE != 0 {
		flag |= os.O_EXCL
	}
	if flags&vfs.OPEN_MAIN_DB != 0 {
		flag |= v.extra
	}
	var f *ringfs.File
	var err error
	if name == "" {
		f, err = v.files.OpenFile(background, os.TempDir(), os.O_RDWR|unix.O_TMPFILE, 0o600)
	} else {
		f, err = v.files.OpenFile(background, name, flag, 0o644)
	}
	if err != nil {
		return nil, 0, sqlite3.CANTOPEN
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	l := v.locks[name]
	if l == nil {
		l = new(locks)
		v.locks[name] = l
	}
	opened := &ringFile{File: f, vfs: v, locks: l}
	if flags&vfs.OPEN_DELETEONCLOSE != 0 {
		opened.gone = name
	}
	return opened, flags, nil
}

func (v *ringVFS) Delete(name string, syncDir bool) error {
	err := v.files.Remove(background, name)
	if errors.Is(err, fs.ErrNotExist) {
		return sqlite3.IOERR_DELETE_NOENT
	}
	if err != nil || !syncDir {
		return err
	}
	d, err := v.files.Open(background, filepath.Dir(name))
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

func (v *ringVFS) Access(name string, flags vfs.AccessFlag) (bool, error) {
	_, err := v.files.Stat(background, name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

func (v *ringVFS) FullPathname(name string) (string, error) { return filepath.Abs(name) }

// ringFile is a vfs.File: reading and writing are those of ringfs.File.
type ringFile struct {
	*ringfs.File
	vfs   *ringVFS
	locks *locks
	level vfs.LockLevel
	gone  string // removed when closed
}

func (f *ringFile) Close() error {
	f.Unlock(vfs.LOCK_NONE)
	err := f.File.Close()
	if f.gone != "" {
		err = errors.Join(err, f.vfs.files.Remove(background, f.gone))
	}
	return err
}

func (f *ringFile) Sync(flags vfs.SyncFlag) error {
	if flags&vfs.SYNC_DATAONLY != 0 {
		return f.DataSync()
	}
	return f.File.Sync()
}

func (f *ringFile) Size() (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

func (f *ringFile) Lock(level vfs.LockLevel) error {
	f.vfs.mu.Lock()
	defer f.vfs.mu.Unlock()
	l := f.locks
	if f.level >= level {
		return nil
	}
	switch level {
	case vfs.LOCK_SHARED:
		if l.pending || l.writing {
			return sqlite3.BUSY
		}
		l.shared++
	case vfs.LOCK_RESERVED:
		if l.reserved {
			return sqlite3.BUSY
		}
		l.reserved = true
	case vfs.LOCK_EXCLUSIVE:
		if f.level < vfs.LOCK_RESERVED {
			// After a crash a journal is rolled back without having reserved.
			if l.reserved {
				return sqlite3.BUSY
			}
			l.reserved = true
			f.level = vfs.LOCK_RESERVED
		}
		l.pending = true
		f.level = vfs.LOCK_PENDING
		if l.shared > 1 {
			return sqlite3.BUSY
		}
		l.writing = true
	}
	f.level = level
	return nil
}

func (f *ringFile) Unlock(level vfs.LockLevel) error {
	f.vfs.mu.Lock()
	defer f.vfs.mu.Unlock()
	l := f.locks
	if f.level <= level {
		return nil
	}
	if f.level >= vfs.LOCK_RESERVED {
		l.reserved, l.pending, l.writing = false, false, false
	}
	if level == vfs.LOCK_NONE && f.level >= vfs.LOCK_SHARED {
		l.shared--
	}
	f.level = level
	return nil
}

func (f *ringFile) CheckReservedLock() (bool, error) {
	f.vfs.mu.Lock()
	defer f.vfs.mu.Unlock()
	return f.locks.reserved, nil
}

func (f *ringFile) SectorSize() int { return 4096 }

func (f *ringFile) DeviceCharacteristics() vfs.DeviceCharacteristic { return 0 }
