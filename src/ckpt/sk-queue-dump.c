/*
 * Data is read with MSG_PEEK. Further messages are reached with SO_PEEK_OFF,
 * which belongs to the socket, not to us: it is set only where something
 * waits, for as long as the reading takes, and put back. An empty datagram is
 * shown to such a reader once and then skipped by the kernel, so a second dump
 * of the same queue does not have it.
 *
 * Peeking also gives copies of the descriptors that lie in a message. They are
 * dumped like a task's, when all tasks were seen: those of a task are known
 * then, and a queue can't lead into itself. Who sent a message is told if the
 * socket asks for it (SO_PASSCRED); the images get an entry that CRIU has not.
 */
#include "ckpt/sk-queue.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/sockios.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "ckpt/dump-priv.h"
#include "ckpt/fd-kind.h"
#include "ckpt/file-ids.h"
#include "img/image.h"
#include "img/pb/sk-packet.pb-c.h"

#define MESSAGE_MAX ((size_t)8 << 20)
#define STREAM_PIECE ((size_t)32 << 10) /* what a sender's default buffer has room for */
#define PAGE ((size_t)4096)
#define RIGHTS_MAX 253 /* the kernel's own limit for a message */
#define NOBODY 65534   /* what the kernel tells of a sender it does not know */

struct passed {
	int fd;
	uint32_t id;
	const bool *dumped; /* some task has it, too */
	const struct dump_task *task;
	const char *where;
};

struct sk_queue_dump {
	struct image image;
	char *buffer; /* MESSAGE_MAX bytes and a page that can't be used; NULL: nothing waits */
	struct passed *passed;
	size_t n_passed;
	size_t n_dumped;
	int *copies; /* kept open: kcmp(2) compares later ones with them */
	size_t n_copies;
};

struct message {
	size_t len;
	size_t n_rights;
	int rights[RIGHTS_MAX]; /* ours */
	bool has_creds;
	struct ucred creds;
};

static struct sk_queue_dump *queues_of(struct dump *dump)
{
	if (!dump->sk_queues) {
		dump->sk_queues = calloc(1, sizeof(*dump->sk_queues));
		if (dump->sk_queues)
			dump->sk_queues->image = (struct image)IMAGE_INIT;
	}
	return dump->sk_queues;
}

void sk_queue_done(struct dump *dump)
{
	struct sk_queue_dump *queues = dump->sk_queues;

	if (!queues)
		return;
	for (size_t i = 0; i < queues->n_copies; i++)
		(void)close(queues->copies[i]); /* it was only looked at */
	image_done(&queues->image);
	free(queues->copies);
	free(queues->passed);
	if (queues->buffer)
		(void)munmap(queues->buffer, MESSAGE_MAX + PAGE);
	free(queues);
	dump->sk_queues = NULL;
}

/* --------------------------------------------------------------------- reading */

static void message_close(struct message *m)
{
	for (size_t i = 0; i < m->n_rights; i++)
		(void)close(m->rights[i]); /* it was only looked at */
	m->n_rights = 0;
}

static void take_control(struct msghdr *header, struct message *m)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c; c = CMSG_NXTHDR(header, c)) {
		size_t len = c->cmsg_len - CMSG_LEN(0);

		if (c->cmsg_level != SOL_SOCKET)
			continue;
		if (c->cmsg_type == SCM_RIGHTS && len / sizeof(int) <= RIGHTS_MAX) {
			m->n_rights = len / sizeof(int);
			memcpy(m->rights, CMSG_DATA(c), m->n_rights * sizeof(int));
		} else if (c->cmsg_type == SCM_CREDENTIALS && len >= sizeof(m->creds)) {
			m->has_creds = true;
			memcpy(&m->creds, CMSG_DATA(c), sizeof(m->creds));
		}
	}
}

