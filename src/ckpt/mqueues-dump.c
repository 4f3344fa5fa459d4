/*
 * mqueues-dump: POSIX message queues of an IPC namespace.
 *
 * They are files of a file system that each namespace has once; it is mounted
 * for a moment, where nobody sees it, and listed. Their messages can be read in
 * one way only: to receive them. If we did that, our death would lose them. So
 * the root task does it, in one tape: it receives all and sends all again, in
 * the same order. A tape is played to its end by the task itself, whatever
 * becomes of us; and from the first fault on it plays what puts messages back.
 */
#include "ckpt/mqueues.h"

#include <dirent.h>
#include <fcntl.h>
#include <mqueue.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/scan.h"
#include "ckpt/dump-priv.h"
#include "ckpt/fd-kind.h"
#include "ckpt/userns.h"
#include "img/pb/mqueue.pb-c.h"
#include "trace/area.h"
#include "trace/remote.h"
#include "trace/tape.h"

#ifndef MQUEUE_MAGIC
#define MQUEUE_MAGIC 0x19800202
#endif
#define DELETED " (deleted)"
#define COPY_MAX ((uint64_t)64 << 20) /* bytes of a queue's messages at their largest */
#define FILES_STEP 8

struct dump_mqueue {
	struct dump_mqueue *next;
	uint64_t dev;
	uint64_t ino;
	uint64_t n_messages;
	bool root_ns; /* the root task is in its namespace */
	MqueueEntry entry;
	size_t files_size;
};

bool mqueue_is(const struct fd_look *look)
{
	return look->fs_type == MQUEUE_MAGIC && S_ISREG(look->st.st_mode);
}

static struct dump_mqueue *find_queue(const struct dump *dump, const struct stat *st)
{
	struct dump_mqueue *q = dump->mqueues;

	while (q && (q->dev != st->st_dev || q->ino != st->st_ino))
		q = q->next;
	return q;
}

/* "QSIZE:129        NOTIFY:2     SIGNO:0     NOTIFY_PID:8260": reading a queue tells that. */
static int check_notify(int fd, const char *name, struct error *err)
{
	char text[256];
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
	const char *pid;
	int r;

	if (n < 0)
		return err_sys(err, "message queue '%s': read its state", name);
	text[n] = '\0';
	pid = strstr(text, "NOTIFY_PID:");
	if (!pid || strtol(pid + strlen("NOTIFY_PID:"), NULL, 10) == 0)
		return 0;
	r = err_set(
		err, -EOPNOTSUPP,
		"message queue '%s': a process has asked to be notified (mq_notify): what it asked for "
		"can't be read",
		name);
	err_hint(err, "let it take that back before the checkpoint");
	return r;
}

/* Makes a record of the queue that is open as `fd`. `ns_id` 0: it stays where it is. */
static int add_queue(struct dump *dump, int fd, const struct stat *st, const char *name,
		     uint32_t ns_id, struct error *err)
{
	struct dump_mqueue *q = arena_new(&dump->arena, struct dump_mqueue);
	struct mq_attr attr;
	int r;

	if (!q)
		return err_oom(err);
	*q = (struct dump_mqueue){ .next = dump->mqueues, .dev = st->st_dev, .ino = st->st_ino };
	mqueue_entry__init(&q->entry);
	q->entry.name = arena_strdup(&dump->arena, name);
	if (!q->entry.name)
		return err_oom(err);
	if (syscall(SYS_mq_getsetattr, fd, NULL, &attr) < 0)
		return err_sys(err, "message queue '%s': its attributes", name);
	r = ns_id ? check_notify(fd, name, err) : 0;
	if (r < 0)
		return r;
	q->n_messages = ns_id ? (uint64_t)attr.mq_curmsgs : 0;
	q->root_ns = ns_id == dump->ns[DUMP_NS_IPC].root_id;
	q->entry.ipc_ns_id = ns_id;
	q->entry.has_unlinked = st->st_nlink == 0;
	q->entry.unlinked = st->st_nlink == 0;
	q->entry.uid = userns_uid(dump, st->st_uid);
	q->entry.gid = userns_gid(dump, st->st_gid);
	q->entry.mode = st->st_mode & 07777;
	q->entry.max_messages = (uint64_t)attr.mq_maxmsg;
	q->entry.message_size = (uint64_t)attr.mq_msgsize;
	dump->mqueues = q;
	return 0;
}

