/*
 * remote-mem: bytes in another process.
 *
 * Addresses there are `struct raddr`, so that they can't be followed here.
 * Reads and writes go through process_vm_readv/writev (2), which obey the
 * target's page protection; rmem_poke goes through /proc/PID/mem, which does
 * not: it is the way into read-only code, where the target gets its own copy
 * of the page.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

struct error;

struct raddr {
	uint64_t v;
};

static inline struct raddr raddr_of(uint64_t v)
{
	return (struct raddr){ v };
}

static inline struct raddr raddr_add(struct raddr a, uint64_t n)
{
	return (struct raddr){ a.v + n };
}

/* All or nothing, -EFAULT names the first address that could not be reached. */
int rmem_read(pid_t host_pid, struct raddr from, void *to, size_t len, struct error *err);
int rmem_write(pid_t host_pid, struct raddr to, const void *from, size_t len, struct error *err);

struct rmem_run {
	struct raddr start;
	uint64_t len;
};

/* Many runs one after the other into one local buffer that holds them all. */
int rmem_read_runs(pid_t host_pid, const struct rmem_run *runs, size_t n, void *to,
		   struct error *err);

/*
 * The same as rmem_poke by PTRACE_POKEDATA, for kernels that keep /proc/PID/mem
 * from writing where the process may not (proc_mem.force_override). The thread
 * must be stopped for us; `len` is a multiple of 8.
 */
int rmem_poke_traced(pid_t host_tid, struct raddr to, const void *from, size_t len,
		     struct error *err);

/* /proc/PID/mem, O_RDWR. Returns the descriptor or -errno. */
int rmem_open(pid_t host_pid, struct error *err);
int rmem_poke(int mem_fd, struct raddr to, const void *from, size_t len, struct error *err);
int rmem_peek(int mem_fd, struct raddr from, void *to, size_t len, struct error *err);
