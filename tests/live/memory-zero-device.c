/* Mappings of /dev/zero: private ones are plain memory with a name, shared ones shared memory. */
#include "live.h"

int main(void)
{
	int fd = SYS(open("/dev/zero", O_RDWR | O_CLOEXEC));
	uint8_t *private = SYS(mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0));
	uint8_t *shared = SYS(mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
	pid_t pid;

	private[5000] = 1;
	shared[5000] = 2;
	pid = SYS(fork());
	if (pid == 0) {
		live_wait();
		CHECK(private[5000] == 1 && private[0] == 0, "private in the child");
		shared[6000] = 3;
		_exit(0);
	}
	private[6000] = 9;
	live_freeze();
	live_reap(pid);
	CHECK(private[5000] == 1 && private[6000] == 9, "private");
	CHECK(shared[5000] == 2 && shared[6000] == 3, "shared");
	live_pass();
}
