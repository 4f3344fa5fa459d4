/* A socket whose file was removed together with its folder: refused, and it goes on. */
#include "live.h"

#include <sys/socket.h>
#include <sys/un.h>

int main(void)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int server = SYS(socket(AF_UNIX, SOCK_STREAM, 0));
	socklen_t len = sizeof(un);

	(void)SYS(mkdir(live_path("gone"), 0755));
	live_copy(un.sun_path, sizeof(un.sun_path), live_path("gone/server"));
	(void)SYS(bind(server, (struct sockaddr *)&un, sizeof(un)));
	(void)SYS(listen(server, 1));
	(void)SYS(unlink(un.sun_path));
	(void)SYS(rmdir(live_path("gone")));
	live_freeze();
	(void)SYS(getsockname(server, (struct sockaddr *)&un, &len));
	CHECK(strcmp(un.sun_path, live_path("gone/server")) == 0, "name '%s'", un.sun_path);
	live_pass();
}
