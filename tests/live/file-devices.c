/* /dev/null and /dev/zero stay what they are. */
#include "live.h"

int main(void)
{
	int null = SYS(open("/dev/null", O_RDWR | O_CLOEXEC));
	int zero = SYS(open("/dev/zero", O_RDONLY));
	char text[4] = "abc";

	live_freeze();
	CHECK(write(null, "gone", 4) == 4, "write to /dev/null: %s", strerror(errno));
	CHECK(read(null, text, 1) == 0, "/dev/null has something to read");
	CHECK(read(zero, text, 3) == 3 && text[0] == 0 && text[2] == 0, "/dev/zero: %s",
	      strerror(errno));
	live_pass();
}
