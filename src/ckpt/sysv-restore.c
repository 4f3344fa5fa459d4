/*
 * sysv-restore: System V objects, made again by R in its new IPC namespace.
 *
 * The kernel is told which id the next object gets (kernel.*_next_id), and who
 * makes an object is its creator: R takes on the creator's ids for that call.
 * A segment is attached for a moment, to open the file behind it; it is filled
 * as any other shared memory. What can't be brought back is who used an
 * object last and when.
 */
#include "ckpt/sysv.h"

#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "ckpt/file-restore.h"
#include "ckpt/ipc.h"
#include "ckpt/ns-restore.h"
#include "ckpt/restore-priv.h"
#include "ckpt/shmem-restore.h"
#include "ckpt/sysv-priv.h"
#include "ckpt/userns.h"
#include "img/image.h"
#include "img/pb/ipc-msg.pb-c.h"
#include "img/pb/ipc-sem.pb-c.h"

#define PAGE UINT64_C(4096)
#define SETS_MAX 65536 /* semaphores in a set: 16 bits of an operation name them */
#define MESSAGE_MAX (UINT32_C(1) << 30)
#define ALIGNMENT (UINT64_C(1) << 30) /* that of the largest huge pages */
#define RIGHTS 0777

struct rset {
	const IpcSemEntry *e;
	uint64_t values; /* area */
};

struct rmessage {
	uint64_t at; /* area: type and text */
	uint32_t size;
};

struct rqueue {
	const IpcMsgEntry *e;
	struct rmessage *messages;
	uint64_t bytes; /* of all messages */
};

uint64_t rsegment_size(const struct rsegment *s)
{
	uint32_t shift = s->e->has_hugetlb_flag ? s->e->hugetlb_flag >> MAP_HUGE_SHIFT & 63 : 0;
	uint64_t page = shift ? UINT64_C(1) << shift : PAGE;

	return (s->e->size + page - 1) & ~(page - 1);
}

struct rsegment *sysv_find_segment(const struct restore *r, uint64_t id)
{
	for (size_t i = 0; r->sysv && i < r->sysv->n_segments; i++)
		if (r->sysv->segments[i].e->desc->id == id)
			return &r->sysv->segments[i];
	return NULL;
}

void sysv_restore_done(struct restore *r)
{
	struct rsysv *all = r->sysv;

	if (!all)
		return;
	for (size_t i = 0; i < all->n_queues; i++)
		free(all->queues[i].messages);
	for (size_t i = 0; i < all->n_windows; i++)
		(void)munmap(all->windows[i].iov_base, all->windows[i].iov_len);
	free(all->segments);
	free(all->queues);
	free(all->sets);
	free(all);
	r->sysv = NULL;
}

/* -------------------------------------------------------------------- loading */

static int check_desc(const IpcDescEntry *desc, const struct image *image, struct error *err)
{
	if (desc->id > INT32_MAX)
		return err_set(err, -EBADMSG, "%s: id %u", image->name, desc->id);
	return 0;
}

static int open_objects(struct restore *r, enum img_kind kind, uint32_t id, struct image *image,
			struct error *err)
{
	int ret = image_open(image, r->opts->images_dir, kind, id, err);

	return ret == -ENOENT ? 0 : ret < 0 ? ret : 1;
}

/* Room for one more, doubled. */
static int grow(void *array, size_t n, size_t size, struct error *err)
{
	void **v = array;
	void *more;

	if (n & (n - 1))
		return 0; /* not a power of two: there is room */
	more = reallocarray(*v, n ? 2 * n : 1, size);
	if (!more)
		return err_oom(err);
	*v = more;
	return 0;
}

