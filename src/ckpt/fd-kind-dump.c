/* The table of descriptor kinds for the dump. */
#include <linux/magic.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "ckpt/fd-kind.h"
#include "ckpt/memfd.h"
#include "ckpt/mqueues.h"
#include "ckpt/tty.h"

#ifndef PIPEFS_MAGIC
#define PIPEFS_MAGIC 0x50495045
#endif

#ifndef SECRETMEM_MAGIC
#define SECRETMEM_MAGIC 0x5345434d
#endif

#define MAJOR_MEM 1
static bool is_anon(const struct fd_look *look, const char *name)
{
	const char *prefix = "anon_inode:";

	return !strncmp(look->link, prefix, strlen(prefix)) &&
	       !strcmp(look->link + strlen(prefix), name);
}

static bool is_tty(const struct fd_look *look)
{
	return S_ISCHR(look->st.st_mode) && tty_what(look->st.st_rdev) != TTY_NONE;
}

static bool is_secret(const struct fd_look *look)
{
	return look->fs_type == SECRETMEM_MAGIC;
}

static bool is_ns_file(const struct fd_look *look)
{
	return look->fs_type == NSFS_MAGIC;
}

static bool is_file(const struct fd_look *look)
{
	mode_t mode = look->st.st_mode;

	if (look->link[0] != '/')
		return false;
	if (S_ISCHR(mode))
		return major(look->st.st_rdev) == MAJOR_MEM;
	return S_ISREG(mode) || S_ISDIR(mode) || S_ISLNK(mode);
}

static bool is_device(const struct fd_look *look)
{
	return S_ISCHR(look->st.st_mode) || S_ISBLK(look->st.st_mode);
}

static bool is_pipe(const struct fd_look *look)
{
	return S_ISFIFO(look->st.st_mode) && look->fs_type == PIPEFS_MAGIC;
}

static bool is_fifo(const struct fd_look *look)
{
	return S_ISFIFO(look->st.st_mode) && look->fs_type != PIPEFS_MAGIC;
}

static bool is_unix(const struct fd_look *look)
{
	return S_ISSOCK(look->st.st_mode) && look->domain == AF_UNIX;
}

static bool is_inet(const struct fd_look *look)
{
	return S_ISSOCK(look->st.st_mode) && (look->domain == AF_INET || look->domain == AF_INET6);
}

static bool is_netlink(const struct fd_look *look)
{
	return S_ISSOCK(look->st.st_mode) && look->domain == AF_NETLINK;
}

static bool is_packet(const struct fd_look *look)
{
	return S_ISSOCK(look->st.st_mode) && look->domain == AF_PACKET;
}

static bool is_vsock(const struct fd_look *look)
{
	return S_ISSOCK(look->st.st_mode) && look->domain == AF_VSOCK;
}

static bool is_socket(const struct fd_look *look)
{
	return S_ISSOCK(look->st.st_mode);
}

#define IS_ANON(what, name)                                                                        \
	static bool is_##what(const struct fd_look *look)                                          \
	{                                                                                          \
		return is_anon(look, name);                                                        \
	}
IS_ANON(eventfd, "[eventfd]")
IS_ANON(eventpoll, "[eventpoll]")
IS_ANON(signalfd, "[signalfd]")
IS_ANON(timerfd, "[timerfd]")
IS_ANON(fanotify, "[fanotify]")
IS_ANON(io_uring, "[io_uring]")
IS_ANON(userfaultfd, "[userfaultfd]")
IS_ANON(perf, "[perf_event]")
#undef IS_ANON

static bool is_inotify(const struct fd_look *look)
{
	return is_anon(look, "inotify") || is_anon(look, "[inotify]");
}

static bool is_pidfd(const struct fd_look *look)
{
	return is_anon(look, "[pidfd]") || !strncmp(look->link, "pidfd:", 6);
}

static bool is_anything(const struct fd_look *look UNUSED)
{
	return true;
}

#define LATER "this version can't save it"

