/* A counter of events of the kernel, and its buffer. */
#include "live.h"

#include <linux/perf_event.h>

int main(void)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_TASK_CLOCK,
	};
	int fd = (int)SYS(syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0));
	uint64_t before = 0, now = 0;

	SYS(mmap(NULL, 2 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
	CHECK(read(fd, &before, sizeof(before)) == sizeof(before), "read");
	live_freeze();
	CHECK(read(fd, &now, sizeof(now)) == sizeof(now) && now > before, "it does not count");
	live_pass();
}