/* What comes next, as the kernel gives it out in one piece. -EAGAIN: nothing. */
static int peek(int fd, char *buffer, size_t size, struct message *m)
{
	_Alignas(struct cmsghdr) char control[4096];
	struct iovec part = { .iov_base = buffer, .iov_len = size };
	struct msghdr header = { .msg_iov = &part,
				 .msg_iovlen = 1,
				 .msg_control = control,
				 .msg_controllen = sizeof(control) };
	ssize_t n;

	*m = (struct message){ .len = 0 };
	do {
		n = recvmsg(fd, &header, MSG_PEEK | MSG_DONTWAIT | MSG_TRUNC | MSG_CMSG_CLOEXEC);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	m->len = (size_t)n;
	take_control(&header, m);
	return 0;
}

static bool is_waiting(int fd)
{
	char probe;
	struct message m;
	int r = peek(fd, &probe, 1, &m);

	message_close(&m);
	return r == 0;
}

static bool map_buffer(struct sk_queue_dump *queues)
{
	char *buffer = mmap(NULL, MESSAGE_MAX + PAGE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (buffer == MAP_FAILED)
		return false;
	if (mprotect(buffer + MESSAGE_MAX, PAGE, PROT_NONE) < 0) {
		(void)munmap(buffer, MESSAGE_MAX + PAGE);
		return false;
	}
	queues->buffer = buffer;
	return true;
}

static int set_offset(const struct dump_fd *fd, int offset, struct error *err)
{
	if (setsockopt(fd->fd, SOL_SOCKET, SO_PEEK_OFF, &offset, sizeof(offset)) < 0)
		return err_sys(err, "%s: peek offset of the socket", fd->look.where);
	return 0;
}

/*
 * A stream joins what was sent without descriptors with the piece behind it
 * that has some. Where does that one begin? A piece that can't be copied as a
 * whole ends the reading: so all but the last byte is let fit in front of a page
 * that can't be written. (Reading less does not help: it shows descriptors of
 * the next piece even if no byte of that was wanted.)
 */
static int find_rights(const struct dump_fd *fd, char *buffer, size_t at, size_t len,
		       size_t *ret_begin, struct error *err)
{
	struct message m;
	int r = set_offset(fd, (int)at, err);

	if (r < 0)
		return r;
	r = peek(fd->fd, buffer + MESSAGE_MAX - (len - 1), len, &m);
	if (r < 0 && r != -EFAULT)
		return err_set(err, r, "%s: read what waits in the socket: %s", fd->look.where,
			       strerror(-r));
	message_close(&m);
	*ret_begin = r < 0 ? 0 : m.len;
	return 0;
}

/* --------------------------------------------------------------------- writing */

/* Our copy of a passed descriptor is dumped later; its number is known now. Taken over. */
static int pass(struct dump *dump, const struct dump_fd *fd, int copy, uint32_t *ret_id,
		struct error *err)
{
	struct sk_queue_dump *queues = dump->sk_queues;
	cleanup_fd int own = copy;
	struct passed *more;
	const bool *dumped;
	struct stat st;
	int *copies;
	int r;

	if (fstat(own, &st) < 0)
		return err_sys(err, "%s: descriptor in its queue", fd->look.where);
	r = file_ids_get_passed(dump->file_ids, own, &st, ret_id, &dumped, err);
	if (r <= 0)
		return r < 0 ? err_wrap(err, r, "%s: descriptor in its queue", fd->look.where) : 0;
	copies = reallocarray(queues->copies, queues->n_copies + 1, sizeof(*copies));
	if (!copies)
		return err_oom(err);
	queues->copies = copies;
	more = reallocarray(queues->passed, queues->n_passed + 1, sizeof(*more));
	if (!more)
		return err_oom(err);
	queues->passed = more;
	more[queues->n_passed++] = (struct passed){
		.fd = own,
		.id = *ret_id,
		.dumped = dumped,
		.task = fd->task,
		.where = arena_printf(&dump->arena, "%s: descriptor in its queue", fd->look.where),
	};
	copies[queues->n_copies++] = take_fd(&own);
	return more[queues->n_passed - 1].where ? 0 : err_oom(err);
}

/* What is taken over is no longer the message's. */
static int pass_all(struct dump *dump, const struct dump_fd *fd, struct message *m, uint32_t *ids,
		    struct error *err)
{
	size_t n = m->n_rights;
	int r = 0;

	m->n_rights = 0;
	for (size_t i = 0; i < n; i++) {
		if (r == 0)
			r = pass(dump, fd, m->rights[i], &ids[i], err);
		else
			(void)close(m->rights[i]); /* it was only looked at */
	}
	return r;
}

static int fill_creds(struct dump *dump, const struct dump_fd *fd, const struct ucred *creds,
		      uint32_t values[3], struct error *err)
{
	const struct dump_task *task = dump_task_find(dump, creds->pid);
	int r;

	if (!task && dump->ns[DUMP_NS_PID].other) {
		r = err_set(err, -EOPNOTSUPP,
			    "%s: socket: a message waits in it that was sent by process %d, which "
			    "is not in the tree or gone",
			    fd->look.where, creds->pid);
		err_hint(err, "try again when it is read");
		return r;
	}
	values[0] = (uint32_t)(task ? task->ns_pid : creds->pid);
	values[1] = creds->uid;
	values[2] = creds->gid;
	return 0;
}

static int write_packet(struct dump *dump, const struct dump_fd *fd, const char *data, size_t len,
			struct message *m, struct error *err)
{
	struct image *image = &dump->sk_queues->image;
	SkPacketEntry entry = SK_PACKET_ENTRY__INIT;
	ScmEntry rights = SCM_ENTRY__INIT, creds = SCM_ENTRY__INIT;
	uint32_t ids[RIGHTS_MAX], sender[3];
	ScmEntry *list[2];
	int r = 0;

	entry.scm = list;
	if (m && m->n_rights) {
		rights.type = SCM_RIGHTS;
		rights.rights = ids;
		rights.n_rights = m->n_rights;
		r = pass_all(dump, fd, m, ids, err);
		list[entry.n_scm++] = &rights;
	}
	if (r == 0 && m && m->has_creds && (m->creds.pid || m->creds.uid != NOBODY)) {
		creds.type = SCM_CREDENTIALS;
		creds.rights = sender;
		creds.n_rights = 3;
		r = fill_creds(dump, fd, &m->creds, sender, err);
		list[entry.n_scm++] = &creds;
	}
	if (r == 0 && image->fd < 0)
		r = dump_image_create(dump, image, IMG_KIND_SK_QUEUES, 0, err);
	if (r < 0)
		return r;
	entry.id_for = fd->id;
	entry.length = (uint32_t)len;
	r = image_write(image, &entry.base, err);
	return r < 0 ? r : image_write_raw(image, data, len, err);
}

/* In pieces that can be sent again. Descriptors come with the first. */
static int write_stream(struct dump *dump, const struct dump_fd *fd, size_t at, struct message *m,
			struct error *err)
{
	const char *buffer = dump->sk_queues->buffer;
	struct message plain = { .has_creds = m->has_creds, .creds = m->creds };
	size_t begin = 0;
	int r = 0;

	if (m->n_rights) {
		if (m->len == MESSAGE_MAX)
			return err_set(err, -EOPNOTSUPP,
				       "%s: socket: more than %zu bytes wait in it, among them "
				       "descriptors",
				       fd->look.where, MESSAGE_MAX);
		r = find_rights(fd, dump->sk_queues->buffer, at, m->len, &begin, err);
		if (r == 0)
			r = set_offset(fd, (int)at, err);
	}
	/* The search has read less; once more all of it. */
	if (r == 0 && m->n_rights) {
		message_close(m);
		r = peek(fd->fd, dump->sk_queues->buffer, MESSAGE_MAX, m);
		if (r < 0)
			return err_set(err, r, "%s: read what waits in the socket", fd->look.where);
	}
	for (size_t done = 0; r == 0 && done < m->len;) {
		bool with_rights = done == begin && m->n_rights;
		size_t end = done < begin ? begin : m->len;
		size_t len = end - done < STREAM_PIECE ? end - done : STREAM_PIECE;

		r = write_packet(dump, fd, buffer + done, len, with_rights ? m : &plain, err);
		done += len;
	}
	return r;
}

static int write_message(struct dump *dump, const struct dump_fd *fd, struct message *m,
			 struct error *err)
{
	if (m->len > MESSAGE_MAX)
		return err_set(err, -EOPNOTSUPP,
			       "%s: socket: a message of %zu bytes waits in it; at most %zu can be "
			       "saved",
			       fd->look.where, m->len, MESSAGE_MAX);
	return write_packet(dump, fd, dump->sk_queues->buffer, m->len, m, err);
}

/* Message after message, from where the socket's peek offset is. */
static int peek_all(struct dump *dump, const struct dump_fd *fd, uint8_t type, struct error *err)
{
	size_t at = 0;

	for (;;) {
		struct message m;
		int r = peek(fd->fd, dump->sk_queues->buffer, MESSAGE_MAX, &m);

		if (r == -EAGAIN)
			return 0;
		if (r < 0)
			return err_set(err, r, "%s: read what waits in the socket: %s",
				       fd->look.where, strerror(-r));
		/* Only a datagram may be empty; else it is the end. */
		if (m.len == 0 && type != SOCK_DGRAM)
			return 0;
		r = type == SOCK_STREAM ? write_stream(dump, fd, at, &m, err)
					: write_message(dump, fd, &m, err);
		at += m.len;
		if (r < 0)
			return r;
	}
}

int sk_queue_dump(struct dump *dump, const struct dump_fd *fd, uint8_t type, bool ended,
		  struct error *err)
{
	struct sk_queue_dump *queues = queues_of(dump);
	struct error first = ERROR_INIT;
	socklen_t len = sizeof(int);
	int old = -1, bytes = 0;
	int r;

	if (!queues)
		return err_oom(err);
	if (ioctl(fd->fd, SIOCINQ, &bytes) < 0)
		return err_sys(err, "%s: bytes that wait in the socket", fd->look.where);
	if (!bytes && (type == SOCK_STREAM || !is_waiting(fd->fd)))
		return 0;
	if (!bytes && type == SOCK_SEQPACKET && ended)
		return 0; /* it told the end */
	if (!queues->buffer && !map_buffer(queues))
		return err_sys(err, "map %zu bytes", MESSAGE_MAX);
	if (getsockopt(fd->fd, SOL_SOCKET, SO_PEEK_OFF, &old, &len) < 0)
		return err_sys(err, "%s: peek offset of the socket", fd->look.where);
	r = set_offset(fd, 0, err);
	if (r < 0)
		return r;
	r = peek_all(dump, fd, type, &first);
	if (r < 0) {
		(void)set_offset(fd, old, NULL); /* the first failure is told */
		return err_set(err, r, "%s", first.text);
	}
	return set_offset(fd, old, err);
}

/* --------------------------------------------------------------------- passed */

int sk_queue_dump_passed(struct dump *dump, struct error *err)
{
	struct sk_queue_dump *queues = dump->sk_queues;
	int r = 0;

	while (queues && queues->n_dumped < queues->n_passed && r == 0) {
		struct passed p = queues->passed[queues->n_dumped++];

		if (!*p.dumped)
			r = dump_passed_fd(dump, p.task, p.fd, p.id, p.where, err);
	}
	return r;
}

int sk_queue_finish(struct dump *dump, struct error *err)
{
	struct sk_queue_dump *queues = dump->sk_queues;

	return queues && queues->image.fd >= 0 ? image_finish(&queues->image, err) : 0;
}
