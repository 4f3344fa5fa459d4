/*
 * A server with a path, one with an abstract name, one with a relative path: listening, with
 * a client connected in another process, data on its way; a datagram server with clients.
 */
#include "live.h"

#include <sys/socket.h>
#include <sys/un.h>

static char path[256];
static int client, sender, path_server, log_server;
static int served;

static socklen_t address(struct sockaddr_un *un, const char *name)
{
	*un = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (*name == '@') {
		memcpy(un->sun_path + 1, name + 1, strlen(name) - 1);
		return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name));
	}
	memcpy(un->sun_path, name, strlen(name));
	return sizeof(*un);
}

static int server(int type, const char *name)
{
	struct sockaddr_un un;
	socklen_t len = address(&un, name);
	int fd = SYS(socket(AF_UNIX, type, 0));

	(void)SYS(bind(fd, (struct sockaddr *)&un, len));
	if (type != SOCK_DGRAM)
		(void)SYS(listen(fd, 7));
	return fd;
}

static int call(int type, const char *name)
{
	struct sockaddr_un un;
	socklen_t len = address(&un, name);
	int fd = SYS(socket(AF_UNIX, type, 0));

	(void)SYS(connect(fd, (struct sockaddr *)&un, len));
	return fd;
}

static void child(void)
{
	char got[32] = "";

	live_wait();
	if (recv(client, got, sizeof(got), 0) != 5 || memcmp(got, "hello", 5) != 0)
		_exit(1);
	if (send(client, "thanks", 6, 0) != 6)
		_exit(2);
	if (send(sender, "line 2", 6, 0) != 6)
		_exit(3);
}

static void expect(int fd, const char *what)
{
	char got[64] = "";
	ssize_t n = recv(fd, got, sizeof(got) - 1, 0);

	CHECK(n == (ssize_t)strlen(what) && strcmp(got, what) == 0, "'%s' instead of '%s'", got,
	      what);
}

int main(void)
{
	struct sockaddr_un un;
	socklen_t len;
	char abstract[64], data[8] = "";
	int hidden, near, fresh, again;
	struct stat st;
	pid_t pid;

	live_copy(path, sizeof(path), live_path("server"));
	(void)snprintf(abstract, sizeof(abstract), "@cryopod live %d", getpid());
	path_server = server(SOCK_STREAM, path);
	(void)SYS(chmod(path, 0741));
	(void)SYS(chown(path, 12, 34));
	hidden = server(SOCK_SEQPACKET, abstract);
	(void)SYS(chdir(getpid() == 1 ? "/tmp" : getenv("TEST_DIR")));
	near = server(SOCK_STREAM, "near");
	(void)SYS(mkdir("log", 0755));
	log_server = server(SOCK_DGRAM, "log/socket");
	(void)SYS(chdir("/"));
	client = call(SOCK_STREAM, path);
	served = SYS(accept(path_server, NULL, NULL));
	live_copy(path, sizeof(path), live_path("log/socket"));
	sender = call(SOCK_DGRAM, path);
	live_copy(path, sizeof(path), live_path("server"));
	CHECK(send(served, "hello", 5, 0) == 5, "send");
	CHECK(send(sender, "line 1", 6, 0) == 6, "send");
	pid = live_fork(child);
	(void)SYS(close(client));
	(void)SYS(close(sender));
	live_freeze();

	expect(log_server, "line 1");
	live_reap(pid);
	expect(served, "thanks");
	expect(log_server, "line 2");
	CHECK(recv(served, data, 1, 0) == 0, "its client has ended");
	(void)SYS(stat(path, &st));
	CHECK(S_ISSOCK(st.st_mode) && (st.st_mode & 07777) == 0741, "mode %o", st.st_mode);
	CHECK(st.st_uid == 12 && st.st_gid == 34, "owner %u:%u", st.st_uid, st.st_gid);
	/* The accepted socket has its listener's name. */
	len = sizeof(un);
	(void)SYS(getsockname(served, (struct sockaddr *)&un, &len));
	CHECK(strcmp(un.sun_path, path) == 0, "name '%s'", un.sun_path);
	len = sizeof(un);
	(void)SYS(getsockname(near, (struct sockaddr *)&un, &len));
	CHECK(strcmp(un.sun_path, "near") == 0, "name '%s'", un.sun_path);
	fresh = call(SOCK_STREAM, path);
	again = SYS(accept(path_server, NULL, NULL));
	CHECK(send(fresh, "new", 3, 0) == 3, "send");
	expect(again, "new");
	fresh = call(SOCK_SEQPACKET, abstract);
	again = SYS(accept(hidden, NULL, NULL));
	CHECK(send(fresh, "new", 3, 0) == 3, "send");
	expect(again, "new");
	(void)SYS(chdir(getpid() == 1 ? "/tmp" : getenv("TEST_DIR")));
	fresh = call(SOCK_STREAM, "near");
	again = SYS(accept(near, NULL, NULL));
	CHECK(send(fresh, "new", 3, 0) == 3, "send");
	expect(again, "new");
	live_pass();
}
