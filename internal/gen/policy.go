package main

// What the headers cannot say: which Go type a constant gets, what a group of
// constants or a structure is for, and which member of a union Go sees.
// A name that no rule mentions still comes out, untyped and without a sentence.

// A style is how a constant's value is written.
type style int

const (
	decimal style = iota
	bitmask       // 1 << n for a single bit, otherwise hexadecimal
	hex
)

// A group is what the constants of one kind have in common. Neighbours with the
// same sentence share one const block.
type group struct {
	prefix string // of the name; "enum NAME" matches the enumeration that begins with NAME
	typ    string // "" for untyped
	style  style
	doc    string
}

const mmapOffsets = "Offsets for mmap(2) of the ring's descriptor. A ring of provided buffers is at\n" +
	"IORING_OFF_PBUF_RING | group id << IORING_OFF_PBUF_SHIFT."

// groups is searched in order; the first match counts.
var groups = []group{
	{"enum IOSQE_FIXED_FILE_BIT", "", decimal, "Bit numbers of the SQE flags."},
	{"enum IORING_OP_NOP", "Op", decimal, "Operations: SQE.Opcode. IORING_OP_LAST is the first number without one."},
	{"enum IORING_REGISTER_BUFFERS", "RegisterOp", decimal, "Operations of io_uring_register(2). IORING_REGISTER_LAST is the first number\n" +
		"without one; IORING_REGISTER_USE_REGISTERED_RING is a flag added to a number."},
	{"enum IO_WQ_BOUND", "", decimal, "Worker categories: indices into the array that IORING_REGISTER_IOWQ_MAX_WORKERS takes."},
	{"enum IORING_MSG_DATA", "", decimal, "Commands of IORING_OP_MSG_RING: SQE.Addr."},
	{"enum IORING_RESTRICTION_REGISTER_OP", "", decimal, "Kinds of restriction: Restriction.Opcode."},
	{"enum IOU_PBUF_RING_MMAP", "", bitmask, "Flags of a ring of provided buffers: BufReg.Flags."},
	{"enum IO_URING_NAPI_REGISTER_OP", "", decimal, "What to do with NAPI ids: NAPI.Opcode."},
	{"enum IO_URING_NAPI_TRACKING_DYNAMIC", "", decimal, "How NAPI ids are found: NAPI.OpParam with IO_URING_NAPI_REGISTER_OP."},
	{"enum SOCKET_URING_OP_SIOCINQ", "", decimal, "Commands for a socket: cmd_op of IORING_OP_URING_CMD."},
	{"enum IORING_ZCRX_AREA_DMABUF", "", bitmask, "Flags of a zero-copy receive area: ZCRXAreaReg.Flags."},
	{"enum ZCRX_REG_IMPORT", "", bitmask, "Flags of a zero-copy receive instance: ZCRXIfqReg.Flags."},
	{"enum ZCRX_FEATURE_RX_PAGE_SIZE", "", bitmask, "Features of zero-copy receive: QueryZCRX.Features."},
	{"enum ZCRX_EVENT_ALLOC_FAIL", "", decimal, "Events of zero-copy receive: bit numbers in ZCRXEventDesc.TypeMask, numbers in ZCRXCtrlArmEvent.EventType."},
	{"enum ZCRX_EVENT_DESC_FLAG_STATS", "", bitmask, "Flags of an event description: ZCRXEventDesc.Flags."},
	{"enum ZCRX_CTRL_FLUSH_RQ", "", decimal, "Operations of IORING_REGISTER_ZCRX_CTRL: ZCRXCtrl.Op."},

	{"IORING_RW_ATTR_FLAG_", "", bitmask, "Attributes of a read or write: the SQE's attr_type_mask."},
	{"IORING_FILE_INDEX_ALLOC", "", hex, "SQE.FileIndex: let the kernel choose a free slot for the direct descriptor."},
	{"IOSQE_", "SQEFlags", bitmask, "SQE flags: SQE.Flags."},
	{"IORING_SETUP_", "SetupFlags", bitmask, "Setup flags: Params.Flags."},
	{"IORING_URING_CMD_", "", bitmask, "Flags of IORING_OP_URING_CMD: SQE.OpFlags."},
	{"IORING_FSYNC_", "", bitmask, "Flags of IORING_OP_FSYNC: SQE.OpFlags."},
	{"IORING_TIMEOUT_", "", bitmask, "Flags of the timeout operations: SQE.OpFlags."},
	{"IORING_LINK_TIMEOUT_", "", bitmask, "Flags of the timeout operations: SQE.OpFlags."},
	{"SPLICE_F_", "", bitmask, "Flag of IORING_OP_SPLICE and IORING_OP_TEE beside those of splice(2): SQE.OpFlags."},
	{"IORING_POLL_", "", bitmask, "Flags of the poll operations: SQE.Len."},
	{"IORING_ASYNC_CANCEL_", "", bitmask, "Flags of IORING_OP_ASYNC_CANCEL and of SyncCancelReg: SQE.OpFlags."},
	{"IORING_RECVSEND_", "", bitmask, "Flags of the send and receive operations: SQE.Ioprio."},
	{"IORING_RECV_", "", bitmask, "Flags of the send and receive operations: SQE.Ioprio."},
	{"IORING_SEND_", "", bitmask, "Flags of the send and receive operations: SQE.Ioprio."},
	{"IORING_NOTIF_", "", bitmask, "CQE.Res of a notification under IORING_SEND_ZC_REPORT_USAGE."},
	{"IORING_ACCEPT_", "", bitmask, "Flags of IORING_OP_ACCEPT: SQE.Ioprio."},
	{"IORING_MSG_RING_", "", bitmask, "Flags of IORING_OP_MSG_RING: SQE.OpFlags."},
	{"IORING_FIXED_FD_", "", bitmask, "Flags of IORING_OP_FIXED_FD_INSTALL: SQE.OpFlags."},
	{"IORING_NOP_", "", bitmask, "Flags of IORING_OP_NOP: SQE.OpFlags."},
	{"IORING_CQE_F_TSTAMP_HW", "CQEFlags", bitmask, "IORING_CQE_F_TSTAMP_HW: CQE.Flags of SOCKET_URING_OP_TX_TIMESTAMP, a hardware time stamp.\n" +
		"In other completions this bit belongs to the buffer id."},
	{"IORING_CQE_F_", "CQEFlags", bitmask, "CQE flags: CQE.Flags."},
	{"IORING_CQE_BUFFER_SHIFT", "", decimal, "CQE.Flags holds the buffer id from this bit on."},
	{"IORING_OFF_PBUF_SHIFT", "", decimal, mmapOffsets},
	{"IORING_OFF_", "", hex, mmapOffsets},
	{"IORING_SQ_", "SQRingFlags", bitmask, "SQ ring flags: the word at SQRingOffsets.Flags, written by the kernel."},
	{"IORING_CQ_", "CQRingFlags", bitmask, "CQ ring flags: the word at CQRingOffsets.Flags, written by the application."},
	{"IORING_ENTER_", "EnterFlags", bitmask, "Flags of io_uring_enter(2)."},
	{"IORING_FEAT_", "FeatFlags", bitmask, "Features: Params.Features."},
	{"IORING_MEM_REGION_TYPE_", "", bitmask, "Flags of a region: RegionDesc.Flags."},
	{"IORING_MEM_REGION_REG_", "", bitmask, "Flags of the registration of a region: MemRegionReg.Flags."},
	{"IORING_RSRC_", "", bitmask, "Flags of RsrcRegister."},
	{"IORING_REGISTER_FILES_SKIP", "", decimal, "A descriptor in an update that leaves its slot as it is."},
	{"IORING_REGISTER_SRC_", "", bitmask, "Flags of CloneBuffers."},
	{"IORING_REGISTER_DST_", "", bitmask, "Flags of CloneBuffers."},
	{"IO_URING_OP_", "", bitmask, "Flags of ProbeOp."},
	{"IORING_REG_WAIT_", "", bitmask, "Flags of RegWait."},
	{"IORING_TIMESTAMP_", "", decimal, "Where CQE.Flags of SOCKET_URING_OP_TX_TIMESTAMP holds the kind of time stamp."},
	{"IORING_ZCRX_AREA_SHIFT", "", decimal, "ZCRXCQE.Off: the area id is in the bits from IORING_ZCRX_AREA_SHIFT on."},
	{"IORING_ZCRX_AREA_MASK", "", hex, "ZCRXCQE.Off: the area id is in the bits from IORING_ZCRX_AREA_SHIFT on."},
	{"IO_URING_QUERY_", "", decimal, "Queries of IORING_REGISTER_QUERY: QueryHdr.QueryOp. IO_URING_QUERY_MAX is the first number without one."},
	{"IO_URING_BPF_FILTER_", "", bitmask, "Flags of BPFFilter."},
	{"IO_URING_BPF_CMD_", "", decimal, "Commands of IORING_REGISTER_BPF_FILTER: BPF.CmdType."},
	{"FUTEX2_", "", hex, "Flags of the futex operations (futex_flags of a Prep method, FutexWaitv.Flags)."},
	{"FUTEX_", "", hex, "The mask that every waiter of a futex matches."},
}

