/*
 * sysv-dump: what an IPC namespace holds, read from inside it.
 *
 * The namespace's tables are walked by index, as ipcs(1) does it. Nothing is
 * changed: messages are copied (MSG_COPY), segments are attached for a moment
 * to get at the file behind them, whose pages are saved later.
 */
#include "ckpt/sysv.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <linux/magic.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "ckpt/dump-priv.h"
#include "ckpt/memfd.h"
#include "ckpt/shmem.h"
#include "ckpt/userns.h"
#include "ckpt/vma-status.h"
#include "img/pb/ipc-msg.pb-c.h"
#include "img/pb/ipc-sem.pb-c.h"
#include "img/pb/ipc-shm.pb-c.h"

#define PAGE UINT64_C(4096)
#define PREFIX "/SYSV"

#ifndef MSG_COPY
#define MSG_COPY 040000
#endif

struct dump_segment {
	struct dump_segment *next;
	int id;
};

struct message {
	long type;
	char text[];
};

static void set_desc(const struct dump *dump, IpcDescEntry *desc, int id,
		     const struct ipc_perm *perm)
{
	ipc_desc_entry__init(desc);
	desc->id = (uint32_t)id;
	desc->key = (uint32_t)perm->__key;
	desc->uid = userns_uid(dump, perm->uid);
	desc->gid = userns_gid(dump, perm->gid);
	desc->cuid = userns_uid(dump, perm->cuid);
	desc->cgid = userns_gid(dump, perm->cgid);
	desc->mode = perm->mode;
}

static int write_padded(struct image *image, const void *data, size_t len, struct error *err)
{
	const char zeros[8] = { 0 };
	int r = image_write_raw(image, data, len, err);

	return r < 0 ? r : image_write_raw(image, zeros, -len & 7, err);
}

/* ------------------------------------------------------------------- semaphores */

static int write_set(struct dump *dump, struct image *image, int id, const struct semid_ds *ds,
		     struct error *err)
{
	cleanup_free unsigned short *values = calloc(ds->sem_nsems + 1, sizeof(*values));
	IpcSemEntry entry = IPC_SEM_ENTRY__INIT;
	IpcDescEntry desc;
	int r;

	if (!values)
		return err_oom(err);
	if (semctl(id, 0, GETALL, values) < 0)
		return err_sys(err, "read semaphore set %d", id);
	set_desc(dump, &desc, id, &ds->sem_perm);
	entry.desc = &desc;
	entry.nsems = (uint32_t)ds->sem_nsems;
	r = image_write(image, &entry.base, err);
	return r < 0 ? r : write_padded(image, values, ds->sem_nsems * sizeof(*values), err);
}

static int write_sets(struct dump *dump, struct image *image, struct error *err)
{
	struct seminfo info;
	struct semid_ds ds;
	int last = semctl(0, 0, SEM_INFO, &info);
	int r = 0;

	if (last < 0)
		return err_sys(err, "count semaphore sets");
	for (int i = 0; i <= last && r == 0; i++) {
		int id = semctl(i, 0, SEM_STAT, &ds);

		if (id >= 0)
			r = write_set(dump, image, id, &ds, err);
		else if (errno != EINVAL)
			r = err_sys(err, "look at the semaphore set with index %d", i);
	}
	return r;
}

/* --------------------------------------------------------------- message queues */

static int refuse_message(int id, long n, struct error *err)
{
	int r;

	if (errno == ENOSYS)
		return err_set(err, -EOPNOTSUPP,
			       "message queue %d is not empty, and this kernel can't copy messages "
			       "(CONFIG_CHECKPOINT_RESTORE)",
			       id);
	if (errno != EINVAL)
		return err_sys(err, "copy message %ld of queue %d", n, id);
	r = err_set(err, -EOPNOTSUPP,
		    "message queue %d: message %ld is larger than kernel.msgmax allows now", id, n);
	err_hint(err, "raise it in the container");
	return r;
}

static int write_messages(struct image *image, int id, const struct msqid_ds *ds, struct error *err)
{
	size_t size = (size_t)ds->__msg_cbytes;
	cleanup_free struct message *message = calloc(1, sizeof(*message) + size + 1);
	int r = 0;

	if (!message)
		return err_oom(err);
	for (long i = 0; i < (long)ds->msg_qnum && r == 0; i++) {
		IpcMsg entry = IPC_MSG__INIT;
		ssize_t n = msgrcv(id, message, size, i, IPC_NOWAIT | MSG_COPY);

		if (n < 0)
			return refuse_message(id, i, err);
		entry.mtype = (uint64_t)message->type;
		entry.msize = (uint32_t)n;
		r = image_write_nested(image, &entry.base, err);
		if (r == 0)
			r = write_padded(image, message->text, (size_t)n, err);
	}
	return r;
}

