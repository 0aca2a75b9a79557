//go:build linux && cgo

package main

// Registration, buffer rings and the bare system calls.

/*
#include <stdint.h>
#include <stdlib.h>
*/
import "C"

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/uring-go/uring/internal/cring"
	"github.com/uring-go/uring/purego"
	"github.com/uring-go/uring/sys"
)

func (v *view) register(op sys.RegisterOp, arg unsafe.Pointer, n uint32) C.int {
	res, err := v.Register(op, arg, n)
	if err != nil {
		return code(err)
	}
	return C.int(res)
}

// uringgo_register is every registration whose argument the program gives as the
// kernel wants it.
//
//export uringgo_register
func uringgo_register(ring unsafe.Pointer, op C.uint, arg unsafe.Pointer, n C.uint) C.int {
	v := own(ring)
	defer v.done()
	return v.register(sys.RegisterOp(op), arg, uint32(n))
}

//export uringgo_register_ringless
func uringgo_register_ringless(op C.uint, arg unsafe.Pointer, n C.uint) C.int {
	res, err := purego.RegisterRingless(sys.RegisterOp(op), arg, uint32(n))
	if err != nil {
		return code(err)
	}
	return C.int(res)
}

func address(p unsafe.Pointer) uint64 { return uint64(uintptr(p)) }

// uringgo_register_table registers files or buffers, with tags, or room for them.
//
//export uringgo_register_table
func uringgo_register_table(ring unsafe.Pointer, op C.uint, data, tags unsafe.Pointer, n C.uint, flags C.uint) C.int {
	v := own(ring)
	defer v.done()
	v.table = sys.RsrcRegister{Nr: uint32(n), Flags: uint32(flags), Data: address(data), Tags: address(tags)}
	return v.register(sys.RegisterOp(op), unsafe.Pointer(&v.table), uint32(unsafe.Sizeof(v.table)))
}

//export uringgo_update_table
func uringgo_update_table(ring unsafe.Pointer, op C.uint, off C.uint, data, tags unsafe.Pointer, n C.uint) C.int {
	v := own(ring)
	defer v.done()
	v.tagged = sys.RsrcUpdate2{Offset: uint32(off), Data: address(data), Tags: address(tags), Nr: uint32(n)}
	return v.register(sys.RegisterOp(op), unsafe.Pointer(&v.tagged), uint32(unsafe.Sizeof(v.tagged)))
}

//export uringgo_update_files
func uringgo_update_files(ring unsafe.Pointer, off C.uint, files unsafe.Pointer, n C.uint) C.int {
	v := own(ring)
	defer v.done()
	v.update = sys.RsrcUpdate{Offset: uint32(off), Data: address(files)}
	return v.register(sys.IORING_REGISTER_FILES_UPDATE, unsafe.Pointer(&v.update), uint32(n))
}

//export uringgo_register_fd
func uringgo_register_fd(ring unsafe.Pointer, op C.uint, fd C.int) C.int {
	v := own(ring)
	defer v.done()
	v.fds[0] = int32(fd)
	return v.register(sys.RegisterOp(op), unsafe.Pointer(&v.fds), 1)
}

//export uringgo_register_ring_fd
func uringgo_register_ring_fd(ring unsafe.Pointer) C.int {
	v := own(ring)
	defer v.done()
	if err := v.RegisterRingFd(); err != nil {
		return code(err)
	}
	v.StoreFd(v.c)
	return 1
}

//export uringgo_unregister_ring_fd
func uringgo_unregister_ring_fd(ring unsafe.Pointer) C.int {
	v := own(ring)
	defer v.done()
	if err := v.UnregisterRingFd(); err != nil {
		return code(err)
	}
	v.StoreFd(v.c)
	return 1
}

//export uringgo_close_ring_fd
func uringgo_close_ring_fd(ring unsafe.Pointer) C.int {
	v := own(ring)
	defer v.done()
	if sys.FeatFlags(v.c.Features)&sys.IORING_FEAT_REG_REG_RING == 0 {
		return -C.int(syscall.EOPNOTSUPP)
	}
	if err := v.CloseRingFd(); err != nil {
		return code(err)
	}
	v.c.RingFd = -1
	return 1
}

//export uringgo_set_iowait
func uringgo_set_iowait(ring unsafe.Pointer, on C.int) C.int {
	c := (*cring.Ring)(ring)
	switch {
	case sys.FeatFlags(c.Features)&sys.IORING_FEAT_NO_IOWAIT == 0:
		return -C.int(syscall.EOPNOTSUPP)
	case on != 0:
		c.IntFlags &^= cring.NoIowait
	default:
		c.IntFlags |= cring.NoIowait
	}
	return 0
}

//export uringgo_file_alloc_range
func uringgo_file_alloc_range(ring unsafe.Pointer, off, n C.uint) C.int {
	v := own(ring)
	defer v.done()
	v.files = sys.FileIndexRange{Off: uint32(off), Len: uint32(n)}
	return v.register(sys.IORING_REGISTER_FILE_ALLOC_RANGE, unsafe.Pointer(&v.files), 0)
}

