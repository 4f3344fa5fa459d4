/* A file that is open on a mount another one lies over: nobody could open it again. */
#include "mounts.h"

int main(void)
{
	mount_tmpfs("/tmp/a", 0, NULL);
	put_file("/tmp/a/file", "x");
	(void)SYS(open("/tmp/a/file", O_RDONLY));
	(void)SYS(mount("/tmp/a", "/tmp/a", NULL, MS_BIND, NULL));
	live_freeze();
	live_pass();
}
