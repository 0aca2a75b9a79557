//go:build linux

package main

// The store: one file to which records are only ever appended, and a table in memory of
// where each key's latest value lies in it.
//
// A record is
//
//	checksum   4 bytes: CRC-32C of all that follows, little endian like the rest
//	key size   4 bytes
//	value size 4 bytes; 0xffffffff for a key that was deleted
//	key, value
//
// Put is acknowledged when its record is on the disk. While one group of records is being
// written, those that come meanwhile gather; then they are written together, with one
// chain of a write and an fdatasync. So the disk syncs once for many, and nobody waits
// for longer than two syncs.
//
// Opening reads the file from the beginning. A record that is not whole can only be in
// the group that was being written when the process or the machine ended. Nothing in that
// group was acknowledged, so the file is cut there.

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"iter"
	"maps"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/uring-go/uring/ringfs"
)

const (
	headerSize = 12
	deleted    = 1<<32 - 1

	lockPatience = 3 * time.Second

	maxKey   = 1 << 16
	maxValue = 1 << 26
)

var (
	castagnoli = crc32.MakeTable(crc32.Castagnoli)

	errCorrupt  = errors.New("kvlog: a record is damaged")
	errTooLarge = errors.New("kvlog: too large")
)

// Store is a key-value store. Its methods may be called from any goroutine.
type Store struct {
	file *ringfs.File

	mu     sync.Mutex
	index  map[string]extent
	size   int64 // of the file, as far as it was written and synced
	next   *group
	busy   bool  // a group is being written
	broken error // after a write or a sync has failed nobody knows what is on the disk
	idle   sync.Cond
}

// extent is where a value is.
type extent struct {
	off  int64 // of the record
	key  int
	size int
}

// group is what is written and synced together.
type group struct {
	data    []byte
	changes []change
	turn    chan struct{} // has an element when one of those who wait must write it
	done    chan struct{} // closed when it is on the disk, or cannot be
	err     error
}

type change struct {
	key string
	at  extent // off is relative to the group; size -1 is a deletion
}

// Open opens a store, which is made if there is none. There can be only one Store for a
// file: a second one is refused.
func Open(ctx context.Context, files *ringfs.OS, name string) (*Store, error) {
	f, err := files.OpenFile(ctx, name, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	s := &Store{file: f, index: make(map[string]extent)}
	s.idle.L = &s.mu
	err = s.lock(ctx)
	if err == nil {
		err = s.recover(ctx)
	}
	if err == nil {
		err = syncDir(ctx, files, filepath.Dir(name))
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return s, nil
}

// lock makes this the only Store. A process that has just ended may still have the lock:
// the kernel takes its rings down, and what they had in flight, in its own time.
func (s *Store) lock(ctx context.Context) error {
	for end := time.Now().Add(lockPatience); ; time.Sleep(5 * time.Millisecond) {
		err := s.file.Control("lock", func(fd int) error { return unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB) })
		if !errBusy(err) || ctx.Err() != nil || time.Now().After(end) {
			return err
		}
	}
}

// syncDir makes the name of a new file as durable as what will be in it.
func syncDir(ctx context.Context, files *ringfs.OS, name string) error {
	d, err := files.Open(ctx, name)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.SyncContext(ctx)
}

// recover reads all records, and cuts off what is not whole.
func (s *Store) recover(ctx context.Context) error {
	info, err := s.file.StatContext(ctx)
	if err != nil {
		return err
	}
	r := bufio.NewReaderSize(s.file, 1<<20)
	for {
		key, value, size, err := readRecord(r)
		if err == errCorrupt || err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		if value == nil {
			delete(s.index, key)
		} else {
			s.index[key] = extent{s.size, len(key), len(value)}
		}
		s.size += size
	}
	if s.size == info.Size() {
		return nil
	}
	// Otherwise the rest of a later, longer group might look like records.
	if err := s.file.TruncateContext(ctx, s.size); err != nil {
		return err
	}
	return s.file.SyncContext(ctx)
}

// readRecord reads a record; value is nil for a deletion. io.EOF and errCorrupt mean that
// there is no further one.
func readRecord(r io.Reader) (key string, value []byte, size int64, err error) {
	var h [headerSize]byte
	if _, err := io.ReadFull(r, h[:]); err != nil {
		return "", nil, 0, short(err)
	}
	k, v := binary.LittleEndian.Uint32(h[4:]), binary.LittleEndian.Uint32(h[8:])
	n := v
	if v == deleted {
		n = 0
	}
	if k > maxKey || n > maxValue {
		return "", nil, 0, errCorrupt
	}
	body := make([]byte, k+n)
	if _, err := io.ReadFull(r, body); err != nil {
		return "", nil, 0, short(err)
	}
	if sum(h[:], body) != binary.LittleEndian.Uint32(h[:]) {
		return "", nil, 0, errCorrupt
	}
	key, value = string(body[:k]), body[k:]
	if v == deleted {
		value = nil
	}
	return key, value, int64(headerSize + len(body)), nil
}

func short(err error) error {
	if err == io.ErrUnexpectedEOF || err == io.EOF {
		return io.EOF
	}
	return err
}

func sum(header, body []byte) uint32 {
	return crc32.Update(crc32.Checksum(header[4:headerSize], castagnoli), castagnoli, body)
}

// appendRecord appends a record to b; a nil value is a deletion.
func appendRecord(b []byte, key string, value []byte) []byte {
	at := len(b)
	b = binary.LittleEndian.AppendUint32(b, 0)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(key)))
	if value == nil {
		b = binary.LittleEndian.AppendUint32(b, deleted)
	} else {
		b = binary.LittleEndian.AppendUint32(b, uint32(len(value)))
	}
	b = append(append(b, key...), value...)
	binary.LittleEndian.PutUint32(b[at:], sum(b[at:], b[at+headerSize:]))
	return b
}

