package sys

// The Prep methods: one for each io_uring_prep_ function of liburing, under its
// name in CamelCase and with its arguments in its order. This file has what
// they share and the operations without a subject (NOP, commands, provided
// buffers); prep_file_linux.go, prep_net_linux.go and prep_event_linux.go have
// the rest. prep_test.go compares every method with its twin in C, byte by
// byte.
//
// What holds for all of them:
//
// Fields. A method writes the fields that its twin writes and no others, so it
// wants an entry that is zero elsewhere, as Ring.GetSQE gives it. UserData,
// Flags, Ioprio and Personality may be set before or after it. The exceptions,
// where the twin assigns one of these itself, say so: PrepReadMultishot and
// PrepFixedFdInstall (Flags), PrepSendZC and PrepSendZCFixed (Ioprio).
//
// Descriptors. fd is a file descriptor, or with IOSQE_FIXED_FILE in Flags a
// slot of the ring's table of registered files. Such a slot is called a direct
// descriptor.
//
// Memory. An entry holds addresses as integers, which the garbage collector
// does not see. What a method is given must stay reachable, and must not be
// used for anything else, until the completion that its comment names:
//   - "until the CQE": a request that posts one completion;
//   - "until the last CQE": a multishot request. CQE.More tells: the last is the
//     one without IORING_CQE_F_MORE;
//   - "until the notification": a zero-copy send. The notification is the CQE
//     with IORING_CQE_F_NOTIF; if the first CQE comes without
//     IORING_CQE_F_MORE, there will be none and that CQE ends it.
//
// Structs, paths and arrays that the kernel only reads are in fact copied when
// it takes the entry (IORING_FEAT_SUBMIT_STABLE, Linux 5.5), which under
// IORING_SETUP_SQPOLL is some time after Submit.
//
// Lengths. A slice longer than the entry's 32-bit length field counts as one of
// 1<<32 - 1 elements. An empty slice is address 0 and length 0: with
// IOSQE_BUFFER_SELECT that is what to pass, and the field Len may be set
// afterwards to limit what one provided buffer receives.
//
// Results. What a comment calls the result is CQE.Res; every request may also
// end with a negative errno there: -EINVAL if the kernel lacks the operation or
// a flag, -ECANCELED if it was cancelled.

import (
	"encoding/binary"
	"fmt"

	"golang.org/x/sys/unix"
)

// prep is io_uring_prep_rw with the address already made an integer.
func (s *SQE) prep(op Op, fd int, addr uint64, length uint32, offset uint64) {
	s.Opcode = op
	s.Fd = int32(fd)
	s.Off = offset
	s.Addr = addr
	s.Len = length
}

// prepCmd fills a command. Off is a union here: the command's number in its
// first four bytes, padding that must be 0 in the others.
func (s *SQE) prepCmd(op Op, cmdOp uint32, fd int) {
	s.Opcode = op
	s.Fd = int32(fd)
	s.Off = pair32(cmdOp, 0)
	s.Addr = 0
	s.Len = 0
}

// directSlot encodes a slot of the registered file table for the field
// FileIndex, where 0 means an ordinary descriptor and slot n is n+1.
// IORING_FILE_INDEX_ALLOC is itself.
func directSlot(index uint32) uint32 {
	if index == IORING_FILE_INDEX_ALLOC {
		return index
	}
	return index + 1
}

// pair32 returns the 64-bit field whose first four bytes hold a and whose last
// four hold b, which on a big-endian machine is not the same as a | b<<32.
func pair32(a, b uint32) uint64 {
	var f [8]byte
	binary.NativeEndian.PutUint32(f[:4], a)
	binary.NativeEndian.PutUint32(f[4:], b)
	return binary.NativeEndian.Uint64(f[:])
}

// pair16 is the same for the halves of a 32-bit field.
func pair16(a, b uint16) uint32 {
	var f [4]byte
	binary.NativeEndian.PutUint16(f[:2], a)
	binary.NativeEndian.PutUint16(f[2:], b)
	return binary.NativeEndian.Uint32(f[:])
}

