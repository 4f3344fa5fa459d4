/* Rings of io_uring, of which the descriptor is closed: only the mapping tells of them. */
#include "live.h"

#include <linux/io_uring.h>

int main(void)
{
	struct io_uring_params params = { 0 };
	int fd = (int)SYS(syscall(SYS_io_uring_setup, 4, &params));
	uint32_t *ring = SYS(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));

	SYS(close(fd));
	live_freeze();
	CHECK(ring[params.sq_off.ring_entries / 4] == params.sq_entries, "the ring has changed");
	live_pass();
}
