/*
 * tty-queue-restore: what is done for each pty when all files are open. What
 * waited to be read is put in, modes that would be in the way are set, and the
 * console's master goes out.
 */
#include <asm/termbits.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "base/err.h"
#include "ckpt/restore-priv.h"
#include "ckpt/tty-restore.h"

#define DATA_MAX 65536

static const TtyDataEntry *find_data(const struct restore *r, const TtyInfoEntry *info)
{
	for (size_t i = 0; info && i < r->ttys->n_data; i++)
		if (r->ttys->data[i]->tty_id == info->id)
			return r->ttys->data[i];
	return NULL;
}

/* TIOCSTI: as if it had come from the other end, and at once. */
static int tape_data(struct restore *r, struct tape *tape, struct tape_arg fd,
		     const TtyDataEntry *data, uint32_t index, struct error *err)
{
	uint64_t at;

	if (data->data.len > DATA_MAX)
		return err_set(err, -EBADMSG, "tty-data.img: %zu bytes for terminal %u",
			       data->data.len, index);
	at = area_add(&r->area, data->data.data, data->data.len);
	for (size_t i = 0; i < data->data.len; i++)
		tape_call(tape, SYS_ioctl, TAPE_ARGS(fd, tape_imm(TIOCSTI), tape_at(at + i)),
			  "what waits in terminal %u", index);
	return 0;
}

/* Lines stay lines, but nothing is echoed, changed, or a signal. */
static int tape_typed(struct restore *r, struct tape *tape, const struct rpty *pty,
		      struct error *err)
{
	const TtyDataEntry *data = find_data(r, pty->slave);
	struct tty_termios set, plain;
	struct tape_arg fd = tape_imm((uint64_t)pty->slave_staging);
	uint32_t own = 0;
	int ret;

	if (!data || pty->borrowed)
		return 0;
	set = tty_termios_of(pty->slave->termios);
	plain = set;
	plain.iflag = 0;
	plain.oflag = 0;
	plain.lflag = set.lflag & ICANON;
	memset(plain.cc, 0, sizeof(plain.cc));
	plain.cc[VEOF] = set.cc[VEOF];
	plain.cc[VEOL] = set.cc[VEOL];
	plain.cc[VEOL2] = set.cc[VEOL2];
	if (pty->slave_staging < 0) {
		own = tape_call(tape, SYS_ioctl,
				TAPE_ARGS(tape_imm((uint64_t)pty->staging), tape_imm(TIOCGPTPEER),
					  tape_imm(O_RDWR | O_NOCTTY)),
				"opening terminal %u", pty->index);
		fd = tape_slot(own);
	}
	tty_tape_termios(r, tape, fd, &plain, pty->index);
	ret = tape_data(r, tape, fd, data, pty->index, err);
	tty_tape_termios(r, tape, fd, &set, pty->index);
	if (pty->slave_staging < 0)
		tape_call(tape, SYS_close, TAPE_ARGS(tape_slot(own)), "closing terminal %u",
			  pty->index);
	return ret;
}

static void tape_exclusive(struct tape *tape, int fd, const struct rpty *pty)
{
	tape_call(tape, SYS_ioctl, TAPE_ARGS(tape_imm((uint64_t)fd), tape_imm(TIOCEXCL)),
		  "terminal %u is exclusive", pty->index);
}

/* The console's master goes to whoever asked for it, with its name, as at a container's start. */
static void tape_send(struct restore *r, struct tape *tape, const struct rpty *pty)
{
	char space[CMSG_SPACE(sizeof(int))] = { 0 };
	struct msghdr msg = { .msg_control = space, .msg_controllen = sizeof(space) };
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
	struct iovec iov = { .iov_base = NULL };
	char name[32];

	(void)snprintf(name, sizeof(name), "/dev/pts/%u", pty->index); /* always fits */
	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &pty->staging, sizeof(int));
	iov.iov_base = (void *)(uintptr_t)restore_addr(r, area_add_string(&r->area, name));
	iov.iov_len = strlen(name);
	msg.msg_iov =
		(struct iovec *)(uintptr_t)restore_addr(r, area_add(&r->area, &iov, sizeof(iov)));
	msg.msg_iovlen = 1;
	msg.msg_control =
		(void *)(uintptr_t)restore_addr(r, area_add(&r->area, space, sizeof(space)));
	tape_call(tape, SYS_sendmsg,
		  TAPE_ARGS(tape_imm((uint64_t)r->opts->console_socket),
			    tape_at(area_add(&r->area, &msg, sizeof(msg))), tape_imm(MSG_NOSIGNAL)),
		  "sending terminal %u to the console socket", pty->index);
}

static int finish_pty(struct restore *r, struct tape *tape, struct rpty *pty, struct error *err)
{
	const TtyDataEntry *data = find_data(r, pty->master);
	int32_t yes = 1;
	int ret = tape_typed(r, tape, pty, err);

	if (ret == 0 && data)
		ret = tape_data(r, tape, tape_imm((uint64_t)pty->staging), data, pty->index, err);
	if (ret < 0)
		return ret;
	if (pty->master && pty->master->packet_mode)
		tape_call(tape, SYS_ioctl,
			  TAPE_ARGS(tape_imm((uint64_t)pty->staging), tape_imm(TIOCPKT),
				    tape_at(area_add(&r->area, &yes, sizeof(yes)))),
			  "packet mode of terminal %u", pty->index);
	if (pty->master && pty->master->exclusive)
		tape_exclusive(tape, pty->staging, pty);
	if (pty->slave && pty->slave->exclusive && pty->slave_staging >= 0 && !pty->borrowed)
		tape_exclusive(tape, pty->slave_staging, pty);
	return 0;
}

int ttys_tape_finish(struct restore *r, struct tape *tape, struct error *err)
{
	const struct rpty *console = NULL;

	for (size_t i = 0; r->ttys && i < r->ttys->n_ptys; i++) {
		struct rpty *pty = &r->ttys->ptys[i];
		int ret = ttys_make(r, pty, err);

		if (ret == 0 && !pty->outside)
			ret = finish_pty(r, tape, pty, err);
		if (ret < 0)
			return ret;
		if (pty->master || pty->outside || pty->borrowed)
			continue;
		if (console)
			return err_set(err, -EBADMSG,
				       "tty-info.img: terminals %u and %u both have no master",
				       console->index, pty->index);
		console = pty;
		tape_send(r, tape, pty);
	}
	if (r->ttys)
		r->ttys->want_groups = ttys_want_groups(r);
	return 0;
}
