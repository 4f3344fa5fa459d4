#include "runtime/console.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "runtime/mount-fd.h"
#include "runtime/rootfs.h"
#include "runtime/spec.h"

int console_connect(const char *path, struct error *err)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	cleanup_fd int fd = -EBADF;

	if (strlen(path) >= sizeof(addr.sun_path))
		return err_set(err, -ENAMETOOLONG, "console socket '%s': name too long", path);
	memcpy(addr.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return err_sys(err, "make a socket");
	if (connect(fd, (const struct sockaddr *)&addr, sizeof(addr)) < 0)
		return err_sys(err, "connect to console socket '%s'", path);
	return take_fd(&fd);
}

static int send_master(int socket, int master, const char *name, struct error *err)
{
	char space[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec iov = { .iov_base = (void *)(uintptr_t)name, .iov_len = strlen(name) };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = space,
			      .msg_controllen = sizeof(space) };
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &master, sizeof(master));
	if (sendmsg(socket, &msg, MSG_NOSIGNAL) < 0)
		return err_sys(err, "send the terminal to the console socket");
	return 0;
}

int console_receive(int socket, struct error *err)
{
	char space[CMSG_SPACE(sizeof(int))] = { 0 };
	char name[256];
	struct iovec iov = { .iov_base = name, .iov_len = sizeof(name) };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = space,
			      .msg_controllen = sizeof(space) };
	struct cmsghdr *cmsg;
	int fd = -EBADF;
	ssize_t n;

	do {
		n = recvmsg(socket, &msg, MSG_CMSG_CLOEXEC);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_sys(err, "receive the terminal");
	cmsg = CMSG_FIRSTHDR(&msg);
	if (!cmsg || cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_RIGHTS ||
	    cmsg->cmsg_len != CMSG_LEN(sizeof(int)))
		return err_set(err, -EPROTO, "no terminal came over the console socket");
	memcpy(&fd, CMSG_DATA(cmsg), sizeof(fd));
	return fd;
}

static int bind_console(int slave, struct error *err)
{
	cleanup_fd int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	cleanup_fd int target = -EBADF;
	cleanup_fd int copy = -EBADF;

	if (root < 0)
		return err_sys(err, "open '/'");
	target = rootfs_target(root, "/dev/console", false, err);
	if (target < 0)
		return target;
	copy = mount_fd_copy(slave, "", false, err);
	if (copy < 0)
		return copy;
	return mount_fd_attach(copy, target, err);
}

static int open_slave(int master, struct error *err)
{
	const int unlocked = 0;
	int slave;

	if (ioctl(master, TIOCSPTLCK, &unlocked) < 0)
		return err_sys(err, "unlock the terminal");
	/* By the master, not by name: what lies at /dev/pts is the container's. */
	/* Not O_CLOEXEC: of this call it stays in the description's flags, and in what /proc says
	 * of all its descriptors. */
	slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY);
	if (slave < 0 || fcntl(slave, F_SETFD, FD_CLOEXEC) < 0)
		return err_sys(err, "open the terminal");
	return slave;
}

static int set_size(int slave, const struct spec_process *p, struct error *err)
{
	const struct winsize size = { .ws_row = (unsigned short)p->console_rows,
				      .ws_col = (unsigned short)p->console_cols };

	if (p->console_rows == 0 && p->console_cols == 0)
		return 0;
	if (ioctl(slave, TIOCSWINSZ, &size) < 0)
		return err_sys(err, "set the size of the terminal");
	return 0;
}

int console_setup(int socket, const struct spec_process *process, bool bind, struct error *err)
{
	cleanup_fd int master = -EBADF;
	cleanup_fd int slave = -EBADF;
	unsigned int number = 0;
	char name[32];
	int r;

	master = open("/dev/pts/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (master < 0)
		master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (master < 0) {
		r = err_sys(err, "open '/dev/pts/ptmx' in the container");
		err_hint(err, "a terminal needs a devpts among the mounts");
		return r;
	}
	slave = open_slave(master, err);
	if (slave < 0)
		return slave;
	if (ioctl(master, TIOCGPTN, &number) < 0)
		return err_sys(err, "ask for the terminal's number");
	(void)snprintf(name, sizeof(name), "/dev/pts/%u", number);
	if (fchown(slave, process->uid, (gid_t)-1) < 0 && errno != EINVAL && errno != EPERM)
		return err_sys(err, "give the terminal to user %u", process->uid);
	r = set_size(slave, process, err);
	if (r >= 0 && bind)
		r = bind_console(slave, err);
	if (r >= 0)
		r = send_master(socket, master, name, err);
	if (r < 0)
		return r;
	if (ioctl(slave, TIOCSCTTY, 0) < 0)
		return err_sys(err, "make the terminal the controlling one");
	for (int fd = 0; fd <= 2; fd++)
		if (dup3(slave, fd, 0) < 0)
			return err_sys(err, "make the terminal descriptor %d", fd);
	return 0;
}