static int load_segments(struct restore *r, uint32_t id, struct error *err)
{
	cleanup_image struct image image = IMAGE_INIT;
	struct rsysv *all = r->sysv;
	IpcShmEntry *e = NULL;
	int ret = open_objects(r, IMG_KIND_IPC_SHM, id, &image, err);

	while (ret > 0 && (ret = image_read(&image, &r->arena, &e, err)) > 0) {
		ret = check_desc(e->desc, &image, err);
		if (ret == 0 && (!e->has_in_pagemaps || !e->in_pagemaps))
			ret = err_set(err, -EOPNOTSUPP,
				      "%s: the segments' content is in it, as before CRIU 3.0",
				      image.name);
		if (ret == 0 && e->size > INT64_MAX - ALIGNMENT)
			ret = err_set(err, -EBADMSG, "%s: size of segment %u", image.name,
				      e->desc->id);
		if (ret == 0)
			ret = grow(&all->segments, all->n_segments, sizeof(*all->segments), err);
		if (ret < 0)
			return ret;
		all->segments[all->n_segments++] = (struct rsegment){ .e = e };
		ret = 1;
	}
	return ret;
}

static int load_messages(struct restore *r, struct image *image, struct rqueue *q,
			 struct sysv_needs *needs, struct error *err)
{
	int ret = 0;

	for (uint32_t i = 0; i < q->e->qnum && ret >= 0; i++) {
		cleanup_free char *data = NULL;
		IpcMsg *m = NULL;

		ret = image_read_nested(image, &ipc_msg__descriptor, &r->arena, &m, err);
		if (ret < 0)
			return ret;
		if (m->msize > MESSAGE_MAX || m->mtype - 1 >= INT64_MAX)
			return err_set(err, -EBADMSG, "%s: message %u of queue %u", image->name, i,
				       q->e->desc->id);
		data = calloc(1, sizeof(m->mtype) + m->msize + 8);
		if (!data)
			return err_oom(err);
		memcpy(data, &m->mtype, sizeof(m->mtype));
		ret = image_read_raw(image, data + sizeof(m->mtype), (m->msize + 7) & ~(size_t)7,
				     err);
		if (ret >= 0)
			ret = grow(&q->messages, i, sizeof(*q->messages), err);
		if (ret < 0)
			return ret;
		q->messages[i].at = area_add(&r->area, data, sizeof(m->mtype) + m->msize);
		q->messages[i].size = m->msize;
		q->bytes += m->msize;
		if (needs->message < m->msize)
			needs->message = m->msize;
	}
	return ret;
}

static int load_queues(struct restore *r, uint32_t id, struct sysv_needs *needs, struct error *err)
{
	cleanup_image struct image image = IMAGE_INIT;
	struct rsysv *all = r->sysv;
	IpcMsgEntry *e = NULL;
	int ret = open_objects(r, IMG_KIND_IPC_MSG, id, &image, err);

	while (ret > 0 && (ret = image_read(&image, &r->arena, &e, err)) > 0) {
		struct rqueue *q;

		ret = check_desc(e->desc, &image, err);
		if (ret == 0)
			ret = grow(&all->queues, all->n_queues, sizeof(*all->queues), err);
		if (ret < 0)
			return ret;
		q = &all->queues[all->n_queues++];
		*q = (struct rqueue){ .e = e };
		ret = load_messages(r, &image, q, needs, err);
		if (ret < 0)
			return ret;
		if (needs->queue < q->bytes)
			needs->queue = q->bytes;
		if (needs->queue < e->qbytes)
			needs->queue = e->qbytes;
		ret = 1;
	}
	return ret;
}

static int load_sets(struct restore *r, uint32_t id, struct sysv_needs *needs, struct error *err)
{
	cleanup_image struct image image = IMAGE_INIT;
	struct rsysv *all = r->sysv;
	IpcSemEntry *e = NULL;
	int ret = open_objects(r, IMG_KIND_IPC_SEM, id, &image, err);

	while (ret > 0 && (ret = image_read(&image, &r->arena, &e, err)) > 0) {
		cleanup_free uint16_t *values = NULL;

		ret = check_desc(e->desc, &image, err);
		if (ret == 0 && (!e->nsems || e->nsems > SETS_MAX))
			ret = err_set(err, -EBADMSG, "%s: %u semaphores in set %u", image.name,
				      e->nsems, e->desc->id);
		values = ret == 0 ? calloc(e->nsems + 4, sizeof(*values)) : NULL;
		if (ret == 0 && !values)
			ret = err_oom(err);
		if (ret == 0)
			ret = image_read_raw(&image, values,
					     (e->nsems * sizeof(*values) + 7) & ~(size_t)7, err);
		if (ret >= 0)
			ret = grow(&all->sets, all->n_sets, sizeof(*all->sets), err);
		if (ret < 0)
			return ret;
		all->sets[all->n_sets++] = (struct rset){
			.e = e, .values = area_add(&r->area, values, e->nsems * sizeof(*values))
		};
		needs->sems += e->nsems;
		if (needs->set < e->nsems)
			needs->set = e->nsems;
		ret = 1;
	}
	return ret;
}

