/* Memory of memfd_secret(2): refused, with its descriptor, and the program goes on. */
#include "live.h"

int main(void)
{
	int fd = (int)SYS(syscall(SYS_memfd_secret, 0));
	char *secret;

	(void)SYS(ftruncate(fd, 4096));
	secret = SYS(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
	memcpy(secret, "secret", 7);
	(void)SYS(close(fd));
	live_freeze();
	CHECK(strcmp(secret, "secret") == 0, "it changed");
	live_pass();
}
