/*
 * namespaces: contents of uts, ipc and time namespaces.
 *
 * The uts and ipc ones are entered for a moment with setns(2); what the
 * kernel says there is about them. A time namespace need not be entered: its
 * offsets stand in /proc/PID/timens_offsets.
 */
#include "ckpt/namespaces.h"

#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "ckpt/dump-priv.h"
#include "ckpt/netns.h"
#include "img/pb/ipc-var.pb-c.h"
#include "img/pb/netdev.pb-c.h"
#include "img/pb/timens.pb-c.h"
#include "img/pb/utsns.pb-c.h"

static bool is_empty_ns(const struct dump *dump, const char *name)
{
	for (char *const *p = dump->opts->empty_ns; p && *p; p++) {
		if (!strcmp(*p, name))
			return true;
	}
	return false;
}

/* CRIU takes the inode of the namespace as its name. */
static const struct external *external_net(const struct dump *dump)
{
	char ino[32];

	(void)snprintf(ino, sizeof(ino), "%" PRIu64, dump->ns[DUMP_NS_NET].root_ino);
	return externals_find(&dump->externals, "net", ino);
}

static int check_pid(struct dump *dump, struct error *err)
{
	struct proc_status status;
	pid_t inner;
	int r;

	if (!dump->ns[DUMP_NS_PID].other)
		return 0;
	r = proc_status_of(dump->opts->pid, &status, err);
	if (r < 0)
		return r;
	inner = proc_ids_inner(&status.ns_pid);
	proc_status_done(&status);
	if (inner == 1)
		return 0;
	r = err_set(err, -EOPNOTSUPP,
		    "task %d: it is process %d of its PID namespace, not the first one",
		    dump->opts->pid, inner);
	err_hint(err, "dump the tree of the namespace's process 1");
	return r;
}

int namespaces_check(struct dump *dump, struct error *err)
{
	if (dump->ns[DUMP_NS_USER].other)
		return err_set(err, -EOPNOTSUPP,
			       "task %d: it has a user namespace of its own: this version can't "
			       "save that",
			       dump->opts->pid);
	return check_pid(dump, err);
}

/* ---- clocks ---- */

/* Nanoseconds to be added to the initial namespace's clocks; 0 without such a file. */
static int read_offsets(pid_t host_pid, int64_t *ret_monotonic, int64_t *ret_boottime,
			struct error *err)
{
	cleanup_free char *text = NULL;
	char path[64];
	size_t len;
	int r;

	*ret_monotonic = 0;
	*ret_boottime = 0;
	(void)snprintf(path, sizeof(path), "/proc/%d/timens_offsets", host_pid);
	r = file_read_at(AT_FDCWD, path, 4096, &text, &len, err);
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return r;
	for (const char *p = text; *p;) {
		const char *end = strchrnul(p, '\n');
		char name[16];
		int64_t seconds;
		int64_t ns;

		if (sscanf(p, "%15s %" SCNd64 " %" SCNd64, name, &seconds, &ns) != 3)
			return err_set(err, -EBADMSG, "'%s': '%.*s'", path, (int)(end - p), p);
		if (!strcmp(name, "monotonic"))
			*ret_monotonic = seconds * (int64_t)NS_PER_SEC + ns;
		else if (!strcmp(name, "boottime"))
			*ret_boottime = seconds * (int64_t)NS_PER_SEC + ns;
		p = *end ? end + 1 : end;
	}
	return 0;
}

static int clock_there(clockid_t clock, int64_t own_offset, int64_t offset, Timespec *ret,
		       struct error *err)
{
	struct timespec now;
	int64_t ns;

	if (clock_gettime(clock, &now) < 0)
		return err_sys(err, "read clock %d", (int)clock);
	ns = (int64_t)now.tv_sec * (int64_t)NS_PER_SEC + now.tv_nsec - own_offset + offset;
	timespec__init(ret);
	ret->tv_sec = (uint64_t)(ns / (int64_t)NS_PER_SEC);
	ret->tv_nsec = (uint64_t)(ns % (int64_t)NS_PER_SEC);
	return 0;
}

/*
 * The clocks as the tree sees them at this moment. A tree without a time
 * namespace of its own has them under number 0.
 */
static int write_clocks(struct dump *dump, struct error *err)
{
	const struct dump_ns_info *ns = &dump->ns[DUMP_NS_TIME];
	TimensEntry entry = TIMENS_ENTRY__INIT;
	Timespec monotonic;
	Timespec boottime;
	int64_t own_mono;
	int64_t own_boot;
	int64_t mono;
	int64_t boot;
	int r;

	r = read_offsets(getpid(), &own_mono, &own_boot, err);
	if (r == 0)
		r = read_offsets(dump->opts->pid, &mono, &boot, err);
	if (r == 0)
		r = clock_there(CLOCK_MONOTONIC, own_mono, mono, &monotonic, err);
	if (r == 0)
		r = clock_there(CLOCK_BOOTTIME, own_boot, boot, &boottime, err);
	if (r < 0)
		return r;
	entry.monotonic = &monotonic;
	entry.boottime = &boottime;
	return dump_image_one(dump, IMG_KIND_TIMENS, ns->other ? ns->root_id : 0, &entry.base, err);
}