int sysv_load_segments(struct restore *r, struct error *err)
{
	int ret;

	r->sysv = calloc(1, sizeof(*r->sysv));
	if (!r->sysv)
		return err_oom(err);
	if (!(r->clone_flags & CLONE_NEWIPC))
		return 0;
	ret = load_segments(r, r->root->ids->ipc_ns_id, err);
	return ret < 0 ? ret : 0;
}

/* R can't come back there when they are attached. */
static int check_nested(const struct rsysv *all, struct error *err)
{
	for (size_t i = all->first_segment; i < all->n_segments; i++)
		if (all->segments[i].e->desc->mode & SHM_DEST)
			return err_set(err, -EOPNOTSUPP,
				       "System V segment %u was removed while attached, in an IPC "
				       "namespace that is not the root task's: it can't be rebuilt",
				       all->segments[i].e->desc->id);
	return 0;
}

int sysv_load(struct restore *r, uint32_t id, struct sysv_needs *ret_needs, struct error *err)
{
	struct sysv_needs needs = { 0 };
	struct rsysv *all = r->sysv;
	int ret = 0;

	all->first_queue = all->n_queues;
	all->first_set = all->n_sets;
	if (id != r->root->ids->ipc_ns_id) {
		all->first_segment = all->n_segments;
		ret = load_segments(r, id, err);
		if (ret >= 0)
			ret = check_nested(all, err);
	}
	if (ret >= 0)
		ret = load_queues(r, id, &needs, err);
	if (ret >= 0)
		ret = load_sets(r, id, &needs, err);
	needs.segments = all->n_segments - all->first_segment;
	needs.queues = all->n_queues - all->first_queue;
	needs.sets = all->n_sets - all->first_set;
	*ret_needs = needs;
	return ret < 0 ? ret : 0;
}

/* ------------------------------------------------------------------- planning */

static void tape_ids(struct tape *tape, uint32_t uid, uint32_t gid)
{
	tape_call(tape, SYS_setresgid, TAPE_ARGS(tape_imm(~0u), tape_imm(gid), tape_imm(~0u)),
		  "acting for group %u", gid);
	tape_call(tape, SYS_setresuid, TAPE_ARGS(tape_imm(~0u), tape_imm(uid), tape_imm(~0u)),
		  "acting for user %u", uid);
}

/* The call that makes an object, with the id and the creator it had. */
static int tape_create(struct restore *r, struct tape *tape, const char *what, long nr,
		       const struct tape_arg args[3], const IpcDescEntry *desc, struct error *err)
{
	bool as_other = desc->cuid != userns_own_uid(r) || desc->cgid != userns_own_gid(r);
	char name[32];
	char id[16];
	uint32_t entry;
	int ret;

	(void)snprintf(name, sizeof(name), "kernel/%s_next_id", what);
	(void)snprintf(id, sizeof(id), "%u", desc->id);
	ret = ipc_tape_setting(r, tape, name, id, err);
	if (ret < 0)
		return ret;
	if (as_other)
		tape_ids(tape, desc->cuid, desc->cgid);
	entry = tape_call(tape, (uint32_t)nr, TAPE_ARGS(args[0], args[1], args[2]),
			  "making System V object '%s' %u, key %#x", what, desc->id, desc->key);
	tape_expect(tape, entry, PIE_RULE_EQUAL, desc->id);
	if (as_other) {
		tape_call(tape, SYS_setresuid,
			  TAPE_ARGS(tape_imm(~0u), tape_imm(userns_own_uid(r)), tape_imm(~0u)),
			  "acting for itself again");
		tape_call(tape, SYS_setresgid,
			  TAPE_ARGS(tape_imm(~0u), tape_imm(userns_own_gid(r)), tape_imm(~0u)),
			  "acting for itself again");
		tree_tape_pdeathsig(r, r->root); /* other ids took it away */
	}
	return 0;
}