// constTypes are the types of the typed constants, in the order of the file;
// table is the variable that holds their names.
var constTypes = []struct{ name, base, table, doc string }{
	{"Op", "uint8", "opNames", "Op is an operation, IORING_OP_*: what an SQE asks for."},
	{"SQEFlags", "uint8", "sqeFlagNames", "SQEFlags are the flags that every operation has, IOSQE_*."},
	{"CQEFlags", "uint32", "cqeFlagNames", "CQEFlags are what a completion says beside its result, IORING_CQE_F_*;\nthe upper 16 bits are a buffer id."},
	{"SetupFlags", "uint32", "setupFlagNames", "SetupFlags ask for properties of a ring, IORING_SETUP_*."},
	{"FeatFlags", "uint32", "featFlagNames", "FeatFlags are what the kernel says it can do, IORING_FEAT_*."},
	{"EnterFlags", "uint32", "enterFlagNames", "EnterFlags are the flags of io_uring_enter(2), IORING_ENTER_*."},
	{"RegisterOp", "uint32", "registerOpNames", "RegisterOp is an operation of io_uring_register(2), IORING_REGISTER_* or IORING_UNREGISTER_*."},
	{"SQRingFlags", "uint32", "sqRingFlagNames", "SQRingFlags are what the kernel says in the submission ring, IORING_SQ_*."},
	{"CQRingFlags", "uint32", "cqRingFlagNames", "CQRingFlags are what the application says in the completion ring, IORING_CQ_*."},
}

