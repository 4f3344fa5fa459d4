/*
 * Shared memory seen in odd ways: part of a segment without rights, parts moved and in another
 * order, mapped through /dev/zero, a tail that nobody maps any more; a shared file with pages that
 * were not written back, mapped from its middle; a deleted file of a tmpfs that two tasks have
 * mapped.
 */
#include "live.h"

#define PAGE ((size_t)4096)

static unsigned char *zero;
static unsigned char *file;
static unsigned char *deleted;

static void child(void)
{
	live_wait();
	while (__atomic_load_n(&zero[0], __ATOMIC_SEQ_CST) != 'P')
		live_pause_ms(1);
	file[3] = 'C';
	deleted[PAGE] = 'D';
	__atomic_store_n(&zero[1], 'C', __ATOMIC_SEQ_CST);
}

static unsigned char *map(size_t pages, int fd, off_t page)
{
	return SYS(mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE,
			MAP_SHARED | (fd < 0 ? MAP_ANONYMOUS : 0), fd, page * (off_t)PAGE));
}

int main(void)
{
	unsigned char *odd, *moved, *place;
	char got[8] = "";
	int fd;
	pid_t pid;

	/* Pages 0 1 2 3 4 5; 3 moved below all others, 1 without rights, 5 seen by nobody. */
	odd = map(6, -1, 0);
	for (int i = 0; i < 6; i++)
		odd[(size_t)i * PAGE] = (unsigned char)('0' + i);
	place = SYS(mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	moved = SYS(mremap(odd + 3 * PAGE, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, place));
	(void)SYS(mprotect(odd + PAGE, PAGE, PROT_NONE));
	(void)SYS(munmap(odd + 5 * PAGE, PAGE));

	fd = SYS(open("/dev/zero", O_RDWR));
	zero = map(2, fd, 0);
	(void)SYS(close(fd));
	zero[PAGE] = 'z';

	fd = SYS(open(live_path("shared"), O_RDWR | O_CREAT | O_TRUNC, 0600));
	(void)SYS(ftruncate(fd, (off_t)(4 * PAGE)));
	file = map(2, fd, 2);
	memcpy(file, "dirty", 5);

	{
		int gone = SYS(open(live_path("gone"), O_RDWR | O_CREAT | O_TRUNC, 0600));

		(void)SYS(ftruncate(gone, (off_t)(2 * PAGE)));
		deleted = map(2, gone, 0);
		memcpy(deleted, "deleted", 7);
		(void)SYS(unlink(live_path("gone")));
		(void)SYS(close(gone));
	}
	pid = live_fork(child);
	live_freeze();

	CHECK(odd[0] == '0' && odd[2 * PAGE] == '2' && odd[4 * PAGE] == '4' && *moved == '3',
	      "'%c' '%c' '%c' '%c'", odd[0], odd[2 * PAGE], odd[4 * PAGE], *moved);
	(void)SYS(mprotect(odd + PAGE, PAGE, PROT_READ | PROT_WRITE));
	CHECK(odd[PAGE] == '1', "the page without rights has '%c'", odd[PAGE]);
	/* The segment is still one: its hole and its tail are there for who maps them. */
	CHECK(mremap(odd + 2 * PAGE, 0, 2 * PAGE, MREMAP_MAYMOVE) != MAP_FAILED, "mremap");
	place = SYS(mremap(odd + 2 * PAGE, 0, 3 * PAGE, MREMAP_MAYMOVE));
	CHECK(place[PAGE] == '3' && place[2 * PAGE] == '4', "'%c' '%c' behind page 2", place[PAGE],
	      place[2 * PAGE]);
	CHECK(zero[PAGE] == 'z', "what was mapped from /dev/zero");
	__atomic_store_n(&zero[0], 'P', __ATOMIC_SEQ_CST);
	live_reap(pid);
	CHECK(zero[1] == 'C', "the child's byte");
	CHECK(memcmp(file, "dirCy", 5) == 0, "the file's mapping has '%.5s'", file);
	CHECK(pread(fd, got, 5, (off_t)(2 * PAGE)) == 5 && memcmp(got, "dirCy", 5) == 0,
	      "the file has '%s'", got);
	CHECK(memcmp(deleted, "deleted", 7) == 0 && deleted[PAGE] == 'D', "the deleted file");
	live_pass();
}