static uint64_t create_flags(const IpcDescEntry *desc)
{
	return IPC_CREAT | IPC_EXCL | (desc->mode & RIGHTS);
}

static void set_perm(struct ipc_perm *perm, const IpcDescEntry *desc)
{
	perm->uid = desc->uid;
	perm->gid = desc->gid;
	perm->mode = desc->mode & RIGHTS;
}

/* Addresses where R attaches one segment after the other; those of a namespace at a time. */
static int get_window(struct restore *r, uint64_t *ret_at, struct error *err)
{
	struct rsysv *all = r->sysv;
	uint64_t size = 0;
	void *at;

	for (size_t i = all->first_segment; i < all->n_segments; i++)
		if (size < rsegment_size(&all->segments[i]))
			size = rsegment_size(&all->segments[i]);
	size += ALIGNMENT;
	if (all->window_size < size && all->n_windows == ARRAY_SIZE(all->windows))
		return err_set(err, -E2BIG, "more than %zu IPC namespaces with shared memory",
			       ARRAY_SIZE(all->windows));
	if (all->window_size < size) {
		at = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
			  0);
		if (at == MAP_FAILED)
			return err_sys(err, "find %" PRIu64 " bytes of free addresses", size);
		all->windows[all->n_windows].iov_base = at;
		all->windows[all->n_windows++].iov_len = size;
		all->window_size = size;
	}
	*ret_at = ((uint64_t)(uintptr_t)all->windows[all->n_windows - 1].iov_base + ALIGNMENT - 1) &
		  ~(ALIGNMENT - 1);
	return 0;
}

static int tape_content(struct restore *r, struct tape *tape, const struct rsegment *s,
			struct error *err)
{
	const IpcDescEntry *desc = s->e->desc;
	int staging = fd_stage(r, err);
	uint64_t window = 0;
	char path[64];
	uint32_t entry;
	int ret;

	if (staging < 0)
		return staging;
	ret = get_window(r, &window, err);
	if (ret < 0)
		return ret;
	entry = tape_call(tape, SYS_shmat,
			  TAPE_ARGS(tape_imm(desc->id), tape_imm(window), tape_imm(SHM_REMAP)),
			  "attaching segment %u to fill it", desc->id);
	tape_expect(tape, entry, PIE_RULE_EQUAL, (int64_t)window);
	(void)snprintf(path, sizeof(path), "self/map_files/%" PRIx64 "-%" PRIx64, window,
		       window + rsegment_size(s)); /* always fits */
	entry = tape_call(tape, SYS_openat,
			  TAPE_ARGS(tape_imm((uint64_t)r->proc_fd),
				    tape_at(area_add_string(&r->area, path)), tape_imm(O_RDWR)),
			  "opening the file behind segment %u", desc->id);
	fd_tape_stage(tape, entry, staging);
	tape_call(tape, SYS_shmdt, TAPE_ARGS(tape_imm(window)), "detaching segment %u", desc->id);
	return shmem_tape_fill(r, desc->id, s->e->size, staging,
			       s->e->has_hugetlb_flag ? s->e->hugetlb_flag : 0, err);
}

static int tape_segment(struct restore *r, struct tape *tape, const struct rsegment *s,
			struct error *err)
{
	const IpcDescEntry *desc = s->e->desc;
	uint64_t huge = s->e->has_hugetlb_flag ? s->e->hugetlb_flag : 0;
	struct shmid_ds ds = { .shm_segsz = s->e->size };
	const struct tape_arg args[] = { tape_imm(desc->key), tape_imm(s->e->size),
					 tape_imm(create_flags(desc) | huge) };
	int ret = tape_create(r, tape, "shm", SYS_shmget, args, desc, err);

