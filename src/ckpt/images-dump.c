/*
 * images: the files of one dump.
 *
 * All that is created is remembered, and removed if the dump fails. Making,
 * opening and closing a file takes longer than writing a small one, and there are
 * seven or so a task: those whose names can be guessed are made before the
 * freeze, empty, and some of them are kept open until it is over. What was
 * guessed wrong, because a task came or went, is removed at the end.
 */
#include <fcntl.h>
#include <linux/magic.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/crew.h"
#include "base/err.h"
#include "ckpt/dump-priv.h"
#include "img/pagemap.h"

#define AHEAD_TASKS_MAX 1000 /* a guess need not be complete */
#define AHEAD_OPEN_MAX 200   /* descriptors: a quarter of what a process may usually have */

struct dump_image {
	struct dump_image *next;
	char *name;
	int fd;	     /* of a file made ahead; -EBADF: it is not kept open */
	bool wanted; /* the dump has asked for it */
};

struct dump_images {
	void *by_name; /* tsearch(3) */
	struct dump_image *first;
	size_t n_open;
	bool keep_open;
};

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct dump_image *)a)->name, ((const struct dump_image *)b)->name);
}

static struct dump_image *note(struct dump *dump, enum img_kind kind, uint64_t id)
{
	char name[IMG_NAME_MAX];
	struct dump_image wanted = { .name = name };
	struct dump_image **found;
	struct dump_image *image;

	img_kind_file_name(kind, id, name);
	found = tfind(&wanted, &dump->images->by_name, by_name);
	if (found)
		return *found;
	image = arena_new(&dump->arena, struct dump_image);
	if (!image)
		return NULL;
	image->fd = -EBADF;
	image->name = arena_strdup(&dump->arena, name);
	if (!image->name || !tsearch(image, &dump->images->by_name, by_name))
		return NULL;
	image->next = dump->images->first;
	dump->images->first = image;
	return image;
}

static struct dump_image *want(struct dump *dump, enum img_kind kind, uint64_t id,
			       struct error *err)
{
	struct dump_image *image = note(dump, kind, id);

	if (image)
		image->wanted = true;
	else
		(void)err_oom(err); /* told by returning NULL */
	return image;
}

int dump_image_create(struct dump *dump, struct image *image, enum img_kind kind, uint64_t id,
		      struct error *err)
{
	struct dump_image *file = want(dump, kind, id, err);

	if (!file)
		return -ENOMEM;
	if (file->fd >= 0)
		return image_create_on(image, file->fd, kind, id, err);
	return image_create(image, dump->opts->images_dir, kind, id, err);
}

int dump_image_one(struct dump *dump, enum img_kind kind, uint64_t id,
		   const ProtobufCMessage *message, struct error *err)
{
	cleanup_image struct image image = IMAGE_INIT;
	int r;

	r = dump_image_create(dump, &image, kind, id, err);
	if (r == 0)
		r = image_write(&image, message, err);
	return r < 0 ? r : image_finish(&image, err);
}

/* Image files that several of our threads write. */
struct many {
	int dir;
	enum img_kind kind;
	const struct dump_image_record *records;
	struct dump_image **files;
	size_t n;
};

#define RECORDS_A_JOB 16

static int write_record(const struct many *many, size_t i, struct error *err)
{
	const struct dump_image_record *record = &many->records[i];
	cleanup_image struct image image = IMAGE_INIT;
	int fd = many->files[i]->fd;
	int r;

	r = fd >= 0 ? image_create_on(&image, fd, many->kind, record->id, err)
		    : image_create(&image, many->dir, many->kind, record->id, err);
	if (r == 0)
		r = image_write(&image, record->message, err);
	return r < 0 ? r : image_finish(&image, err);
}

static int write_job(void *arg, unsigned int worker UNUSED, size_t job, struct error *err)
{
	const struct many *many = arg;
	size_t first = job * RECORDS_A_JOB;
	int r = 0;

	for (size_t i = first; i < first + RECORDS_A_JOB && i < many->n && r == 0; i++)
		r = write_record(many, i, err);
	return r;
}