/* ---- uts ---- */

static int write_uts(struct dump *dump, uint32_t id, struct error *err)
{
	UtsnsEntry entry = UTSNS_ENTRY__INIT;
	struct utsname name;

	if (uname(&name) < 0)
		return err_sys(err, "host name of the tree");
	entry.nodename = name.nodename;
	entry.domainname = name.domainname;
	return dump_image_one(dump, IMG_KIND_UTSNS, id, &entry.base, err);
}

/* ---- ipc ---- */

/* Up to `n` numbers; false: this kernel has no such setting. */
static bool read_sysctl(const char *name, uint64_t *values, size_t n)
{
	cleanup_free char *text = NULL;
	char path[64];
	char *p;
	char *end;
	size_t len;

	(void)snprintf(path, sizeof(path), "/proc/sys/%s", name); /* names are short */
	if (file_read_at(AT_FDCWD, path, 4096, &text, &len, NULL) < 0)
		return false;
	p = text;
	for (size_t i = 0; i < n; i++) {
		values[i] = strtoull(p, &end, 10);
		if (end == p)
			return false;
		p = end;
	}
	return true;
}

static bool read_u32(const char *name, uint32_t *ret)
{
	uint64_t value;

	if (!read_sysctl(name, &value, 1))
		return false;
	*ret = (uint32_t)value;
	return true;
}

static int write_ipc_settings(struct dump *dump, uint32_t id, struct error *err)
{
	IpcVarEntry entry = IPC_VAR_ENTRY__INIT;
	uint64_t sem[4] = { 0 };
	uint32_t sem_words[4];
	const struct {
		const char *name;
		uint32_t *value;
	} required[] = {
		{ "kernel/msgmax", &entry.msg_ctlmax },
		{ "kernel/msgmnb", &entry.msg_ctlmnb },
		{ "kernel/msgmni", &entry.msg_ctlmni },
		{ "kernel/auto_msgmni", &entry.auto_msgmni },
		{ "kernel/shmmni", &entry.shm_ctlmni },
		{ "kernel/shm_rmid_forced", &entry.shm_rmid_forced },
		{ "fs/mqueue/queues_max", &entry.mq_queues_max },
		{ "fs/mqueue/msg_max", &entry.mq_msg_max },
		{ "fs/mqueue/msgsize_max", &entry.mq_msgsize_max },
	};

	for (size_t i = 0; i < ARRAY_SIZE(required); i++) {
		if (!read_u32(required[i].name, required[i].value))
			return err_set(err, -EOPNOTSUPP, "ipc namespace: no setting '%s'",
				       required[i].name);
	}
	if (!read_sysctl("kernel/sem", sem, ARRAY_SIZE(sem)) ||
	    !read_sysctl("kernel/shmmax", &entry.shm_ctlmax, 1) ||
	    !read_sysctl("kernel/shmall", &entry.shm_ctlall, 1))
		return err_set(err, -EOPNOTSUPP,
			       "ipc namespace: no setting 'kernel/sem', "
			       "'kernel/shmmax' or 'kernel/shmall'");
	for (size_t i = 0; i < ARRAY_SIZE(sem); i++)
		sem_words[i] = (uint32_t)sem[i];
	entry.sem_ctls = sem_words;
	entry.n_sem_ctls = ARRAY_SIZE(sem_words);
	entry.has_mq_msg_default = read_u32("fs/mqueue/msg_default", &entry.mq_msg_default);
	entry.has_mq_msgsize_default =
		read_u32("fs/mqueue/msgsize_default", &entry.mq_msgsize_default);
	/* The kernel's -1, "no wish", can't be written back. */
	entry.has_msg_next_id = read_u32("kernel/msg_next_id", &entry.msg_next_id) &&
				entry.msg_next_id != UINT32_MAX;
	entry.has_sem_next_id = read_u32("kernel/sem_next_id", &entry.sem_next_id) &&
				entry.sem_next_id != UINT32_MAX;
	entry.has_shm_next_id = read_u32("kernel/shm_next_id", &entry.shm_next_id) &&
				entry.shm_next_id != UINT32_MAX;
	return dump_image_one(dump, IMG_KIND_IPC_VAR, id, &entry.base, err);
}

