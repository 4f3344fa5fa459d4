/* The stack, and a mapping that grows down, go on growing. */
#include "live.h"

static int deep(int n)
{
	volatile char room[8192];

	memset((char *)room, n, sizeof(room));
	return n == 0 ? 0 : deep(n - 1) + room[100] - (char)n + 1;
}

int main(void)
{
	size_t page = 4096;
	uint8_t *area = SYS(mmap(NULL, 4096 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	uint8_t *top = area + 4096 * page, *low;

	/* Room below the growing mapping must be unmapped. */
	(void)SYS(munmap(area, 4096 * page));
	low = SYS(mmap(top - 2 * page, 2 * page, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN | MAP_FIXED, -1, 0));
	memset(low, 5, 2 * page);
	*(volatile uint8_t *)(low - 1) = 6;
	CHECK(deep(20) == 20, "recursion");
	live_freeze();
	CHECK(low[0] == 5 && low[2 * page - 1] == 5 && low[-1] == 6, "content: %d %d %d", low[0],
	      low[2 * page - 1], low[-1]);
	for (int i = 1; i < 40; i++)
		*(volatile uint8_t *)(low - (size_t)i * page) = (uint8_t)i;
	CHECK(deep(200) == 200, "recursion after the restore");
	live_pass();
}
