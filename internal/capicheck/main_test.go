//go:build linux

package main

import "testing"

// Traces as strace -f writes them.
func TestRingInChild(t *testing.T) {
	for _, c := range []struct {
		name, trace string
		want        bool
	}{
		{"parent only", `10 execve("./a", ["./a"], 0x7 /* 3 vars */) = 0
10 io_uring_setup(8, {flags=0}) = 3
`, false},
		{"thread", `10 clone3({flags=CLONE_VM|CLONE_FS|CLONE_THREAD, exit_signal=0}, 88) = 11
11 io_uring_enter(3, 1, 0, 0, NULL, 8) = 1
`, false},
		{"unfinished thread", `10 clone3({flags=CLONE_VM|CLONE_THREAD, exit_signal=0} <unfinished ...>
11 io_uring_enter(3, 1, 0, 0, NULL, 8) = 1
10 <... clone3 resumed> => {parent_tid=[11]}, 88) = 11
`, false},
		{"child", `10 clone(child_stack=NULL, flags=CLONE_CHILD_CLEARTID|SIGCHLD, child_tidptr=0x7f) = 11
11 io_uring_setup(8, {flags=0}) = 3
`, true},
		{"unfinished child, seen before its parent knows", `10 clone(child_stack=NULL, flags=SIGCHLD <unfinished ...>
11 io_uring_setup(8, {flags=0}) = 3
10 <... clone resumed>, child_tidptr=0x7f) = 11
`, true},
		{"thread of a child", `10 fork() = 11
11 clone3({flags=CLONE_VM|CLONE_THREAD}, 88) = 12
12 io_uring_enter(3, 1, 0, 0, NULL, 8 <unfinished ...>
`, true},
		{"child without a ring", `10 clone(child_stack=NULL, flags=SIGCHLD) = 11
10 io_uring_enter(3, 1, 0, 0, NULL, 8) = 1
`, false},
		{"child that executes a program", `10 clone(child_stack=NULL, flags=CLONE_VM|CLONE_VFORK|SIGCHLD) = 11
11 execve("./b", ["./b"], 0x7 /* 3 vars */) = 0
11 io_uring_setup(8, {flags=0}) = 3
`, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := ringInChild(c.trace); got != c.want {
				t.Errorf("%v, want %v, for\n%s", got, c.want, c.trace)
			}
		})
	}
}

func TestNeutral(t *testing.T) {
	a, b := neutral("thread 1234 at 0x7fff12 took 3.25 ms\n"), neutral("thread 99 at 0x1 took 12 ms\n")
	if a != b || a == "" {
		t.Errorf("%q and %q", a, b)
	}
	if neutral("passed\n") == neutral("failed\n") {
		t.Error("words are taken for numbers")
	}
}
