/*
 * Shared anonymous memory: parent, child and grandchild see one memory before and after,
 * through several mappings of parts of it, one of them read-only; untouched pages stay zero.
 */
#include "live.h"

#define SIZE ((size_t)4 << 20)

static unsigned char *all;
static uint64_t *turns; /* whose turn it is */

static unsigned char byte_at(size_t i)
{
	return (unsigned char)(i * 7 + i / 4093);
}

static void wait_turn(uint64_t turn)
{
	while (__atomic_load_n(turns, __ATOMIC_SEQ_CST) != turn)
		live_pause_ms(1);
}

static void grandchild(void)
{
	live_wait();
	wait_turn(2);
	if (all[SIZE - 1] != 0x5a)
		_exit(1);
	all[0] = 0xa5;
	__atomic_store_n(turns, 3, __ATOMIC_SEQ_CST);
}

static void child(void)
{
	pid_t pid = live_fork(grandchild);
	/* The upper half is no longer mapped here, and the rest is read-only. */
	(void)SYS(munmap(all + SIZE / 2, SIZE / 2));
	(void)SYS(mprotect(all, SIZE / 2, PROT_READ));
	live_wait();
	wait_turn(1);
	if (all[12345] != byte_at(12345))
		_exit(1);
	__atomic_store_n(turns, 2, __ATOMIC_SEQ_CST);
	live_reap(pid);
}

int main(void)
{
	unsigned char resident[SIZE / 4096];
	uint64_t *second;
	pid_t pid;

	all = SYS(mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
	turns = SYS(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
	for (size_t i = 0; i < SIZE / 4; i++)
		all[i] = byte_at(i);
	all[SIZE - 1] = 0x5a;
	/* The same memory once more, from its second page on. */
	second = SYS(mremap(all + 4096, 0, 8192, MREMAP_MAYMOVE));
	pid = live_fork(child);
	live_freeze();

	__atomic_store_n(turns, 1, __ATOMIC_SEQ_CST);
	wait_turn(3);
	CHECK(all[0] == 0xa5, "the grandchild's byte is not here");
	for (size_t i = 1; i < SIZE / 4; i++)
		CHECK(all[i] == byte_at(i), "byte %zu changed", i);
	(void)SYS(mincore(all, SIZE, resident));
	CHECK(!(resident[SIZE / 4096 / 2] & 1), "an untouched page takes up memory");
	for (size_t i = SIZE / 4; i < SIZE - 1; i++)
		CHECK(all[i] == 0, "byte %zu is not zero", i);
	second[1] = 0x1122334455667788;
	CHECK(*(uint64_t *)(void *)(all + 4096 + 8) == 0x1122334455667788,
	      "the second mapping shows other memory");
	live_reap(pid);
	live_pass();
}
