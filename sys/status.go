package sys

// Status is a ring's state at one moment. Under IORING_SETUP_SQPOLL the
// kernel's thread changes it at any time.
type Status struct {
	SQReady int // entries handed over that the kernel has not taken
	SQSpace int // free 64-byte slots (128-byte entries under IORING_SETUP_SQE128)
	CQReady int // completions in the kernel's queue that nobody has consumed

	SQDropped  uint32 // entries the kernel refused because their index was invalid
	CQOverflow uint32 // completions lost for want of memory; 0 on kernels with IORING_FEAT_NODROP

	NeedWakeup      bool // the IORING_SETUP_SQPOLL thread sleeps; the next Submit wakes it
	Overflow        bool // completions wait in the kernel for room in the queue
	TaskRun         bool // completions wait for this thread to enter the kernel (IORING_SETUP_TASKRUN_FLAG)
	EventfdDisabled bool // the registered eventfd is switched off
}