// uringgo_clone_buffers names the source by its index where it has one and the
// caller allows that.
//
//export uringgo_clone_buffers
func uringgo_clone_buffers(ring, source unsafe.Pointer, to, from, n, flags C.uint) C.int {
	v, src := own(ring), (*cring.Ring)(source)
	defer v.done()
	v.clone = sys.CloneBuffers{SrcFd: uint32(src.RingFd), Flags: uint32(flags), SrcOff: uint32(from), DstOff: uint32(to), Nr: uint32(n)}
	const byIndex = uint32(sys.IORING_REGISTER_SRC_REGISTERED)
	if v.clone.Flags&byIndex != 0 && src.IntFlags&cring.RegRegRing != 0 {
		v.clone.SrcFd = uint32(src.EnterRingFd)
	} else {
		v.clone.Flags &^= byIndex
	}
	return v.register(sys.IORING_REGISTER_CLONE_BUFFERS, unsafe.Pointer(&v.clone), 1)
}

//export uringgo_buf_ring_head
func uringgo_buf_ring_head(ring unsafe.Pointer, group C.int, head *C.uint16_t) C.int {
	v := own(ring)
	defer v.done()
	v.status = sys.BufStatus{BufGroup: uint32(group)}
	ret := v.register(sys.IORING_REGISTER_PBUF_STATUS, unsafe.Pointer(&v.status), 1)
	if ret == 0 {
		*head = C.uint16_t(v.status.Head)
	}
	return ret
}

// bufSize is the size of an entry of a ring of provided buffers.
const bufSize = unsafe.Sizeof(sys.Buf{})

//export uringgo_setup_buf_ring
func uringgo_setup_buf_ring(ring unsafe.Pointer, n C.uint, group C.int, flags C.uint, ret *C.int) unsafe.Pointer {
	v := own(ring)
	defer v.done()
	mem, err := unix.MmapPtr(-1, 0, nil, uintptr(n)*bufSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANONYMOUS|unix.MAP_PRIVATE)
	if err != nil {
		*ret = code(err)
		return nil
	}
	v.buf = sys.BufReg{RingAddr: address(mem), RingEntries: uint32(n), Bgid: uint16(group), Flags: uint16(flags)}
	*ret = v.register(sys.IORING_REGISTER_PBUF_RING, unsafe.Pointer(&v.buf), 1)
	if *ret != 0 {
		unix.MunmapPtr(mem, uintptr(n)*bufSize)
		return nil
	}
	return mem // zeroed, and its tail with it
}

//export uringgo_unregister_buf_ring
func uringgo_unregister_buf_ring(ring unsafe.Pointer, group C.int) C.int {
	v := own(ring)
	defer v.done()
	v.buf = sys.BufReg{Bgid: uint16(group)}
	return v.register(sys.IORING_UNREGISTER_PBUF_RING, unsafe.Pointer(&v.buf), 1)
}

//export uringgo_free_buf_ring
func uringgo_free_buf_ring(ring, mem unsafe.Pointer, n C.uint, group C.int) C.int {
	ret := uringgo_unregister_buf_ring(ring, group)
	if ret == 0 {
		unix.MunmapPtr(mem, uintptr(n)*bufSize)
	}
	return ret
}

// uringgo_get_probe asks a ring, or one of its own if that is nil. The program
// frees the answer.
//
//export uringgo_get_probe
func uringgo_get_probe(ring unsafe.Pointer) unsafe.Pointer {
	const ops = 256
	probe := C.calloc(1, C.size_t(unsafe.Sizeof(sys.Probe{})+ops*unsafe.Sizeof(sys.ProbeOp{})))
	if probe == nil {
		return nil
	}
	var err error
	if ring != nil {
		v := own(ring)
		defer v.done()
		_, err = v.Register(sys.IORING_REGISTER_PROBE, probe, ops)
	} else {
		var r *purego.Ring
		if r, err = purego.New(2, nil); err == nil {
			_, err = r.Register(sys.IORING_REGISTER_PROBE, probe, ops)
			r.Close()
		}
	}
	if err != nil {
		C.free(probe)
		return nil
	}
	return probe
}

//export uringgo_free_probe
func uringgo_free_probe(probe unsafe.Pointer) { C.free(probe) }

//export uringgo_check_version
func uringgo_check_version(wantMajor, wantMinor C.int) C.int {
	if wantMajor > major || wantMajor == major && wantMinor > minor {
		return 1 // this library is older
	}
	return 0
}

//export uringgo_version
func uringgo_version(which C.int) C.int {
	if which == 0 {
		return major
	}
	return minor
}

//export uringgo_sys_setup
func uringgo_sys_setup(entries C.uint, params unsafe.Pointer) C.int {
	return C.int(purego.RawSetup(uint32(entries), (*sys.Params)(params)))
}

//export uringgo_sys_enter
func uringgo_sys_enter(fd, submit, wait, flags C.uint, arg unsafe.Pointer, size C.size_t) C.int {
	return C.int(purego.RawEnter(uint32(fd), uint32(submit), uint32(wait), sys.EnterFlags(flags), arg, uintptr(size)))
}

//export uringgo_sys_register
func uringgo_sys_register(fd, op C.uint, arg unsafe.Pointer, n C.uint) C.int {
	return C.int(purego.RawRegister(int(fd), sys.RegisterOp(op), arg, uint32(n)))
}