int dump_image_many(struct dump *dump, enum img_kind kind, const struct dump_image_record *records,
		    size_t n, struct error *err)
{
	cleanup_free struct dump_image **files = calloc(n + 1, sizeof(struct dump_image *));
	struct many many = { dump->opts->images_dir, kind, records, files, n };
	size_t jobs = (n + RECORDS_A_JOB - 1) / RECORDS_A_JOB;
	int r = 0;

	if (!files)
		return err_oom(err);
	for (size_t i = 0; i < n; i++) {
		files[i] = want(dump, kind, records[i].id, err);
		if (!files[i])
			return -ENOMEM;
	}
	if (dump->crew)
		return crew_run(dump->crew, jobs, write_job, &many, err);
	for (size_t job = 0; job < jobs && r == 0; job++)
		r = write_job(&many, 0, job, err);
	return r;
}

int dump_pagemap_create(struct dump *dump, struct pagemap_writer *writer, enum img_kind kind,
			uint64_t id, struct error *err)
{
	uint32_t pages_id = ++dump->last_pages_id;
	const struct dump_image *index = want(dump, kind, id, err);
	const struct dump_image *pages = index ? want(dump, IMG_KIND_PAGES, pages_id, err) : NULL;

	if (!pages)
		return -ENOMEM;
	if (index->fd >= 0 && pages->fd >= 0)
		return pagemap_create_on(writer, index->fd, pages->fd, kind, id, pages_id, err);
	return pagemap_create(writer, dump->opts->images_dir, kind, id, pages_id, err);
}

/* One that is there already is somebody's: the dump will replace it, but we did not make it. */
static int make_ahead(struct dump *dump, enum img_kind kind, uint64_t id, struct error *err)
{
	cleanup_fd int fd = -EBADF;
	struct dump_image *image;
	char name[IMG_NAME_MAX];

	img_kind_file_name(kind, id, name);
	fd = openat(dump->opts->images_dir, name,
		    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return errno == EEXIST ? 0 : err_sys(err, "create image '%s'", name);
	image = note(dump, kind, id);
	if (!image)
		return err_oom(err);
	if (dump->images->keep_open && dump->images->n_open < AHEAD_OPEN_MAX) {
		image->fd = take_fd(&fd);
		dump->images->n_open++;
	}
	return 0;
}

struct ahead {
	struct dump *dump;
	unsigned int n_tasks;
};

/* The first thread's is that of its task. */
static int make_of_threads(struct ahead *ahead, pid_t host_pid, struct error *err)
{
	cleanup_free pid_t *tids = NULL;
	size_t n = 0;
	int r = 0;

	if (proc_threads_of(host_pid, &tids, &n, NULL) < 0)
		return 0;
	for (size_t i = 1; i < n && r == 0; i++) {
		struct proc_status status;

		if (proc_status_of_thread(host_pid, tids[i], &status, NULL) < 0)
			continue;
		r = make_ahead(ahead->dump, IMG_KIND_CORE, (uint64_t)proc_ids_inner(&status.ns_pid),
			       err);
		proc_status_done(&status);
	}
	return r;
}

static int make_of_task(struct ahead *ahead, pid_t ns_pid, struct error *err)
{
	static const enum img_kind kinds[] = { IMG_KIND_CORE, IMG_KIND_MM, IMG_KIND_FS,
					       IMG_KIND_IDS, IMG_KIND_PAGEMAP };
	unsigned int n = ++ahead->n_tasks;
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(kinds) && r == 0; i++)
		r = make_ahead(ahead->dump, kinds[i], (uint64_t)ns_pid, err);
	if (r == 0)
		r = make_ahead(ahead->dump, IMG_KIND_PAGES, n, err);
	if (r == 0)
		r = make_ahead(ahead->dump, IMG_KIND_FDINFO, n + 1, err);
	return r;
}

