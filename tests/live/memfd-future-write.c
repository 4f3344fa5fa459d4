/*
 * A memfd sealed against future writing: what was mapped for writing before, here and in the
 * child, still can be written; nothing else can. A part of it is mapped without any right.
 */
#include "live.h"

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif
#define SIZE ((size_t)4 * 4096)

static unsigned char *memory;

static void child(void)
{
	live_wait();
	while (__atomic_load_n(&memory[0], __ATOMIC_SEQ_CST) != 'P')
		live_pause_ms(1);
	__atomic_store_n(&memory[1], 'C', __ATOMIC_SEQ_CST);
}

int main(void)
{
	int fd = SYS(memfd_create("future", MFD_ALLOW_SEALING));
	unsigned char *looking;
	pid_t pid;

	(void)SYS(ftruncate(fd, SIZE));
	memory = SYS(mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
	memcpy(memory, "pc", 2);
	memory[3 * 4096] = 'e';
	(void)SYS(mprotect(memory + 4096, 4096, PROT_NONE));
	(void)SYS(mprotect(memory + 2 * 4096, 4096, PROT_READ));
	(void)SYS(fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE | F_SEAL_GROW));
	looking = SYS(mmap(NULL, SIZE, PROT_READ, MAP_SHARED, fd, 0));
	pid = live_fork(child);
	live_freeze();

	CHECK(fcntl(fd, F_GET_SEALS) == (F_SEAL_FUTURE_WRITE | F_SEAL_GROW), "seals %#x",
	      fcntl(fd, F_GET_SEALS));
	CHECK(looking[3 * 4096] == 'e', "content");
	__atomic_store_n(&memory[0], 'P', __ATOMIC_SEQ_CST);
	live_reap(pid);
	CHECK(looking[0] == 'P' && looking[1] == 'C', "'%c%c'", looking[0], looking[1]);
	CHECK(mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED &&
		      errno == EPERM,
	      "it can be mapped for writing");
	CHECK(mprotect(looking, SIZE, PROT_READ | PROT_WRITE) < 0, "it can be made writable");
	CHECK(write(fd, "x", 1) < 0 && errno == EPERM, "it can be written to");
	(void)SYS(mprotect(memory + 4096, 2 * 4096, PROT_READ | PROT_WRITE));
	memory[4096] = 'n';
	CHECK(looking[4096] == 'n', "its page without rights is another one now");
	live_pass();
}
