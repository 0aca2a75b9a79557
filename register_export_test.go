package uring

// The calls that take no ring, for tests that make them through either backend.

import "github.com/uring-go/uring/sys"

func QueryOpcodesWith(call ringless) (sys.QueryOpcode, error) {
	return query[sys.QueryOpcode](call, sys.IO_URING_QUERY_OPCODES)
}

func QueryZCRXWith(call ringless) (sys.QueryZCRX, error) {
	return query[sys.QueryZCRX](call, sys.IO_URING_QUERY_ZCRX)
}

func QueryZCRXEventWith(call ringless) (sys.QueryZCRXEvent, error) {
	return query[sys.QueryZCRXEvent](call, sys.IO_URING_QUERY_ZCRX_EVENT)
}

func QuerySCQWith(call ringless) (sys.QuerySCQ, error) {
	return query[sys.QuerySCQ](call, sys.IO_URING_QUERY_SCQ)
}

func QueryUnknownWith(call ringless) error {
	_, err := query[sys.QuerySCQ](call, 1<<20)
	return err
}

var (
	SendMsgWith                  = sendMsg
	RegisterTaskRestrictionsWith = registerTaskRestrictions
	RegisterTaskBPFFilterWith    = registerTaskBPFFilter
)
