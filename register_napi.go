package uring

// NAPI busy polling: a wait looks into the network devices' queues itself for some
// time before it sleeps.

import (
	"math"
	"syscall"
	"time"

	"github.com/uring-go/uring/sys"
)

// NAPI are the settings of busy polling.
type NAPI struct {
	// BusyPoll is how long a wait polls before it sleeps, in whole microseconds up
	// to about 71 minutes.
	BusyPoll time.Duration
	// Prefer keeps the devices' interrupts off while there is polling
	// (SO_PREFER_BUSY_POLL).
	Prefer bool
	// Tracking is how the queues to poll are found: by the sockets in use
	// (IO_URING_NAPI_TRACKING_DYNAMIC, the zero value) or by AddNAPI alone
	// (IO_URING_NAPI_TRACKING_STATIC, Linux 6.13). In what RegisterNAPI returns
	// IO_URING_NAPI_TRACKING_INACTIVE means that there was no polling.
	Tracking uint8
}

// RegisterNAPI switches busy polling on, or changes it, and returns the settings
// before. It is EINVAL on a ring with IORING_SETUP_IOPOLL or for an unknown
// Tracking.
//
// liburing: io_uring_register_napi   kernel: 6.9
func (r *Ring) RegisterNAPI(n NAPI) (old NAPI, err error) {
	if err := r.usable(); err != nil {
		return NAPI{}, err
	}
	us := n.BusyPoll / time.Microsecond
	if n.BusyPoll < 0 || us > math.MaxUint32 || n.BusyPoll%time.Microsecond != 0 {
		return NAPI{}, refuse("RegisterNAPI", "NAPI.BusyPoll is %v; it is in whole microseconds from 0 to %v", n.BusyPoll, math.MaxUint32*time.Microsecond)
	}
	arg := &sys.NAPI{BusyPollTo: uint32(us), Opcode: sys.IO_URING_NAPI_REGISTER_OP, OpParam: uint32(n.Tracking)}
	if n.Prefer {
		arg.PreferBusyPoll = 1
	}
	return r.napi(sys.IORING_REGISTER_NAPI, arg)
}

// UnregisterNAPI switches busy polling off and returns the settings before, without
// Tracking.
//
// liburing: io_uring_unregister_napi   kernel: 6.9
func (r *Ring) UnregisterNAPI() (old NAPI, err error) {
	return r.napi(sys.IORING_UNREGISTER_NAPI, new(sys.NAPI))
}

func (r *Ring) napi(op sys.RegisterOp, arg *sys.NAPI) (old NAPI, err error) {
	if _, err := r.register(op, sys.PointerTo(arg), 1); err != nil {
		return NAPI{}, err
	}
	return NAPI{
		BusyPoll: time.Duration(arg.BusyPollTo) * time.Microsecond,
		Prefer:   arg.PreferBusyPoll != 0,
		Tracking: uint8(arg.OpParam),
	}, nil
}

// AddNAPI adds a device queue, by its NAPI id (SO_INCOMING_NAPI_ID), to those that
// the ring polls under IO_URING_NAPI_TRACKING_STATIC. It is EINVAL with other
// tracking or for an id that is none, EEXIST if it is there already.
//
// liburing: io_uring_register_napi   kernel: 6.13
func (r *Ring) AddNAPI(id uint32) error {
	return r.changeNAPI(sys.IO_URING_NAPI_STATIC_ADD_ID, id)
}

// RemoveNAPI undoes AddNAPI. It is ENOENT if the id is not there.
//
// liburing: io_uring_register_napi   kernel: 6.13
func (r *Ring) RemoveNAPI(id uint32) error {
	return r.changeNAPI(sys.IO_URING_NAPI_STATIC_DEL_ID, id)
}

func (r *Ring) changeNAPI(opcode uint8, id uint32) error {
	_, err := r.napi(sys.IORING_REGISTER_NAPI, &sys.NAPI{Opcode: opcode, OpParam: id})
	return explain(err, syscall.EINVAL, "NAPI id %d; the ring must have IO_URING_NAPI_TRACKING_STATIC and the id must be a device's", id)
}