/* msgctl(2), semctl(2) and shmctl(2) with the INFO commands count what is in use. */
static int check_ipc_objects(struct error *err)
{
	struct msginfo msg;
	struct seminfo sem;
	struct shm_info shm;

	if (msgctl(0, MSG_INFO, (struct msqid_ds *)(void *)&msg) < 0)
		return err_sys(err, "count message queues");
	if (semctl(0, 0, SEM_INFO, &sem) < 0)
		return err_sys(err, "count semaphores");
	if (shmctl(0, SHM_INFO, (struct shmid_ds *)(void *)&shm) < 0)
		return err_sys(err, "count shared memory segments");
	if (msg.msgpool || sem.semusz || shm.used_ids)
		return err_set(err, -EOPNOTSUPP,
			       "ipc namespace: it has %d System V message queues, %d semaphore "
			       "sets and %d shared memory segments: this version can't save them",
			       msg.msgpool, sem.semusz, shm.used_ids);
	return 0;
}

static int write_ipc(struct dump *dump, uint32_t id, struct error *err)
{
	const enum img_kind empty[] = { IMG_KIND_IPC_SHM, IMG_KIND_IPC_MSG, IMG_KIND_IPC_SEM };
	int r;

	r = check_ipc_objects(err);
	if (r == 0)
		r = write_ipc_settings(dump, id, err);
	for (size_t i = 0; i < ARRAY_SIZE(empty) && r == 0; i++) {
		cleanup_image struct image image = IMAGE_INIT;

		r = dump_image_create(dump, &image, empty[i], id, err);
		if (r == 0)
			r = image_finish(&image, err);
	}
	return r;
}

/* ---- visits ---- */

static const struct visit {
	enum dump_ns kind;
	const char *name;
	int flag;
	int (*look)(struct dump *, uint32_t id, struct error *);
} visits[] = {
	{ DUMP_NS_UTS, "uts", CLONE_NEWUTS, write_uts },
	{ DUMP_NS_IPC, "ipc", CLONE_NEWIPC, write_ipc },
	{ DUMP_NS_NET, "net", CLONE_NEWNET, netns_write },
};

static const struct visit *visit_of(enum dump_ns kind)
{
	size_t i = 0;

	while (visits[i].kind != kind)
		i++;
	return &visits[i];
}

/* Goes there, looks, comes back. Not to come back is worse than any failure. */
static int visit(struct dump *dump, const struct visit *v, pid_t host_pid, uint32_t id,
		 struct error *err)
{
	cleanup_fd int own = -EBADF;
	cleanup_fd int there = -EBADF;
	char path[64];
	int r;

	(void)snprintf(path, sizeof(path), "/proc/self/ns/%s", v->name);
	own = open(path, O_RDONLY | O_CLOEXEC);
	if (own < 0)
		return err_sys(err, "open '%s'", path);
	(void)snprintf(path, sizeof(path), "/proc/%d/ns/%s", host_pid, v->name);
	there = open(path, O_RDONLY | O_CLOEXEC);
	if (there < 0)
		return err_sys(err, "open '%s'", path);
	if (setns(there, v->flag) < 0)
		return err_sys(err, "enter the %s namespace of task %d", v->name, host_pid);
	r = v->look(dump, id, err);
	if (setns(own, v->flag) < 0) {
		log_warn("could not leave the %s namespace of task %d: %s", v->name, host_pid,
			 strerror(errno));
		return err_sys(err, "leave the %s namespace of task %d", v->name, host_pid);
	}
	return r;
}

/* The root task's namespace of that kind, and the others in the tree. */
static int visit_all(struct dump *dump, const struct visit *v, struct error *err)
{
	int r = 0;

	if (dump->ns[v->kind].other)
		r = visit(dump, v, dump->opts->pid, dump->ns[v->kind].root_id, err);
	for (const struct dump_nested *n = dump->nested; n && r == 0; n = n->next) {
		if (n->kind == v->kind)
			r = visit(dump, v, n->host_pid, n->id, err);
	}
	return r;
}

static int write_net(struct dump *dump, struct error *err)
{
	const struct external *net = external_net(dump);
	NetnsEntry entry = NETNS_ENTRY__INIT;

	if (!net && is_empty_ns(dump, "net"))
		return 0;
	if (!net)
		return visit_all(dump, visit_of(DUMP_NS_NET), err);
	entry.ext_key = (char *)(net->value ? net->value : net->name);
	return dump_image_one(dump, IMG_KIND_NETNS, dump->ns[DUMP_NS_NET].root_id, &entry.base,
			      err);
}

int namespaces_write(struct dump *dump, struct error *err)
{
	int r;

	r = write_clocks(dump, err);
	if (r == 0)
		r = visit_all(dump, visit_of(DUMP_NS_UTS), err);
	if (r == 0)
		r = visit_all(dump, visit_of(DUMP_NS_IPC), err);
	if (r == 0 && dump->ns[DUMP_NS_NET].other)
		r = write_net(dump, err);
	return r;
}