// headers are what is read, as they stand between < and >. Those of the
// second list add single names that callers need and no Go package has.
var (
	headers = []string{"linux/io_uring.h", "linux/io_uring/query.h", "linux/io_uring/bpf_filter.h", "linux/io_uring/zcrx.h"}
	extras  = []string{"linux/time_types.h", "linux/futex.h"}

	// extraNames are taken from extras; nothing else there belongs to io_uring.
	extraNames = []string{
		"__kernel_timespec", "futex_waitv",
		"FUTEX2_SIZE_U8", "FUTEX2_SIZE_U16", "FUTEX2_SIZE_U32", "FUTEX2_SIZE_U64", "FUTEX2_NUMA", "FUTEX2_MPOL", "FUTEX2_PRIVATE",
		"FUTEX_BITSET_MATCH_ANY",
	}

	// lib are liburing's own copies of headers.
	lib = []string{"liburing/io_uring.h", "liburing/io_uring/query.h", "liburing/io_uring/bpf_filter.h"}
)

// words are parts of C names that are not simply capitalised.
var words = map[string]string{
	"sq": "SQ", "cq": "CQ", "sqe": "SQE", "cqe": "CQE", "rq": "RQ", "rqe": "RQE", "scq": "SCQ", "wq": "WQ",
	"id": "ID", "cpu": "CPU", "napi": "NAPI", "bpf": "BPF", "zcrx": "ZCRX", "zc": "ZC", "pi": "PI",
	"sqring": "SQRing", "cqring": "CQRing", "getevents": "GetEvents", "pdu": "PDU", "rqes": "RQEs", "cqes": "CQEs",
}

