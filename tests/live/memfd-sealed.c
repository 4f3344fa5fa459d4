/*
 * memfds: content, size that is no whole page, position, name, mode, seals and the lack of them;
 * one open twice, mapped shared by parent and child, and privately.
 */
#include "live.h"

#ifndef F_SEAL_EXEC
#define F_SEAL_EXEC 0x0020
#endif

static unsigned char *shared;
static int plain;

static void child(void)
{
	char got[4] = "";

	live_wait();
	if (memcmp(shared, "shared", 6) != 0)
		_exit(1);
	shared[5000] = 'c';
	if (pread(plain, got, 3, 8) != 3 || memcmp(got, "end", 3) != 0)
		_exit(2);
}

int main(void)
{
	int sealed, again, empty;
	unsigned char *private;
	char path[64], got[64] = "";
	struct stat st;
	pid_t pid;

	plain = SYS(memfd_create("plain", MFD_CLOEXEC));
	sealed = SYS(memfd_create("sealed one", MFD_ALLOW_SEALING));
	empty = SYS(memfd_create("", MFD_ALLOW_SEALING));
	CHECK(write(plain, "content end", 11) == 11, "write");
	(void)SYS(lseek(plain, 3, SEEK_SET));
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", plain);
	again = SYS(open(path, O_RDONLY | O_CLOEXEC));
	(void)SYS(ftruncate(sealed, 3 * 4096 + 100));
	CHECK(pwrite(sealed, "sealed", 6, 4096) == 6, "write");
	CHECK(pwrite(sealed, "last", 4, 3 * 4096 + 96) == 4, "write");
	private = SYS(mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE, sealed, 4096));
	private[1] = 'E';
	(void)SYS(fchmod(sealed, 0640));
	(void)SYS(fcntl(sealed, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW));
	{
		int memory = SYS(memfd_create("shared", 0));

		(void)SYS(ftruncate(memory, 8192));
		shared = SYS(mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0));
		memcpy(shared, "shared", 6);
		(void)SYS(close(memory));
	}
	pid = live_fork(child);
	live_freeze();

	CHECK(lseek(plain, 0, SEEK_CUR) == 3 && lseek(again, 0, SEEK_CUR) == 0, "positions");
	CHECK(read(plain, got, sizeof(got)) == 8 && memcmp(got, "tent end", 8) == 0, "content '%s'",
	      got);
	CHECK(fcntl(plain, F_GET_SEALS) == F_SEAL_SEAL, "seals %#x", fcntl(plain, F_GET_SEALS));
	CHECK(fcntl(plain, F_GETFD) == FD_CLOEXEC, "close-on-exec is lost");
	CHECK(write(again, "x", 1) < 0 && errno == EBADF, "it can be written to");
	CHECK(readlink(path, got, sizeof(got)) > 13 && memcmp(got, "/memfd:plain ", 13) == 0,
	      "it is called '%s'", got);
	(void)SYS(fstat(sealed, &st));
	CHECK(st.st_size == 3 * 4096 + 100, "size %jd", (intmax_t)st.st_size);
	CHECK((st.st_mode & 0777) == 0640, "mode %o", st.st_mode);
	CHECK(fcntl(sealed, F_GET_SEALS) == (F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW),
	      "seals %#x", fcntl(sealed, F_GET_SEALS));
	CHECK(write(sealed, "x", 1) < 0 && errno == EPERM, "the seal is broken");
	CHECK(fcntl(empty, F_GET_SEALS) == 0, "seals %#x", fcntl(empty, F_GET_SEALS));
	CHECK(pread(sealed, got, 6, 4096) == 6 && memcmp(got, "sealed", 6) == 0, "content");
	CHECK(pread(sealed, got, 9, 3 * 4096 + 96) == 4 && memcmp(got, "last", 4) == 0, "its end");
	CHECK(memcmp(private, "sEaled", 6) == 0, "the private page changed");
	live_reap(pid);
	CHECK(shared[5000] == 'c', "the child's byte is not here");
	live_pass();
}