static int write_queue(struct dump *dump, struct image *image, int id, const struct msqid_ds *ds,
		       struct error *err)
{
	IpcMsgEntry entry = IPC_MSG_ENTRY__INIT;
	IpcDescEntry desc;
	int r;

	set_desc(dump, &desc, id, &ds->msg_perm);
	entry.desc = &desc;
	entry.qbytes = (uint32_t)ds->msg_qbytes;
	entry.qnum = (uint32_t)ds->msg_qnum;
	r = image_write(image, &entry.base, err);
	return r < 0 ? r : write_messages(image, id, ds, err);
}

static int write_queues(struct dump *dump, struct image *image, struct error *err)
{
	struct msginfo info;
	struct msqid_ds ds;
	int last = msgctl(0, MSG_INFO, (struct msqid_ds *)(void *)&info);
	int r = 0;

	if (last < 0)
		return err_sys(err, "count message queues");
	for (int i = 0; i <= last && r == 0; i++) {
		int id = msgctl(i, MSG_STAT, &ds);

		if (id >= 0)
			r = write_queue(dump, image, id, &ds, err);
		else if (errno != EINVAL)
			r = err_sys(err, "look at the message queue with index %d", i);
	}
	return r;
}

/* --------------------------------------------------------------- shared memory */

static const struct dump_segment *find_segment(const struct dump *dump, int id)
{
	const struct dump_segment *s = dump->sysv_segments;

	while (s && s->id != id)
		s = s->next;
	return s;
}

/* The file behind an attached segment: its own, that is read and written as any other. */
static int open_attached(int id, const void *at, uint64_t size, int *ret_fd, struct error *err)
{
	uint64_t start = (uint64_t)(uintptr_t)at;
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/self/map_files/%" PRIx64 "-%" PRIx64, start,
		       start + size); /* always fits */
	*ret_fd = open(path, O_RDONLY | O_CLOEXEC);
	return *ret_fd < 0 ? err_sys(err, "shared memory segment %d: open '%s'", id, path) : 0;
}

static int open_segment(int id, const struct shmid_ds *ds, uint64_t *ret_page, int *ret_fd,
			struct error *err)
{
	const void *at = shmat(id, NULL, SHM_RDONLY);
	cleanup_fd int fd = -EBADF;
	struct statfs fs;
	int r;

	if (at == (const void *)-1)
		return err_sys(err, "attach shared memory segment %d", id);
	/* Huge pages show by the size of the mapping only. */
	r = open_attached(id, at, (ds->shm_segsz + PAGE - 1) & ~(PAGE - 1), &fd, err);
	for (uint64_t page = UINT64_C(2) << 20; r == -ENOENT && page <= UINT64_C(1) << 30;
	     page <<= 9)
		r = open_attached(id, at, (ds->shm_segsz + page - 1) & ~(page - 1), &fd, err);
	(void)shmdt(at);
	if (r < 0)
		return r;
	if (fstatfs(fd, &fs) < 0)
		return err_sys(err, "shared memory segment %d: statfs", id);
	*ret_page = fs.f_type == HUGETLBFS_MAGIC ? (uint64_t)fs.f_bsize : 0;
	*ret_fd = take_fd(&fd);
	return 0;
}

static int check_segment(const struct dump *dump, int id, const struct shmid_ds *ds,
			 struct error *err)
{
	char forced = '0';
	cleanup_fd int fd = -EBADF;

	if (find_segment(dump, id))
		return err_set(err, -EOPNOTSUPP,
			       "two IPC namespaces of the tree have a shared memory segment %d",
			       id);
	if (ds->shm_nattch)
		return 0;
	/* To attach it and detach it again would remove it. */
	fd = open("/proc/sys/kernel/shm_rmid_forced", O_RDONLY | O_CLOEXEC);
	if (fd >= 0 && read(fd, &forced, 1) == 1 && forced != '0')
		return err_set(err, -EOPNOTSUPP,
			       "shared memory segment %d is attached nowhere, and the namespace "
			       "removes such segments (kernel.shm_rmid_forced): it can't be read",
			       id);
	return 0;
}

