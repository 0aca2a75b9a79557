// Suites and programs that others wrote judge packages ringnet and ringfs here, in a
// module of its own: what they depend on stays out of the library's go.mod.
// scripts/strangers runs them.
module github.com/uring-go/uring/internal/strangers

go 1.26.0

require (
	github.com/ncruces/go-sqlite3 v0.37.0
	github.com/uring-go/uring v0.0.0
	golang.org/x/net v0.62.0
	golang.org/x/sys v0.49.0
	google.golang.org/grpc v1.85.0
)

require (
	github.com/ncruces/go-sqlite3-wasm/v6 v6.5.35401 // indirect
	github.com/ncruces/julianday v1.0.0 // indirect
	golang.org/x/text v0.43.0 // indirect
	google.golang.org/genproto/googleapis/rpc v0.0.0-20260817212433-ac3dfec99bb1 // indirect
	google.golang.org/protobuf v1.36.12 // indirect
)

replace github.com/uring-go/uring => ../..