// setFirst16 replaces the first two bytes of a 32-bit field and leaves the
// others.
func setFirst16(field *uint32, v uint16) {
	var f [4]byte
	binary.NativeEndian.PutUint32(f[:], *field)
	binary.NativeEndian.PutUint16(f[:2], v)
	*field = binary.NativeEndian.Uint32(f[:])
}

// PrepNop prepares a request that does nothing. The result is 0. OpFlags may
// have IORING_NOP_ flags afterwards: with IORING_NOP_INJECT_RESULT the result
// is what Len holds.
//
// liburing: io_uring_prep_nop   kernel: 5.1
func (s *SQE) PrepNop() {
	s.prep(IORING_OP_NOP, -1, 0, 0, 0)
}

// PrepNop128 prepares a request that does nothing and takes a 128-byte entry,
// on a ring with IORING_SETUP_SQE128 or IORING_SETUP_SQE_MIXED. The result is 0.
//
// liburing: io_uring_prep_nop128   kernel: 6.19
func (s *SQE) PrepNop128() {
	s.prep(IORING_OP_NOP128, -1, 0, 0, 0)
}

// PrepUringCmd prepares a command that fd's driver defines; cmdOp is its
// number. The caller fills what else the command wants: Addr, Len, Addr3 and
// the bytes after them, and IORING_URING_CMD_ flags in OpFlags. The driver says
// which memory must stay reachable; until the CQE is always enough, or until
// the last CQE for a command with several. The result is the driver's.
//
// liburing: io_uring_prep_uring_cmd   kernel: 5.19
func (s *SQE) PrepUringCmd(cmdOp, fd int) {
	s.prepCmd(IORING_OP_URING_CMD, uint32(cmdOp), fd)
}

// PrepUringCmd128 is PrepUringCmd for a command that takes a 128-byte entry, on
// a ring with IORING_SETUP_SQE128 or IORING_SETUP_SQE_MIXED: the command's own
// bytes begin at Addr3 and are 80.
//
// liburing: io_uring_prep_uring_cmd128   kernel: 6.19
func (s *SQE) PrepUringCmd128(cmdOp, fd int) {
	s.prepCmd(IORING_OP_URING_CMD128, uint32(cmdOp), fd)
}

// PrepProvideBuffers gives the kernel nr buffers of length bytes each, cut from
// buf one after another, as group bgid (0 to 65535) with ids from bid (0 to
// 65535) upward. Requests with IOSQE_BUFFER_SELECT take buffers from the group.
// buf must stay reachable until every one of them has come back in a CQE or was
// removed, and the requests that took them have ended. The result is 0 or, on
// old kernels, the number of buffers. Buffer rings (Linux 5.19) replace this
// operation.
//
// It panics if nr buffers of length bytes do not fit into buf, for the kernel
// would write behind it.
//
// liburing: io_uring_prep_provide_buffers   kernel: 5.7
func (s *SQE) PrepProvideBuffers(buf []byte, length, nr, bgid, bid int) {
	// The fields have 32 bits: what counts is what the kernel will read.
	if n := int32(nr); n > 0 && uint64(n)*uint64(uint32(length)) > uint64(len(buf)) {
		panic(fmt.Sprintf("uring: PrepProvideBuffers: %d buffers of %d bytes do not fit into %d bytes", nr, length, len(buf)))
	}
	addr, _ := addrSlice(buf)
	s.prep(IORING_OP_PROVIDE_BUFFERS, nr, addr, uint32(length), uint64(int32(bid)))
	s.BufIndex = uint16(bgid)
}

// PrepRemoveBuffers takes back up to nr buffers (1 to 65536) that
// PrepProvideBuffers gave to group bgid (0 to 65535) and that no request has
// taken. The result is how many, or -ENOENT if there is no such group.
//
// liburing: io_uring_prep_remove_buffers   kernel: 5.7
func (s *SQE) PrepRemoveBuffers(nr, bgid int) {
	s.prep(IORING_OP_REMOVE_BUFFERS, nr, 0, 0, 0)
	s.BufIndex = uint16(bgid)
}