static int write_segment(struct dump *dump, struct image *image, int id, const struct shmid_ds *ds,
			 struct error *err)
{
	struct dump_segment *segment = arena_new(&dump->arena, struct dump_segment);
	IpcShmEntry entry = IPC_SHM_ENTRY__INIT;
	cleanup_fd int fd = -EBADF;
	IpcDescEntry desc;
	uint64_t page;
	int r;

	if (!segment)
		return err_oom(err);
	r = check_segment(dump, id, ds, err);
	if (r == 0)
		r = open_segment(id, ds, &page, &fd, err);
	if (r < 0)
		return r;
	set_desc(dump, &desc, id, &ds->shm_perm);
	entry.desc = &desc;
	entry.size = ds->shm_segsz;
	entry.has_in_pagemaps = true;
	entry.in_pagemaps = true;
	entry.has_hugetlb_flag = page != 0;
	entry.hugetlb_flag = page ? SHM_HUGETLB | memfd_huge_flag(page) : 0;
	*segment = (struct dump_segment){ .next = dump->sysv_segments, .id = id };
	dump->sysv_segments = segment;
	r = shmem_note(dump, (uint64_t)id, &fd, err);
	return r < 0 ? r : image_write(image, &entry.base, err);
}

static int write_segments(struct dump *dump, struct image *image, struct error *err)
{
	struct shm_info info;
	struct shmid_ds ds;
	int last = shmctl(0, SHM_INFO, (struct shmid_ds *)(void *)&info);
	int r = 0;

	if (last < 0)
		return err_sys(err, "count shared memory segments");
	for (int i = 0; i <= last && r == 0; i++) {
		int id = shmctl(i, SHM_STAT, &ds);

		if (id >= 0)
			r = write_segment(dump, image, id, &ds, err);
		else if (errno != EINVAL)
			r = err_sys(err, "look at the shared memory segment with index %d", i);
	}
	return r;
}

int sysv_write(struct dump *dump, uint32_t id, struct error *err)
{
	const enum img_kind kinds[] = { IMG_KIND_IPC_SHM, IMG_KIND_IPC_MSG, IMG_KIND_IPC_SEM };
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(kinds) && r == 0; i++) {
		cleanup_image struct image image = IMAGE_INIT;

		r = dump_image_create(dump, &image, kinds[i], id, err);
		if (r < 0)
			return r;
		if (kinds[i] == IMG_KIND_IPC_SHM)
			r = write_segments(dump, &image, err);
		else if (kinds[i] == IMG_KIND_IPC_MSG)
			r = write_queues(dump, &image, err);
		else
			r = write_sets(dump, &image, err);
		if (r == 0)
			r = image_finish(&image, err);
	}
	return r;
}

/* ------------------------------------------------------------------- attachments */

bool sysv_is_vma(const struct proc_vma *vma)
{
	return vma->shared && vma->deleted && !strncmp(vma->name, PREFIX, strlen(PREFIX));
}

int sysv_check_vma(pid_t host_pid, const struct proc_vma *vma, struct error *err)
{
	struct stat own;
	struct stat there;
	char path[64];
	int r;

	(void)snprintf(path, sizeof(path), "/proc/%d/ns/ipc", host_pid); /* always fits */
	if (stat("/proc/self/ns/ipc", &own) < 0 || stat(path, &there) < 0)
		return err_sys(err, "stat '%s'", path);
	if (own.st_ino != there.st_ino)
		return 0;
	r = err_set(err, -EOPNOTSUPP,
		    "task %d: mapping %" PRIx64 "-%" PRIx64
		    " is the System V shared memory segment "
		    "%" PRIu64 " of an IPC namespace that is not the tree's own",
		    host_pid, vma->start, vma->end, vma->ino);
	err_hint(err,
		 "its id can't be kept: run the program in a container, or under 'unshare -i'");
	return r;
}

int sysv_note_vma(struct dump *dump, pid_t host_pid, const struct proc_vma *vma, VmaEntry *entry,
		  struct error *err)
{
	/* The kernel gives the file the segment's id as inode number. */
	if (!find_segment(dump, (int)vma->ino))
		return err_set(err, -EOPNOTSUPP,
			       "task %d: mapping %" PRIx64 "-%" PRIx64
			       ": its IPC namespaces have no "
			       "System V shared memory segment %" PRIu64,
			       host_pid, vma->start, vma->end, vma->ino);
	entry->flags |= MAP_ANONYMOUS;
	entry->status |= VMA_ANON_SHARED | VMA_AREA_SYSVIPC;
	entry->shmid = vma->ino;
	return 0;
}