// typeNames are Go names of structures that the rule would name otherwise.
var typeNames = map[string]string{
	"io_timespec": "IOTimespec", // the rule gives __kernel_timespec's name
}

// A fieldRule changes how one member appears in Go.
type fieldRule struct {
	name string // Go name
	typ  string // Go type
	doc  string
}

// fieldRules are keyed by structure and member; for a union the member is the
// one that was picked.
var fieldRules = map[string]fieldRule{
	"io_uring_sqe.opcode":     {typ: "Op", doc: "the operation"},
	"io_uring_sqe.flags":      {typ: "SQEFlags", doc: "IOSQE_*"},
	"io_uring_sqe.ioprio":     {doc: "I/O priority, or flags of the operation"},
	"io_uring_sqe.fd":         {doc: "file descriptor, or index with IOSQE_FIXED_FILE"},
	"io_uring_sqe.off":        {doc: "offset in the file"},
	"io_uring_sqe.addr":       {doc: "address of the buffer or of the iovecs"},
	"io_uring_sqe.len":        {doc: "bytes, or number of iovecs"},
	"io_uring_sqe.rw_flags":   {name: "OpFlags", typ: "uint32", doc: "flags of the operation"},
	"io_uring_sqe.user_data":  {doc: "comes back in the CQE"},
	"io_uring_sqe.buf_index":  {doc: "registered buffer, or group with IOSQE_BUFFER_SELECT"},
	"io_uring_sqe.file_index": {doc: "direct descriptor + 1, or IORING_FILE_INDEX_ALLOC"},
	"io_uring_sqe.__pad2":     {name: "Pad2", typ: "uint64"},

	"io_uring_cqe.user_data": {doc: "of the SQE"},
	"io_uring_cqe.res":       {doc: "result, or negated errno"},
	"io_uring_cqe.flags":     {typ: "CQEFlags", doc: "IORING_CQE_F_*"},

	"io_uring_params.flags":          {typ: "SetupFlags", doc: "IORING_SETUP_*"},
	"io_uring_params.sq_thread_idle": {doc: "milliseconds"},
	"io_uring_params.features":       {typ: "FeatFlags", doc: "IORING_FEAT_*, written by the kernel"},

	"io_uring_probe_op.op":             {typ: "Op"},
	"io_uring_probe_op.flags":          {doc: "IO_URING_OP_SUPPORTED"},
	"io_uring_probe.last_op":           {typ: "Op", doc: "last operation that the kernel knows"},
	"io_uring_probe.ops_len":           {doc: "number of ProbeOp that follow"},
	"io_uring_restriction.register_op": {name: "Arg", doc: "RegisterOp, Op or SQEFlags, as Opcode says"},
	"io_uring_sync_cancel_reg.opcode":  {typ: "Op"},
	"io_uring_bpf_ctx.opcode":          {typ: "Op"},
	"io_uring_bpf_ctx.sqe_flags":       {typ: "SQEFlags"},
	"io_uring_bpf_ctx.connect.v6_addr": {doc: "an IPv4 address is in the first four bytes"},
	"io_uring_buf_ring.tail":           {doc: "where the application puts the next buffer"},
	"io_uring_buf_reg.min_left":        {doc: "bytes; with IOU_PBUF_RING_INC a buffer with less left is done"},

	"__kernel_timespec.tv_sec":  {name: "Sec"},
	"__kernel_timespec.tv_nsec": {name: "Nsec"},
	"io_timespec.tv_sec":        {name: "Sec"},
	"io_timespec.tv_nsec":       {name: "Nsec"},
}

// picks name the member of a union that Go sees, keyed by structure and the
// union's first member. A union with one member needs no entry. The name
// "view:X" makes a field X of the union's size, and a method for each member.
var picks = map[string]string{
	"io_uring_sqe.off":                 "off",
	"io_uring_sqe.addr":                "addr",
	"io_uring_sqe.rw_flags":            "rw_flags",
	"io_uring_sqe.buf_index":           "buf_index",
	"io_uring_sqe.splice_fd_in":        "file_index",
	"io_uring_sqe.addr3":               "addr3",
	"io_uring_restriction.register_op": "register_op",
	"io_uring_buf_ring.resv1":          "resv1",
	"io_uring_bpf_ctx.socket":          "view:PDU",
	"io_uring_bpf_ctx.connect.v4_addr": "v6_addr",
	"zcrx_ctrl.zc_export":              "view:Arg",
}