/* The tree runs: what can't be read any more is gone. */
static int walk(struct ahead *ahead, pid_t host_pid, struct error *err)
{
	cleanup_free pid_t *children = NULL;
	struct proc_status status;
	size_t n = 0;
	int r = 0;

	if (ahead->n_tasks == AHEAD_TASKS_MAX || proc_status_of(host_pid, &status, NULL) < 0)
		return 0;
	if (status.has_mm)
		r = make_of_task(ahead, proc_ids_inner(&status.ns_pid), err);
	if (r == 0 && status.threads > 1)
		r = make_of_threads(ahead, host_pid, err);
	proc_status_done(&status);
	if (r < 0 || proc_children_of(host_pid, &children, &n, NULL) < 0)
		return r;
	for (size_t i = 0; i < n && r == 0; i++)
		r = walk(ahead, children[i], err);
	return r;
}

/* Those of the namespaces that are the tree's own. */
static int make_of_namespaces(struct dump *dump, struct error *err)
{
	static const struct {
		enum dump_ns ns;
		enum img_kind kind;
	} images[] = {
		{ DUMP_NS_UTS, IMG_KIND_UTSNS },   { DUMP_NS_IPC, IMG_KIND_IPC_VAR },
		{ DUMP_NS_IPC, IMG_KIND_IPC_SHM }, { DUMP_NS_IPC, IMG_KIND_IPC_MSG },
		{ DUMP_NS_IPC, IMG_KIND_IPC_SEM }, { DUMP_NS_MNT, IMG_KIND_MNTS },
		{ DUMP_NS_TIME, IMG_KIND_TIMENS }, { DUMP_NS_NET, IMG_KIND_NETNS },
		{ DUMP_NS_NET, IMG_KIND_NETDEV },  { DUMP_NS_NET, IMG_KIND_IFADDR },
		{ DUMP_NS_NET, IMG_KIND_ROUTE },   { DUMP_NS_NET, IMG_KIND_ROUTE6 },
		{ DUMP_NS_NET, IMG_KIND_RULE },
	};
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(images) && r == 0; i++) {
		const struct dump_ns_info *ns = &dump->ns[images[i].ns];

		if (ns->other)
			r = make_ahead(dump, images[i].kind, ns->root_id, err);
	}
	return r;
}

/* Others may tell on close that a write has failed, and that must be known before the tree is
 * killed. */
static bool tells_on_write(int dirfd)
{
	static const __fsword_t types[] = { EXT4_SUPER_MAGIC, XFS_SUPER_MAGIC, BTRFS_SUPER_MAGIC,
					    TMPFS_MAGIC, F2FS_SUPER_MAGIC };
	struct statfs fs;

	if (fstatfs(dirfd, &fs) < 0)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (fs.f_type == types[i])
			return true;
	return false;
}

int dump_images_prepare(struct dump *dump, struct error *err)
{
	/* Not the inventory: that it is there says that all others are complete. */
	static const enum img_kind kinds[] = { IMG_KIND_PSTREE, IMG_KIND_SECCOMP, IMG_KIND_CGROUP };
	struct ahead ahead = { .dump = dump };
	int r = 0;

	dump->images = arena_new(&dump->arena, struct dump_images);
	if (!dump->images)
		return err_oom(err);
	if (dump->only_memory) /* files are made while the tree runs */
		return 0;
	dump->images->keep_open = tells_on_write(dump->opts->images_dir);
	for (size_t i = 0; i < ARRAY_SIZE(kinds) && r == 0; i++)
		r = make_ahead(dump, kinds[i], 0, err);
	if (r == 0)
		r = make_of_namespaces(dump, err);
	return r < 0 ? r : walk(&ahead, dump->opts->pid, err);
}

void dump_images_remove(struct dump *dump, bool all)
{
	if (!dump->images)
		return;
	for (struct dump_image *image = dump->images->first; image; image = image->next) {
		if (all || !image->wanted)
			(void)unlinkat(dump->opts->images_dir, image->name, 0); /* best effort */
	}
}

static void keep(void *node UNUSED)
{
}

void dump_images_done(struct dump *dump)
{
	if (!dump->images)
		return;
	for (struct dump_image *image = dump->images->first; image; image = image->next)
		cleanup_fd_p(&image->fd);
	tdestroy(dump->images->by_name, keep);
	dump->images = NULL;
}
