module github.com/uring-go/uring/bench

go 1.26.0

require github.com/uring-go/uring v0.0.0

require golang.org/x/sys v0.49.0

replace github.com/uring-go/uring => ../
