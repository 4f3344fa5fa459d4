/* A program that handles its own page faults. */
#include "live.h"

#include <linux/userfaultfd.h>
#include <sys/ioctl.h>

int main(void)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	char *map =
		SYS(mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	int fd =
		(int)SYS(syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | 1 /* user mode only */));

	reg.range = (struct uffdio_range){ (uintptr_t)map, 65536 };
	SYS(ioctl(fd, UFFDIO_API, &api));
	SYS(ioctl(fd, UFFDIO_REGISTER, &reg));
	live_freeze();
	SYS(ioctl(fd, UFFDIO_UNREGISTER, &reg.range));
	map[0] = 1;
	live_pass();
}