// PrepFilesUpdate replaces slots of the ring's registered file table, from
// offset on, with the descriptors in fds: -1 empties a slot and
// IORING_REGISTER_FILES_SKIP leaves it. With offset -1, which in 32 bits is
// IORING_FILE_INDEX_ALLOC (Linux 5.19), the kernel finds free slots and writes
// their numbers to fds. fds must stay reachable until the CQE. The result is the
// number of slots updated.
//
// liburing: io_uring_prep_files_update   kernel: 5.6
func (s *SQE) PrepFilesUpdate(fds []int32, offset int) {
	addr, n := addrSlice(fds)
	s.prep(IORING_OP_FILES_UPDATE, -1, addr, n, uint64(int32(offset)))
}

// PrepFixedFdInstall makes an ordinary file descriptor for the direct
// descriptor fd, which stays. It is close-on-exec unless flags has
// IORING_FIXED_FD_NO_CLOEXEC. The method assigns Flags (IOSQE_FIXED_FILE): set
// further ones afterwards. The result is the new descriptor.
//
// liburing: io_uring_prep_fixed_fd_install   kernel: 6.8
func (s *SQE) PrepFixedFdInstall(fd int, flags uint32) {
	s.prep(IORING_OP_FIXED_FD_INSTALL, fd, 0, 0, 0)
	s.Flags = IOSQE_FIXED_FILE
	s.OpFlags = flags
}

// PrepMsgRing posts a completion to the ring whose descriptor is fd, which may
// be this one: with UserData data and Res length. flags must be 0. The result
// here is 0, -EBADFD if fd is not a ring or a disabled one, or -EOVERFLOW if
// there was no memory to keep the completion.
//
// liburing: io_uring_prep_msg_ring   kernel: 5.18
func (s *SQE) PrepMsgRing(fd int, length uint32, data uint64, flags uint32) {
	s.prep(IORING_OP_MSG_RING, fd, 0, length, data)
	s.OpFlags = flags
}

// PrepMsgRingCqeFlags is PrepMsgRing that also sets the Flags of the target's
// completion to cqeFlags. It adds IORING_MSG_RING_FLAGS_PASS to flags. A flag
// that changes how a completion is read, such as IORING_CQE_F_32, misleads
// whoever reaps the target.
//
// liburing: io_uring_prep_msg_ring_cqe_flags   kernel: 6.3
func (s *SQE) PrepMsgRingCqeFlags(fd int, length uint32, data uint64, flags, cqeFlags uint32) {
	s.prep(IORING_OP_MSG_RING, fd, 0, length, data)
	s.OpFlags = uint32(IORING_MSG_RING_FLAGS_PASS) | flags
	s.FileIndex = cqeFlags
}

// PrepMsgRingFd installs this ring's direct descriptor sourceFd as targetFd in
// the file table of the ring whose descriptor is fd, and posts a completion
// with UserData data there, unless flags has IORING_MSG_RING_CQE_SKIP. With
// targetFd -1, which in 32 bits is IORING_FILE_INDEX_ALLOC, the kernel chooses a
// free slot there, and that completion's Res is the slot. The result here is 0,
// or the slot chosen.
//
// liburing: io_uring_prep_msg_ring_fd   kernel: 6.0
func (s *SQE) PrepMsgRingFd(fd, sourceFd, targetFd int, data uint64, flags uint32) {
	s.prep(IORING_OP_MSG_RING, fd, uint64(IORING_MSG_SEND_FD), 0, data)
	s.Addr3 = uint64(int32(sourceFd))
	s.FileIndex = directSlot(uint32(targetFd))
	s.OpFlags = flags
}

// PrepMsgRingFdAlloc is PrepMsgRingFd with a slot that the kernel chooses.
//
// liburing: io_uring_prep_msg_ring_fd_alloc   kernel: 6.0
func (s *SQE) PrepMsgRingFdAlloc(fd, sourceFd int, data uint64, flags uint32) {
	s.prep(IORING_OP_MSG_RING, fd, uint64(IORING_MSG_SEND_FD), 0, data)
	s.Addr3 = uint64(int32(sourceFd))
	s.FileIndex = IORING_FILE_INDEX_ALLOC
	s.OpFlags = flags
}

// blockCmd returns _IO(0x12, nr), the number of a block device's command. The
// bits that say "no argument" differ between architectures; BLKROSET is
// _IO(0x12, 93) and has them.
func blockCmd(nr uint32) uint32 {
	return unix.BLKROSET&^0xff | nr
}
