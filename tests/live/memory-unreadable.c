/* Memory that the program itself may not read, write or do more with than to run it. */
#include "live.h"

#define PAGE 4096

static uint8_t *map_filled(uint8_t value, int prot)
{
	uint8_t *map = SYS(
		mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));

	for (int i = 0; i < 8; i += 2)
		memset(map + i * PAGE, value + i, PAGE);
	SYS(mprotect(map, 8 * PAGE, prot));
	return map;
}

static void check(uint8_t *map, uint8_t value, const char *what)
{
	SYS(mprotect(map, 8 * PAGE, PROT_READ));
	for (int i = 0; i < 8; i++)
		CHECK(map[i * PAGE + 7] == (i % 2 ? 0 : value + i), "%s: page %d is %d", what, i,
		      map[i * PAGE + 7]);
}

int main(void)
{
	static const uint8_t code[] = { 0xb8, 42, 0, 0, 0, 0xc3 }; /* mov $42, %eax; ret */
	uint8_t *none = map_filled(10, PROT_NONE);
	uint8_t *written = map_filled(30, PROT_WRITE);
	uint8_t *read = map_filled(50, PROT_READ);
	uint8_t *run = map_filled(70, PROT_READ | PROT_WRITE);
	int (*answer)(void) = (int (*)(void))(uintptr_t)run;

	memcpy(run, code, sizeof(code));
	SYS(mprotect(run, 8 * PAGE, PROT_EXEC));
	live_freeze();
	check(none, 10, "PROT_NONE");
	check(written, 30, "PROT_WRITE");
	check(read, 50, "PROT_READ");
	CHECK(answer() == 42, "code that can only be run");
	live_pass();
}