// structDocs say what a structure is for.
var structDocs = map[string]string{
	"io_uring_sqe": "SQE is a submission queue entry: one request.\n\n" +
		"C has unions here; Go has the member that most operations use, and the\n" +
		"comments name the others. A member narrower than its field (+n: bytes from\n" +
		"the field's start) is at that address, not in the low bits: on a big-endian\n" +
		"machine that is a difference. Addr3 and Pad2 start the 80 bytes for commands\n" +
		"of an SQE128.",
	"io_uring_attr_pi":          "AttrPI is the protection information of a read or write: IORING_RW_ATTR_FLAG_PI.",
	"io_uring_cqe":              "CQE is a completion queue entry: one result.",
	"io_sqring_offsets":         "SQRingOffsets tells where the parts of the submission ring are in its mapping.",
	"io_cqring_offsets":         "CQRingOffsets tells where the parts of the completion ring are in its mapping.",
	"io_uring_params":           "Params is the argument of io_uring_setup(2), which the kernel completes.",
	"io_uring_files_update":     "FilesUpdate is the old form of RsrcUpdate.",
	"io_uring_region_desc":      "RegionDesc describes memory shared with the kernel.",
	"io_uring_mem_region_reg":   "MemRegionReg is the argument of IORING_REGISTER_MEM_REGION.",
	"io_uring_rsrc_register":    "RsrcRegister is the argument of IORING_REGISTER_FILES2 and IORING_REGISTER_BUFFERS2.",
	"io_uring_rsrc_update":      "RsrcUpdate is the argument of IORING_REGISTER_FILES_UPDATE and of IORING_REGISTER_RING_FDS.",
	"io_uring_rsrc_update2":     "RsrcUpdate2 is the argument of IORING_REGISTER_FILES_UPDATE2 and IORING_REGISTER_BUFFERS_UPDATE.",
	"io_uring_probe_op":         "ProbeOp is what a Probe says about one operation.",
	"io_uring_probe":            "Probe heads the argument of IORING_REGISTER_PROBE; an array of ProbeOp follows it.",
	"io_uring_restriction":      "Restriction is an element of the argument of IORING_REGISTER_RESTRICTIONS.",
	"io_uring_task_restriction": "TaskRestriction heads restrictions for every ring that a task creates; NrRes Restrictions follow it.",
	"io_uring_clock_register":   "ClockRegister is the argument of IORING_REGISTER_CLOCK.",
	"io_uring_clone_buffers":    "CloneBuffers is the argument of IORING_REGISTER_CLONE_BUFFERS.",
	"io_uring_buf":              "Buf is one entry of a ring of provided buffers.",
	"io_uring_buf_ring":         "BufRing overlays the first Buf of a ring of provided buffers: the tail is where that entry has unused bytes.",
	"io_uring_buf_reg":          "BufReg is the argument of IORING_REGISTER_PBUF_RING and IORING_UNREGISTER_PBUF_RING.",
	"io_uring_buf_status":       "BufStatus is the argument of IORING_REGISTER_PBUF_STATUS.",
	"io_uring_napi":             "NAPI is the argument of IORING_REGISTER_NAPI and IORING_UNREGISTER_NAPI.",
	"io_uring_reg_wait":         "RegWait is a wait argument in registered memory: IORING_ENTER_EXT_ARG_REG.",
	"io_uring_getevents_arg":    "GetEventsArg is the argument of io_uring_enter(2) with IORING_ENTER_EXT_ARG.",
	"io_uring_sync_cancel_reg":  "SyncCancelReg is the argument of IORING_REGISTER_SYNC_CANCEL.",
	"io_uring_file_index_range": "FileIndexRange is the argument of IORING_REGISTER_FILE_ALLOC_RANGE.",
	"io_uring_recvmsg_out":      "RecvmsgOut heads the buffer that a multishot recvmsg has filled.",
	"io_timespec":               "IOTimespec is the time in the second half of a time stamp's CQE32: SOCKET_URING_OP_TX_TIMESTAMP.",
	"io_uring_zcrx_rqe":         "ZCRXRQE is an entry of the refill queue of zero-copy receive: memory given back.",
	"io_uring_zcrx_cqe":         "ZCRXCQE is the second half of a zero-copy receive's CQE32: where the data is.",
	"io_uring_zcrx_offsets":     "ZCRXOffsets tells where the parts of the refill queue are in its region.",
	"io_uring_zcrx_area_reg":    "ZCRXAreaReg describes the memory that zero-copy receive fills.",
	"io_uring_zcrx_ifq_reg":     "ZCRXIfqReg is the argument of IORING_REGISTER_ZCRX_IFQ.",
	"zcrx_stats":                "ZCRXStats counts what zero-copy receive had to copy.",
	"zcrx_event_desc":           "ZCRXEventDesc asks for completions about events of zero-copy receive.",
	"zcrx_ctrl":                 "ZCRXCtrl is the argument of IORING_REGISTER_ZCRX_CTRL.",
	"zcrx_ctrl_flush_rq":        "ZCRXCtrlFlushRQ belongs to ZCRX_CTRL_FLUSH_RQ.",
	"zcrx_ctrl_export":          "ZCRXCtrlExport belongs to ZCRX_CTRL_EXPORT.",
	"zcrx_ctrl_arm_event":       "ZCRXCtrlArmEvent belongs to ZCRX_CTRL_ARM_EVENT.",
	"zcrx_ctrl_add_area":        "ZCRXCtrlAddArea belongs to ZCRX_CTRL_ADD_AREA.",
	"io_uring_query_hdr":        "QueryHdr is the argument of IORING_REGISTER_QUERY: one query, and the address of the next.",
	"io_uring_query_opcode":     "QueryOpcode answers IO_URING_QUERY_OPCODES.",
	"io_uring_query_zcrx":       "QueryZCRX answers IO_URING_QUERY_ZCRX.",
	"io_uring_query_zcrx_event": "QueryZCRXEvent answers IO_URING_QUERY_ZCRX_EVENT.",
	"io_uring_query_scq":        "QuerySCQ answers IO_URING_QUERY_SCQ.",
	"io_uring_bpf_ctx":          "BPFCtx is what a filter program reads: offsets in it are the operands of its loads.",
	"io_uring_bpf_ctx.socket":   "BPFCtxSocket is BPFCtx.PDU for IORING_OP_SOCKET.",
	"io_uring_bpf_ctx.open":     "BPFCtxOpen is BPFCtx.PDU for IORING_OP_OPENAT and IORING_OP_OPENAT2.",
	"io_uring_bpf_ctx.connect":  "BPFCtxConnect is BPFCtx.PDU for IORING_OP_CONNECT. Port and V6Addr are in network byte order.",
	"io_uring_bpf_filter":       "BPFFilter is a classic BPF program for one operation.",
	"io_uring_bpf":              "BPF is the argument of IORING_REGISTER_BPF_FILTER.",
	"__kernel_timespec":         "Timespec is the kernel's struct __kernel_timespec: 64 bits on every architecture, unlike unix.Timespec.",
	"futex_waitv":               "FutexWaitv is one futex of the array that IORING_OP_FUTEX_WAITV waits for.",
}

// trailers follow a structure in the file: types made of it.
var trailers = map[string]string{
	"io_uring_sqe": `// SQE128 is an entry of a ring with IORING_SETUP_SQE128, and a large one of a
// ring with IORING_SETUP_SQE_MIXED.
type SQE128 [2]SQE
`,
	"io_uring_cqe": `// CQE32 is an entry of a ring with IORING_SETUP_CQE32, and one of a ring with
// IORING_SETUP_CQE_MIXED that has IORING_CQE_F_32.
type CQE32 struct {
	_ structs.HostLayout
	CQE
	Extra [2]uint64
}
`,
}