	if (ret < 0)
		return ret;
	set_perm(&ds.shm_perm, desc);
	tape_call(tape, SYS_shmctl,
		  TAPE_ARGS(tape_imm(desc->id), tape_imm(IPC_SET),
			    tape_at(area_add(&r->area, &ds, sizeof(ds)))),
		  "owner of shared memory segment %u", desc->id);
	if (desc->mode & SHM_LOCKED)
		tape_call(tape, SYS_shmctl, TAPE_ARGS(tape_imm(desc->id), tape_imm(SHM_LOCK)),
			  "locking shared memory segment %u", desc->id);
	return tape_content(r, tape, s, err);
}

static void tape_queue_limits(struct restore *r, struct tape *tape, const struct rqueue *q,
			      uint64_t bytes)
{
	struct msqid_ds ds = { .msg_qbytes = bytes };

	set_perm(&ds.msg_perm, q->e->desc);
	tape_call(tape, SYS_msgctl,
		  TAPE_ARGS(tape_imm(q->e->desc->id), tape_imm(IPC_SET),
			    tape_at(area_add(&r->area, &ds, sizeof(ds)))),
		  "owner and size of message queue %u", q->e->desc->id);
}

static int tape_queue(struct restore *r, struct tape *tape, const struct rqueue *q,
		      struct error *err)
{
	const IpcDescEntry *desc = q->e->desc;
	const struct tape_arg args[] = { tape_imm(desc->key), tape_imm(create_flags(desc)),
					 tape_imm(0) };
	uint64_t needed = q->bytes > q->e->qbytes ? q->bytes : q->e->qbytes;
	int ret = tape_create(r, tape, "msg", SYS_msgget, args, desc, err);

	if (ret < 0)
		return ret;
	tape_queue_limits(r, tape, q, needed > q->e->qnum ? needed : q->e->qnum);
	for (uint32_t i = 0; i < q->e->qnum; i++)
		tape_call(tape, SYS_msgsnd,
			  TAPE_ARGS(tape_imm(desc->id), tape_at(q->messages[i].at),
				    tape_imm(q->messages[i].size), tape_imm(IPC_NOWAIT)),
			  "message %u of queue %u", i, desc->id);
	tape_queue_limits(r, tape, q, q->e->qbytes);
	return 0;
}

static int tape_set(struct restore *r, struct tape *tape, const struct rset *s, struct error *err)
{
	const IpcDescEntry *desc = s->e->desc;
	struct semid_ds ds = { .sem_nsems = s->e->nsems };
	const struct tape_arg args[] = { tape_imm(desc->key), tape_imm(s->e->nsems),
					 tape_imm(create_flags(desc)) };
	int ret = tape_create(r, tape, "sem", SYS_semget, args, desc, err);

	if (ret < 0)
		return ret;
	set_perm(&ds.sem_perm, desc);
	tape_call(tape, SYS_semctl,
		  TAPE_ARGS(tape_imm(desc->id), tape_imm(0), tape_imm(IPC_SET),
			    tape_at(area_add(&r->area, &ds, sizeof(ds)))),
		  "owner of semaphore set %u", desc->id);
	tape_call(tape, SYS_semctl,
		  TAPE_ARGS(tape_imm(desc->id), tape_imm(0), tape_imm(SETALL), tape_at(s->values)),
		  "values of semaphore set %u", desc->id);
	return 0;
}

int sysv_tape(struct restore *r, struct tape *tape, struct error *err)
{
	const struct rsysv *all = r->sysv;
	int ret = 0;

	for (size_t i = all->first_segment; i < all->n_segments && ret >= 0; i++)
		ret = tape_segment(r, tape, &all->segments[i], err);
	for (size_t i = all->first_queue; i < all->n_queues && ret >= 0; i++)
		ret = tape_queue(r, tape, &all->queues[i], err);
	for (size_t i = all->first_set; i < all->n_sets && ret >= 0; i++)
		ret = tape_set(r, tape, &all->sets[i], err);
	return ret;
}