/* The namespace's queues, as files below a descriptor. */
static int open_all(int *ret_fd, struct error *err)
{
	cleanup_fd int fs = (int)syscall(SYS_fsopen, "mqueue", FSOPEN_CLOEXEC);
	cleanup_fd int mount = -EBADF;

	if (fs < 0 || syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return err_sys(err, "make a file system of the message queues");
	mount = (int)syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, 0);
	if (mount < 0)
		return err_sys(err, "mount the file system of the message queues");
	*ret_fd = openat(mount, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return *ret_fd < 0 ? err_sys(err, "open the folder of the message queues") : 0;
}

static int collect_one(struct dump *dump, int dir, const char *name, uint32_t ns_id,
		       struct error *err)
{
	cleanup_fd int fd = openat(dir, name, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	struct stat st;

	if (fd < 0)
		return err_sys(err, "open message queue '%s'", name);
	if (fstat(fd, &st) < 0)
		return err_sys(err, "stat message queue '%s'", name);
	return add_queue(dump, fd, &st, name, ns_id, err);
}

int mqueue_collect(struct dump *dump, uint32_t ns_id, struct error *err)
{
	cleanup_fd int fd = -EBADF;
	struct dirent *entry;
	DIR *dir;
	int r = open_all(&fd, err);

	if (r < 0)
		return r == -ENODEV ? 0 : r; /* a kernel without them */
	dir = fdopendir(fcntl(fd, F_DUPFD_CLOEXEC, 0));
	if (!dir)
		return err_sys(err, "list the message queues");
	while (r == 0 && (errno = 0, entry = readdir(dir)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			r = collect_one(dump, fd, entry->d_name, ns_id, err);
	if (r == 0 && errno)
		r = err_sys(err, "list the message queues");
	(void)closedir(dir);
	return r;
}

/* --------------------------------------------------------------- descriptors */

/* A queue that no namespace of the tree lists: it lost its name, or is of another namespace. */
static int add_unlisted(struct dump *dump, const struct dump_fd *fd, struct error *err)
{
	uint32_t ns_id = dump->ns[DUMP_NS_IPC].other ? dump->ns[DUMP_NS_IPC].root_id : 0;
	char *name = arena_strdup(&dump->arena, fd->look.link + 1);
	size_t len = name ? strlen(name) : 0;
	int r;

	if (!name)
		return err_oom(err);
	if (!fd->look.st.st_nlink && len > strlen(DELETED))
		name[len - strlen(DELETED)] = '\0';
	if (fd->look.st.st_nlink && ns_id)
		return err_set(
			err, -EOPNOTSUPP,
			"%s: message queue '%s' is of an IPC namespace that is not the tree's",
			fd->look.where, name);
	if (!fd->look.st.st_nlink && !ns_id)
		return err_set(
			err, -EOPNOTSUPP,
			"%s: message queue '%s' has lost its name, and is of an IPC namespace that "
			"is not the tree's own",
			fd->look.where, name);
	r = add_queue(dump, fd->fd, &fd->look.st, name, ns_id, err);
	if (r == 0 && dump->mqueues->n_messages)
		return err_set(
			err, -EOPNOTSUPP,
			"%s: message queue '%s' has lost its name and is not empty: its messages "
			"can't be read",
			fd->look.where, name);
	return r;
}

static int add_file(struct dump *dump, struct dump_mqueue *q, const struct dump_fd *fd,
		    struct error *err)
{
	MqueueFile *file = arena_new(&dump->arena, MqueueFile);
	MqueueEntry *e = &q->entry;

	if (e->n_files == q->files_size) {
		MqueueFile **more =
			arena_new_array(&dump->arena, MqueueFile *, 2 * q->files_size + FILES_STEP);

		if (!more)
			return err_oom(err);
		if (e->n_files)
			memcpy(more, e->files, e->n_files * sizeof(MqueueFile *));
		e->files = more;
		q->files_size = 2 * q->files_size + FILES_STEP;
	}
	if (!file)
		return err_oom(err);
	mqueue_file__init(file);
	file->id = fd->id;
	file->flags = fd->flags;
	e->files[e->n_files++] = file;
	return 0;
}

int mqueue_dump(struct dump *dump, const struct dump_fd *fd, struct error *err)
{
	struct dump_mqueue *q = find_queue(dump, &fd->look.st);
	ExtFileEntry entry = EXT_FILE_ENTRY__INIT;
	FileEntry file = FILE_ENTRY__INIT;
	int r = q ? 0 : add_unlisted(dump, fd, err);

	if (r < 0)
		return r;
	r = add_file(dump, q ? q : dump->mqueues, fd, err);
	if (r < 0)
		return r;
	entry.id = fd->id;
	entry.fown = (FownEntry *)&fd->fown;
	file.type = FD_TYPES__EXT;
	file.id = fd->id;
	file.ext = &entry;
	return image_write(&dump->files, &file.base, err);
}

/* ------------------------------------------------------------------ messages */

struct copy {
	uint64_t text;	   /* area: room for each message */
	uint64_t priority; /* area: a word for each */
	uint64_t step;	   /* from one text to the next */
	uint32_t received; /* the first one's entry */
};

static void tape_copy(struct area *area, struct tape *tape, const struct dump_mqueue *q,
		      struct copy *copy)
{
	const char *name = q->entry.name;
	uint32_t queue = tape_call(tape, SYS_mq_open,
				   TAPE_ARGS(tape_at(area_add_string(area, name)),
					     tape_imm(O_RDWR | O_NONBLOCK | O_CLOEXEC)),
				   "opening message queue '%s'", name);

	copy->step = (q->entry.message_size + 15) & ~UINT64_C(15);
	copy->text = area_alloc(area, q->n_messages * copy->step, 16);
	copy->priority = area_alloc(area, q->n_messages * sizeof(uint32_t), 16);
	for (uint64_t i = 0; i < q->n_messages; i++) {
		uint32_t entry = tape_call(
			tape, SYS_mq_timedreceive,
			TAPE_ARGS(tape_slot(queue), tape_at(copy->text + i * copy->step),
				  tape_imm(q->entry.message_size),
				  tape_at(copy->priority + i * sizeof(uint32_t))),
			"receiving message %llu of queue '%s'", (unsigned long long)i, name);

		if (i == 0)
			copy->received = entry;
		/* Was it not played, nothing is to be sent. */
		if (tape)
			tape->entries[entry].result = -EMSGSIZE;
	}
	tape_epilogue(tape);
	for (uint64_t i = 0; i < q->n_messages; i++) {
		uint32_t entry = tape_call(
			tape, SYS_mq_timedsend,
			TAPE_ARGS(tape_slot(queue), tape_at(copy->text + i * copy->step),
				  tape_slot(copy->received + (uint32_t)i),
				  tape_load32(copy->priority + i * sizeof(uint32_t))),
			"putting message %llu of queue '%s' back", (unsigned long long)i, name);

		tape_expect(tape, entry, PIE_RULE_OK, 0);
	}
	tape_call(tape, SYS_close, TAPE_ARGS(tape_slot(queue)), "closing message queue '%s'", name);
}

static int use_copy(struct dump *dump, struct dump_mqueue *q, const struct tape *tape,
		    const struct pie_area *live, const struct copy *copy, struct error *err)
{
	const char *bytes = (const char *)live;

	q->entry.messages = arena_new_array(&dump->arena, MqueueMessage *, q->n_messages);
	if (!q->entry.messages)
		return err_oom(err);
	for (uint64_t i = 0; i < q->n_messages; i++) {
		MqueueMessage *m = arena_new(&dump->arena, MqueueMessage);
		int64_t len = tape_result(tape, live, copy->received + (uint32_t)i);

		if (!m)
			return err_oom(err);
		mqueue_message__init(m);
		memcpy(&m->priority, bytes + copy->priority + i * sizeof(uint32_t),
		       sizeof(uint32_t));
		m->text.len = (size_t)len;
		m->text.data = arena_memdup(&dump->arena, bytes + copy->text + i * copy->step,
					    (size_t)len + 1);
		if (!m->text.data)
			return err_oom(err);
		q->entry.messages[q->entry.n_messages++] = m;
	}
	return 0;
}

static int copy_messages(struct dump *dump, struct dump_mqueue *q, struct error *err)
{
	pid_t host_pid = dump->tasks[0].host_pid;
	cleanup_remote struct remote remote = REMOTE_INIT;
	cleanup_area struct area area = { .size = 0 };
	struct copy copy = { .step = 0 };
	struct tape *tape;
	int r;

	if (!q->root_ns)
		return err_set(
			err, -EOPNOTSUPP,
			"message queue '%s' is not empty, and of an IPC namespace that the root "
			"task is not in: its messages can't be read",
			q->entry.name);
	if (q->n_messages > COPY_MAX / q->entry.message_size)
		return err_set(
			err, -EOPNOTSUPP,
			"message queue '%s' has %llu messages of up to %llu bytes: too much to be "
			"copied at once",
			q->entry.name, (unsigned long long)q->n_messages,
			(unsigned long long)q->entry.message_size);
	r = area_init(&area, err);
	if (r < 0)
		return r;
	tape = area_add_tape(&area, (uint32_t)host_pid, "messages");
	tape_copy(&area, tape, q, &copy);
	r = remote_begin(&remote, host_pid, NULL, &area, tape, err);
	if (r == 0)
		r = use_copy(dump, q, tape, remote.live, &copy, err);
	return r < 0 ? r : remote_end(&remote, err);
}

int mqueue_copy_messages(struct dump *dump, struct error *err)
{
	int r = 0;

	for (struct dump_mqueue *q = dump->mqueues; q && r == 0; q = q->next)
		if (q->n_messages)
			r = copy_messages(dump, q, err);
	return r;
}

int mqueue_write(struct dump *dump, struct error *err)
{
	cleanup_image struct image image = IMAGE_INIT;
	int r;

	if (!dump->mqueues)
		return 0;
	r = dump_image_create(dump, &image, IMG_KIND_MQUEUE, 0, err);
	for (const struct dump_mqueue *q = dump->mqueues; q && r == 0; q = q->next)
		r = image_write(&image, &q->entry.base, err);
	return r < 0 ? r : image_finish(&image, err);
}
