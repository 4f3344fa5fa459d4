/* A ring of asynchronous input and output (io_setup). */
#include "live.h"

#include <linux/aio_abi.h>

int main(void)
{
	aio_context_t context = 0;
	struct timespec soon = { .tv_nsec = 1 };
	struct io_event event;

	SYS(syscall(SYS_io_setup, 8, &context));
	live_freeze();
	CHECK(syscall(SYS_io_getevents, context, 0, 1, &event, &soon) == 0, "%s", strerror(errno));
	live_pass();
}
