/*
 * A ptrace(2) for user-mode Linux on CPUs whose register state is larger than
 * it expects.
 *
 * User-mode Linux up to 6.12 keeps a process's floating-point and vector
 * registers in 2696 bytes: all there was up to AVX-512. It reads them with
 * PTRACE_GETREGSET, which gives as much as is asked for. It writes them back
 * with PTRACE_SETREGSET, which takes the whole state or fails with EFAULT. On a
 * CPU with AMX the whole is 11008 bytes, and no process starts.
 *
 * So a write that fails is done again with the whole state: the bytes that
 * user-mode Linux has, and behind them what the process has now. These are the
 * AMX registers, which no process uses without asking the host's kernel first.
 *
 * There is no header and no library function in here, so that the result fits
 * any C library: that of the kernel's suite is not that of the compiler.
 */

typedef unsigned long word;

struct iovec {
	void *base;
	word len;
};

enum {
	NR_PTRACE = 101,
	PEEKTEXT = 1, /* this one and the next two return a word */
	PEEKUSER = 3,
	GETREGSET = 0x4204,
	SETREGSET = 0x4205,
	XSTATE = 0x202,
	EFAULT = 14,
};

extern int *__errno_location(void);

static long sys_ptrace(word request, word pid, word addr, word data)
{
	register word r10 __asm__("r10") = data;
	long ret;

	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "a"(NR_PTRACE), "D"(request), "S"(pid), "d"(addr), "r"(r10)
			 : "rcx", "r11", "memory");
	return ret;
}

static long write_whole_state(word pid, struct iovec *part)
{
	static char state[1 << 16];
	struct iovec whole = { state, sizeof(state) };
	long ret;

	ret = sys_ptrace(GETREGSET, pid, XSTATE, (word)&whole);
	if (ret < 0)
		return ret;
	if (part->len >= whole.len)
		return -EFAULT; /* it failed for another reason */
	for (word i = 0; i < part->len; i++)
		state[i] = ((char *)part->base)[i];
	return sys_ptrace(SETREGSET, pid, XSTATE, (word)&whole);
}

long ptrace(word request, word pid, word addr, word data)
{
	word peeked;
	int peek = request >= PEEKTEXT && request <= PEEKUSER;
	long ret;

	ret = sys_ptrace(request, pid, addr, peek ? (word)&peeked : data);
	if (ret == -EFAULT && request == SETREGSET && addr == XSTATE)
		ret = write_whole_state(pid, (struct iovec *)data);
	if (ret < 0) {
		*__errno_location() = -ret;
		return -1;
	}
	if (peek) {
		*__errno_location() = 0;
		return peeked;
	}
	return ret;
}
