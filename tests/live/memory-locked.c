/* mlock(2) keeps all pages there; with MLOCK_ONFAULT only those that were touched. */
#include "live.h"

#ifndef MLOCK_ONFAULT
#define MLOCK_ONFAULT 1
#endif

#define MIB ((size_t)1 << 20)
#define SPARSE (512 * MIB)

static long kib(const char *key)
{
	return strtol(live_proc(getpid(), "status", key), NULL, 10);
}

int main(void)
{
	char *whole =
		SYS(mmap(NULL, MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	char *sparse = SYS(mmap(NULL, SPARSE, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
	char *none =
		SYS(mmap(NULL, MIB, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED, -1, 0));
	unsigned char there[256];
	long locked, resident;

	SYS(mlock(whole, MIB));
	SYS(mlock2(sparse, SPARSE, MLOCK_ONFAULT));
	whole[5] = 1;
	sparse[0] = 2;
	sparse[SPARSE - 1] = 3;
	locked = kib("VmLck:");
	live_freeze();
	CHECK(kib("VmLck:") == locked, "%ld KiB were locked, now %ld", locked, kib("VmLck:"));
	SYS(mincore(whole, MIB, there));
	for (size_t i = 0; i < sizeof(there); i++)
		CHECK(there[i] & 1, "page %zu of locked memory is not there", i);
	resident = kib("VmRSS:");
	CHECK(resident < (long)(SPARSE >> 10) / 2, "%ld KiB are resident", resident);
	CHECK(whole[5] == 1 && sparse[0] == 2 && sparse[SPARSE - 1] == 3, "content");
	SYS(mprotect(none, MIB, PROT_READ));
	CHECK(none[4096] == 0, "content of unreadable memory");
	live_pass();
}
