/* The heap below brk keeps its content and its end, and can grow on from there. */
#include "live.h"

int main(void)
{
	size_t size = 300000;
	uint8_t *start = SYS(sbrk(0));
	uint8_t *end;

	CHECK(sbrk((intptr_t)size) == start, "sbrk: %s", strerror(errno));
	for (size_t i = 0; i < size; i++)
		start[i] = (uint8_t)(i * 7);
	end = sbrk(0);
	live_say("ready");
	live_wait();
	CHECK((uint8_t *)sbrk(0) == end, "brk moved from %p to %p", (void *)end, sbrk(0));
	for (size_t i = 0; i < size; i++)
		CHECK(start[i] == (uint8_t)(i * 7), "byte %zu of the heap is %d", i, start[i]);
	CHECK((uint8_t *)sbrk(65536) == end, "the heap does not grow: %s", strerror(errno));
	memset(end, 1, 65536);
	CHECK(brk(end) == 0, "the heap does not shrink: %s", strerror(errno));
	live_pass();
}
