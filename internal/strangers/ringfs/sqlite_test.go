//go:build linux

// Package ringfs_test has SQLite keep a database in files of package ringfs, with each
// backend and without io_uring, and asks it whether the database is whole.
package ringfs_test

import (
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/ncruces/go-sqlite3"
	_ "github.com/ncruces/go-sqlite3/driver"
	"github.com/ncruces/go-sqlite3/vfs"
	"golang.org/x/sys/unix"

	"github.com/uring-go/uring/internal/backendtest"
	"github.com/uring-go/uring/proactor"
	"github.com/uring-go/uring/ringfs"
)

func TestSQLite(t *testing.T) {
	for _, v := range []struct {
		name   string
		config proactor.Config
	}{
		{"purego", proactor.Config{Backend: backendtest.Purego.New, Fallback: proactor.FallbackNever}},
		{"liburing", proactor.Config{Backend: backendtest.Liburing.New, Fallback: proactor.FallbackNever}},
		{"fallback", proactor.Config{Fallback: proactor.FallbackAlways}},
	} {
		for _, mode := range []string{"DELETE", "PERSIST", "WAL", "O_DIRECT"} {
			t.Run(v.name+"/"+mode, func(t *testing.T) {
				p, err := proactor.New(&v.config)
				if errors.Is(err, errors.ErrUnsupported) {
					t.Skip(err)
				}
				if err != nil {
					t.Fatal(err)
				}
				defer p.Close()
				files := &ringVFS{files: ringfs.New(p), locks: make(map[string]*locks)}
				if mode == "O_DIRECT" {
					files.extra = unix.O_DIRECT
				}
				name := "ring-" + v.name + mode
				vfs.Register(name, files)
				defer vfs.Unregister(name)
				work(t, name, mode)
				if s := p.Stats(); s.Operations+s.Fallback < 1000 {
					t.Errorf("SQLite did not use the proactor: %+v", s)
				}
			})
		}
	}
}

// work has several connections change a database, some of it in vain, and then looks at
// it through our files and through SQLite's own.
func work(t *testing.T, name, mode string) {
	path := t.TempDir() + "/db"
	dsn := "file:" + path + "?vfs=" + name + "&_pragma=busy_timeout(60000)&_txlock=immediate"
	connections := 4
	switch mode {
	case "WAL":
		// Without memory that processes share, a WAL is for one connection.
		dsn += "&_pragma=locking_mode(EXCLUSIVE)&_pragma=journal_mode(WAL)"
		connections = 1
	case "O_DIRECT":
	default:
		dsn += "&_pragma=journal_mode(" + mode + ")"
	}
	db, err := sql.Open("sqlite3", dsn)
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(connections)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	_, err = db.Exec(`CREATE TABLE t (id INTEGER PRIMARY KEY, owner INT, data BLOB, n INT); CREATE INDEX i ON t (owner, n)`)
	must(err)
	var sum atomic.Int64
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(uint64(g), 1))
			for round := range 25 {
				kept, err := change(db, g, rnd, round%4 == 3)
				if errors.Is(err, sqlite3.BUSY) {
					continue // it waited long enough
				}
				if err != nil {
					t.Error(err)
					return
				}
				sum.Add(kept)
			}
		})
	}
	wg.Wait()
	check := func(db *sql.DB, who string) {
		t.Helper()
		var verdict string
		must(db.QueryRow("PRAGMA integrity_check").Scan(&verdict))
		var count, total int64
		must(db.QueryRow("SELECT count(*), coalesce(sum(n), 0) FROM t").Scan(&count, &total))
		if verdict != "ok" || total != sum.Load() || count == 0 {
			t.Errorf("%s: integrity_check says %q; the sum of %d rows is %d, not %d", who, verdict, count, total, sum.Load())
		}
	}
	check(db, "through ringfs")
	_, err = db.Exec("DELETE FROM t WHERE id % 3 = 0; VACUUM")
	must(err)
	var left int64
	must(db.QueryRow("SELECT sum(n) FROM t").Scan(&left))
	sum.Store(left)
	check(db, "after VACUUM")
	must(db.Close())
	own, err := sql.Open("sqlite3", "file:"+path)
	must(err)
	defer own.Close()
	check(own, "through SQLite's own files")
}

// change inserts, updates and deletes rows in one transaction, and returns by how much
// that changed the sum of n.
func change(db *sql.DB, g int, rnd *rand.Rand, inVain bool) (diff int64, err error) {
	tx, err := db.Begin()
	if err != nil {
		return 0, err
	}
	defer tx.Rollback()
	for range 20 {
		n := rnd.Int64N(1000)
		if _, err := tx.Exec("INSERT INTO t (owner, data, n) VALUES (?, ?, ?)", g, strings.Repeat(fmt.Sprint(n), 1+rnd.IntN(2000)), n); err != nil {
			return 0, err
		}
		diff += n
	}
	var lost sql.NullInt64
	if err := tx.QueryRow("SELECT sum(n) FROM t WHERE owner = ? AND n < 100", g).Scan(&lost); err != nil {
		return 0, err
	}
	diff -= lost.Int64
	if _, err := tx.Exec("DELETE FROM t WHERE owner = ? AND n < 100", g); err != nil {
		return 0, err
	}
	res, err := tx.Exec("UPDATE t SET n = n + 1, data = data || 'x' WHERE owner = ? AND n % 5 = 0", g)
	if err != nil {
		return 0, err
	}
	updated, err := res.RowsAffected()
	if err != nil || inVain {
		return 0, err // and roll back
	}
	return diff + updated, tx.Commit()
}
