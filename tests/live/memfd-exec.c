/*
 * A memfd that was never opened for writing anew: it can still be executed through its descriptor
 * after the restore, has the mode and the seal against changing that, and its flags.
 */
#include "live.h"

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U
#endif
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif
#ifndef F_SEAL_EXEC
#define F_SEAL_EXEC 0x0020
#endif
#define ANSWER 42

/* Calls exit_group(ANSWER). */
static const unsigned char program[] = {
	0x7f,
	'E',
	'L',
	'F',
	2,
	1,
	1,
	0,
	0,
	0,
	0,
	0,
	0,
	0,
	0,
	0, /* ident */
	2,
	0,
	62,
	0,
	1,
	0,
	0,
	0,
	0x78,
	0,
	0x40,
	0,
	0,
	0,
	0,
	0, /* entry */
	64,
	0,
	0,
	0,
	0,
	0,
	0,
	0,
	0,
	0,
	0,
	0,
	0,
	0,
	0,
	0, /* headers */
	0,
	0,
	0,
	0,
	64,
	0,
	56,
	0,
	1,
	0,
	64,
	0,
	0,
	0,
	0,
	0,
	/* program header: all of it, readable and executable, at 0x400000 */
	1,
	0,
	0,
	0,
	5,
	0,
	0,
	0,
	0,
	0,
	0,
	0,
	0,
	0,
	0,
	0,
	0,
	0,
	0x40,
	0,
	0,
	0,
	0,
	0,
	0,
	0,
	0x40,
	0,
	0,
	0,
	0,
	0,
	0x84,
	0,
	0,
	0,
	0,
	0,
	0,
	0,
	0x84,
	0,
	0,
	0,
	0,
	0,
	0,
	0,
	0,
	0x10,
	0,
	0,
	0,
	0,
	0,
	0,
	/* mov $ANSWER, %edi; mov $231, %eax; syscall */
	0xbf,
	ANSWER,
	0,
	0,
	0,
	0xb8,
	231,
	0,
	0,
	0,
	0x0f,
	0x05,
};

static int run(int fd)
{
	char *const nothing[] = { NULL };
	pid_t pid = SYS(fork());
	int status = 0;

	if (pid == 0) {
		(void)syscall(SYS_execveat, fd, "", nothing, nothing, AT_EMPTY_PATH);
		_exit(errno == EACCES ? 200 : 201);
	}
	(void)SYS(waitpid(pid, &status, 0));
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int main(void)
{
	int can = SYS(memfd_create("can", MFD_EXEC | MFD_ALLOW_SEALING));
	int cannot = SYS(memfd_create("cannot", MFD_NOEXEC_SEAL));
	struct stat st;

	CHECK(write(can, program, sizeof(program)) == sizeof(program), "write");
	CHECK(write(cannot, program, sizeof(program)) == sizeof(program), "write");
	(void)SYS(fcntl(can, F_SETFL, O_APPEND));
	CHECK(run(can) == ANSWER, "it can't be executed");
	live_freeze();

	CHECK(run(can) == ANSWER, "it can't be executed any more: %d", run(can));
	CHECK(run(cannot) == 200, "the other one can: %d", run(cannot));
	CHECK((fcntl(can, F_GETFL) & ~0x8000 /* large files */) == (O_RDWR | O_APPEND), "flags %#x",
	      fcntl(can, F_GETFL));
	CHECK(fcntl(can, F_GET_SEALS) == 0, "seals %#x", fcntl(can, F_GET_SEALS));
	CHECK(fcntl(cannot, F_GET_SEALS) == F_SEAL_EXEC, "seals %#x", fcntl(cannot, F_GET_SEALS));
	(void)SYS(fstat(cannot, &st));
	CHECK((st.st_mode & 0777) == 0666, "mode %o", st.st_mode);
	CHECK(fchmod(cannot, 0777) < 0 && errno == EPERM, "it may be made executable");
	CHECK(lseek(can, 0, SEEK_CUR) == sizeof(program), "position");
	live_pass();
}