// Put sets the value of a key. When it returns nil, the value is on the disk.
func (s *Store) Put(key string, value []byte) error {
	if value == nil {
		value = []byte{}
	}
	return s.change(key, value)
}

// Delete removes a key. When it returns nil, that is on the disk.
func (s *Store) Delete(key string) error { return s.change(key, nil) }

func (s *Store) change(key string, value []byte) error {
	if len(key) > maxKey || len(value) > maxValue {
		return fmt.Errorf("%w: a key has at most %d bytes, a value %d", errTooLarge, maxKey, maxValue)
	}
	s.mu.Lock()
	if s.broken != nil {
		defer s.mu.Unlock()
		return s.broken
	}
	g := s.next
	if g == nil {
		g = &group{done: make(chan struct{}), turn: make(chan struct{}, 1)}
		s.next = g
	}
	at := extent{int64(len(g.data)), len(key), len(value)}
	if value == nil {
		at.size = -1
	}
	g.changes = append(g.changes, change{key, at})
	g.data = appendRecord(g.data, key, value)
	if s.busy {
		s.mu.Unlock()
		select {
		case <-g.done:
			return g.err
		case <-g.turn:
		}
		s.mu.Lock()
	}
	// Whoever writes a group leaves the one that gathered meanwhile to somebody in it.
	s.busy = true
	s.commit()
	if s.next != nil {
		s.next.turn <- struct{}{}
	} else {
		s.busy = false
		s.idle.Broadcast()
	}
	s.mu.Unlock()
	return g.err
}

// commit writes the next group. It needs the lock, and lets go of it meanwhile.
func (s *Store) commit() {
	g, off := s.next, s.size
	s.next = nil
	s.mu.Unlock()
	_, err := s.file.WriteSyncAt(context.Background(), g.data, off)
	s.mu.Lock()
	if err != nil {
		// After a sync that failed the kernel may have forgotten what it could not
		// write. What was acknowledged is safe; more is not promised.
		g.err = fmt.Errorf("kvlog: no more changes are possible: %w", err)
		s.broken = g.err
		if s.next != nil {
			s.next.err = g.err
			close(s.next.done)
			s.next = nil
		}
	} else {
		for _, c := range g.changes {
			if c.at.size < 0 {
				delete(s.index, c.key)
			} else {
				c.at.off += off
				s.index[c.key] = c.at
			}
		}
		s.size += int64(len(g.data))
	}
	close(g.done)
}

// Get returns the value of a key, and whether there is one. It reads it from the file and
// checks it.
func (s *Store) Get(key string) ([]byte, bool, error) {
	s.mu.Lock()
	at, ok := s.index[key]
	s.mu.Unlock()
	if !ok {
		return nil, false, nil
	}
	b := make([]byte, headerSize+at.key+at.size)
	if _, err := s.file.ReadAt(b, at.off); err != nil {
		return nil, false, err
	}
	if sum(b, b[headerSize:]) != binary.LittleEndian.Uint32(b) {
		return nil, false, fmt.Errorf("%w: at %d, for %q", errCorrupt, at.off, key)
	}
	return b[headerSize+at.key:], true, nil
}

// Keys returns the keys there are, in no order.
func (s *Store) Keys() iter.Seq[string] {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Keys(maps.Clone(s.index))
}

// Close waits for changes that are on their way, and closes the file.
func (s *Store) Close() error {
	s.mu.Lock()
	for s.busy {
		s.idle.Wait()
	}
	if s.broken == nil {
		s.broken = fs.ErrClosed
	}
	s.mu.Unlock()
	// The kernel may hold the file a moment longer than Close takes.
	err := s.file.Control("unlock", func(fd int) error { return unix.Flock(fd, unix.LOCK_UN) })
	return errors.Join(err, s.file.Close())
}

// errBusy reports whether an error means that another Store has the file.
func errBusy(err error) bool { return errors.Is(err, syscall.EWOULDBLOCK) }
