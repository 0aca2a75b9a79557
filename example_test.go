//go:build linux

package uring_test

import (
	"fmt"
	"os"

	"github.com/uring-go/uring"
)

// Two reads go to the kernel with one system call. README.md shows this code, and
// TestReadmeExample holds the two together.
func Example() {
	ring, err := uring.New(nil)
	if err != nil {
		fmt.Println(err) // says what stands in the way
		return
	}
	defer ring.Close()
	file, err := os.Open("/proc/version")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer file.Close()

	var parts [2][7]byte
	for i, offset := range []uint64{0, 6} {
		sqe := ring.GetSQE()
		sqe.PrepRead(int(file.Fd()), parts[i][:], offset)
		sqe.UserData = uint64(i)
	}
	if _, err := ring.SubmitWait(uring.Wait{N: 2}); err != nil {
		fmt.Println(err)
		return
	}
	for cqe := range ring.Completions() {
		n, err := cqe.Result()
		fmt.Printf("%q %v\n", parts[cqe.UserData][:n], err)
	}
	// Unordered output:
	// "Linux v" <nil>
	// "version" <nil>
}