/* The first that matches is it. */
static const struct fd_kind fd_kinds[] = {
	{ .type = FD_TYPES__MEMFD, .name = "memfd", .matches = memfd_is, .dump = memfd_dump },
	{ .type = FD_TYPES__UND,
	  .name = "secret memory",
	  .matches = is_secret,
	  .refusal = "nobody but its process may read it (memfd_secret)" },
	{ .type = FD_TYPES__EXT,
	  .name = "message queue",
	  .matches = mqueue_is,
	  .dump = mqueue_dump },
	{ .type = FD_TYPES__NS,
	  .name = "namespace file",
	  .matches = is_ns_file,
	  .dump = ns_file_dump },
	{ .type = FD_TYPES__TTY,
	  .name = "terminal",
	  .matches = is_tty,
	  .check = tty_check,
	  .dump = tty_dump },
	{ .type = FD_TYPES__REG,
	  .name = "file",
	  .passes = true,
	  .matches = is_file,
	  .check = file_check,
	  .dump = file_dump },
	{ .type = FD_TYPES__PIPE,
	  .name = "pipe",
	  .passes = true,
	  .matches = is_pipe,
	  .dump = pipe_dump },
	{ .type = FD_TYPES__FIFO,
	  .name = "fifo",
	  .passes = true,
	  .matches = is_fifo,
	  .dump = fifo_dump },
	{ .type = FD_TYPES__UNIXSK,
	  .name = "unix socket",
	  .passes = true,
	  .matches = is_unix,
	  .dump = unix_dump },
	{ .type = FD_TYPES__INETSK,
	  .name = "internet socket",
	  .matches = is_inet,
	  .check = inet_check,
	  .dump = inet_dump },
	{ .type = FD_TYPES__NETLINKSK,
	  .name = "netlink socket",
	  .matches = is_netlink,
	  .dump = netlink_sk_dump },
	{ .type = FD_TYPES__PACKETSK,
	  .name = "packet socket",
	  .matches = is_packet,
	  .dump = packet_dump },
	{ .type = FD_TYPES__UND,
	  .name = "vsock socket",
	  .matches = is_vsock,
	  .refusal = "its other end is another machine, which can't be told of the move",
	  .hint = "close it before the checkpoint" },
	{ .type = FD_TYPES__UND,
	  .name = "socket",
	  .matches = is_socket,
	  .refusal = "sockets of that address family can't be saved",
	  .hint = "of all families only unix, IPv4, IPv6, netlink and packet sockets can" },
	{ .type = FD_TYPES__EVENTFD,
	  .name = "eventfd",
	  .passes = true,
	  .matches = is_eventfd,
	  .dump = eventfd_dump },
	{ .type = FD_TYPES__EVENTPOLL,
	  .name = "epoll",
	  .matches = is_eventpoll,
	  .dump = eventpoll_dump },
	{ .type = FD_TYPES__SIGNALFD,
	  .name = "signalfd",
	  .passes = true,
	  .matches = is_signalfd,
	  .dump = signalfd_dump },
	{ .type = FD_TYPES__TIMERFD,
	  .name = "timerfd",
	  .matches = is_timerfd,
	  .dump = timerfd_dump },
	{ .type = FD_TYPES__INOTIFY,
	  .name = "inotify",
	  .passes = true,
	  .matches = is_inotify,
	  .dump = inotify_dump },
	{ .type = FD_TYPES__FANOTIFY,
	  .name = "fanotify",
	  .matches = is_fanotify,
	  .check_info = fanotify_check_marks,
	  .dump = fanotify_dump },
	{ .type = FD_TYPES__PIDFD, .name = "pidfd", .matches = is_pidfd, .dump = pidfd_dump },
	{ .type = FD_TYPES__UND,
	  .name = "io_uring",
	  .matches = is_io_uring,
	  .refusal = "the kernel gives no way to rebuild its rings",
	  .hint = "make the program fall back to epoll or threads for its input and output" },
	{ .type = FD_TYPES__UND,
	  .name = "userfaultfd",
	  .matches = is_userfaultfd,
	  .refusal = "its pending faults can't be saved" },
	{ .type = FD_TYPES__UND,
	  .name = "perf event",
	  .matches = is_perf,
	  .refusal = "its counters can't be saved",
	  .hint = "stop the profiler before the checkpoint" },
	{ .type = FD_TYPES__UND,
	  .name = "device",
	  .matches = is_device,
	  .refusal = "the state of a device can't be saved" },
	{ .type = FD_TYPES__UND,
	  .name = "object",
	  .matches = is_anything,
	  .refusal = "no way is known to save it" },
};

int fd_look_socket(int fd, struct fd_look *look, struct error *err)
{
	socklen_t len = sizeof(look->domain);

	look->fd = fd;
	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &look->domain, &len) < 0)
		return err_sys(err, "%s: domain of the socket", look->where);
	return 0;
}

const struct fd_kind *fd_kind_of(const struct fd_look *look)
{
	size_t i = 0;

	while (!fd_kinds[i].matches(look))
		i++; /* the last one matches anything */
	return &fd_kinds[i];
}

int fd_kind_check(const struct cryo_dump_opts *opts, const struct fd_look *look, struct error *err)
{
	const struct fd_kind *kind = fd_kind_of(look);
	int r;

	if (kind->refusal) {
		r = err_set(err, -EOPNOTSUPP, "%s: %s '%s': %s", look->where, kind->name,
			    look->link, kind->refusal);
		if (kind->hint)
			err_hint(err, "%s", kind->hint);
		return r;
	}
	return kind->check ? kind->check(opts, look, err) : 0;
}
