/* Terminals have the numbers they had, with gaps between them; one whose master was closed is
 * hung up still; a master alone waits for its slave. */
#include "pty.h"

int main(void)
{
	int masters[12];
	int numbers[12];
	int gone, hung, slave;
	char c;

	pty_prepare();
	for (int i = 0; i < 12; i++) {
		masters[i] = pty_master();
		numbers[i] = pty_number(masters[i]);
	}
	gone = pty_master();
	hung = pty_slave(gone, O_RDWR);
	(void)SYS(close(gone));
	for (int i = 0; i < 12; i++)
		if (i % 5 != 3)
			(void)SYS(close(masters[i]));
	live_freeze();
	for (int i = 3; i < 12; i += 5) {
		CHECK(pty_number(masters[i]) == numbers[i], "number %d became %d", numbers[i],
		      pty_number(masters[i]));
		slave = pty_slave(masters[i], O_RDWR);
		pty_type(slave, "hello");
		pty_expect(masters[i], "hello");
	}
	CHECK(read(hung, &c, 1) == 0, "the one without master is not at its end");
	CHECK(write(hung, "x", 1) < 0 && errno == EIO, "the one without master can be written");
	live_pass();
}
