/*
 * ids: which tasks share a kernel object, and whose namespaces are whose.
 *
 * kcmp(2) tells for address space, descriptor table, fs_struct and signal
 * handlers; equal numbers in the images mean shared. A namespace is known by
 * the inode of /proc/PID/ns/X. The caller's own ones have numbers too: by
 * them a restore knows what was not part of the tree.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <linux/kcmp.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/log.h"
#include "ckpt/dump-priv.h"
#include "img/pb/inventory.pb-c.h"

static const char *const ns_names[DUMP_N_NS] = {
	[DUMP_NS_PID] = "pid",	 [DUMP_NS_NET] = "net",	      [DUMP_NS_IPC] = "ipc",
	[DUMP_NS_UTS] = "uts",	 [DUMP_NS_TIME] = "time",     [DUMP_NS_MNT] = "mnt",
	[DUMP_NS_USER] = "user", [DUMP_NS_CGROUP] = "cgroup",
};

/* 0 when the kernel has no such namespaces. */
static int ns_ino(pid_t host_pid, const char *name, uint64_t *ret, struct error *err)
{
	char path[64];
	struct stat st;

	(void)snprintf(path, sizeof(path), "/proc/%d/ns/%s", host_pid, name); /* always fits */
	if (stat(path, &st) < 0) {
		if (errno != ENOENT)
			return err_sys(err, "stat '%s'", path);
		st.st_ino = 0;
	}
	*ret = st.st_ino;
	return 0;
}

int dump_ns_look(struct dump *dump, struct error *err)
{
	uint32_t next = 1;
	int r;

	for (size_t i = 0; i < DUMP_N_NS; i++) {
		struct dump_ns_info *ns = &dump->ns[i];

		r = ns_ino(getpid(), ns_names[i], &ns->own_ino, err);
		if (r < 0)
			return r;
		r = ns_ino(dump->opts->pid, ns_names[i], &ns->root_ino, err);
		if (r < 0)
			return r;
		ns->own_id = next++;
	}
	for (size_t i = 0; i < DUMP_N_NS; i++) {
		struct dump_ns_info *ns = &dump->ns[i];

		ns->other = ns->root_ino != ns->own_ino;
		ns->root_id = ns->other ? next++ : ns->own_id;
	}
	dump->last_ns_id = next - 1;
	return 0;
}

/*
 * Kinds of which a tree may have several. The others: a process id has one
 * number in the images, a user namespace decides about all ids in them, and a
 * time namespace can't be entered by who is in it already.
 */
static bool may_nest(const struct dump *dump, enum dump_ns kind)
{
	switch (kind) {
	case DUMP_NS_MNT:
		return dump->ns[DUMP_NS_MNT].other; /* else the host's mounts would be saved */
	case DUMP_NS_UTS:
	case DUMP_NS_IPC:
		return true;
	default:
		return false;
	}
}

static int nested_id(struct dump *dump, enum dump_ns kind, uint64_t ino,
		     const struct dump_task *task, uint32_t *ret_id, struct error *err)
{
	struct dump_nested **at = &dump->nested;
	struct dump_nested *nested;

	for (; *at; at = &(*at)->next) {
		if ((*at)->kind == kind && (*at)->ino == ino) {
			*ret_id = (*at)->id;
			return 0;
		}
	}
	if (!may_nest(dump, kind))
		return err_set(err, -EOPNOTSUPP,
			       "task %d: it has another %s namespace than task %d: this "
			       "version can't save nested ones",
			       task->host_pid, ns_names[kind], dump->opts->pid);
	nested = arena_new(&dump->arena, struct dump_nested);
	if (!nested)
		return err_oom(err);
	*nested = (struct dump_nested){
		.kind = kind, .ino = ino, .id = ++dump->last_ns_id, .host_pid = task->host_pid
	};
	*at = nested;
	*ret_id = nested->id;
	return 0;
}

/* Children that are yet to be born must be where their parent is. */
static int check_future(struct dump *dump, const struct dump_task *task, struct error *err)
{
	static const struct {
		const char *name;
		enum dump_ns kind;
	} future[] = { { "pid_for_children", DUMP_NS_PID }, { "time_for_children", DUMP_NS_TIME } };

	for (size_t i = 0; i < ARRAY_SIZE(future); i++) {
		uint64_t ino;
		int r = ns_ino(task->host_pid, future[i].name, &ino, err);

		if (r < 0)
			return r;
		if (ino && ino != dump->ns[future[i].kind].root_ino)
			return err_set(err, -EOPNOTSUPP,
				       "task %d: its children will have another %s namespace",
				       task->host_pid, ns_names[future[i].kind]);
	}
	return 0;
}

static void set_ns_ids(const struct dump *dump, const uint32_t ids[DUMP_N_NS],
		       TaskKobjIdsEntry *entry)
{
	struct {
		protobuf_c_boolean *has;
		uint32_t *id;
	} fields[DUMP_N_NS] = {
		[DUMP_NS_PID] = { &entry->has_pid_ns_id, &entry->pid_ns_id },
		[DUMP_NS_NET] = { &entry->has_net_ns_id, &entry->net_ns_id },
		[DUMP_NS_IPC] = { &entry->has_ipc_ns_id, &entry->ipc_ns_id },
		[DUMP_NS_UTS] = { &entry->has_uts_ns_id, &entry->uts_ns_id },
		[DUMP_NS_TIME] = { &entry->has_time_ns_id, &entry->time_ns_id },
		[DUMP_NS_MNT] = { &entry->has_mnt_ns_id, &entry->mnt_ns_id },
		[DUMP_NS_USER] = { &entry->has_user_ns_id, &entry->user_ns_id },
		[DUMP_NS_CGROUP] = { &entry->has_cgroup_ns_id, &entry->cgroup_ns_id },
	};

	for (size_t i = 0; i < DUMP_N_NS; i++) {
		if (!dump->ns[i].root_ino)
			continue;
		*fields[i].has = true;
		*fields[i].id = ids[i];
	}
}

static int look_namespaces(struct dump *dump, const struct dump_task *task, struct error *err)
{
	uint32_t ids[DUMP_N_NS];

	for (size_t i = 0; i < DUMP_N_NS; i++) {
		uint64_t ino;
		int r = ns_ino(task->host_pid, ns_names[i], &ino, err);

		ids[i] = dump->ns[i].root_id;
		if (r == 0 && ino != dump->ns[i].root_ino)
			r = nested_id(dump, (enum dump_ns)i, ino, task, &ids[i], err);
		if (r < 0)
			return r;
	}
	set_ns_ids(dump, ids, task->ids);
	return check_future(dump, task, err);
}

/* Ordered by what the kernel says of two tasks; the trees below hold tasks. */
static int compare(pid_t a, pid_t b, int type, int *failed)
{
	long r = a == b ? 0 : syscall(SYS_kcmp, a, b, type, 0, 0);

	if (r < 0)
		*failed = errno;
	return r == 1 ? -1 : r == 2 ? 1 : 0;
}

/*
 * Tasks sorted by the kernel's order of their objects; a binary search finds
 * the one that shares it.
 */
struct shared {
	int type;
	size_t n;
	const struct dump_task **tasks;
	uint32_t *ids;
	uint32_t next;
};

/* 1: first with that object; 0: another has it too. */
static int shared_id(struct shared *shared, const struct dump_task *task, uint32_t *ret_id,
		     struct error *err)
{
	size_t low = 0;
	size_t high = shared->n;
	int failed = 0;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		int order = compare(task->host_pid, shared->tasks[mid]->host_pid, shared->type,
				    &failed);

		if (failed)
			return err_set(err, -failed, "compare tasks %d and %d: %s", task->host_pid,
				       shared->tasks[mid]->host_pid, strerror(failed));
		if (order == 0) {
			*ret_id = shared->ids[mid];
			return 0;
		}
		if (order < 0)
			high = mid;
		else
			low = mid + 1;
	}
	memmove(&shared->tasks[low + 1], &shared->tasks[low],
		(shared->n - low) * sizeof(*shared->tasks));
	memmove(&shared->ids[low + 1], &shared->ids[low], (shared->n - low) * sizeof(*shared->ids));
	shared->tasks[low] = task;
	shared->ids[low] = shared->next++;
	shared->n++;
	*ret_id = shared->ids[low];
	return 1;
}

static int shared_init(struct dump *dump, struct shared *shared, int type, struct error *err)
{
	*shared = (struct shared){
		.type = type,
		.tasks = arena_new_array(&dump->arena, const struct dump_task *, dump->n_tasks + 1),
		.ids = arena_new_array(&dump->arena, uint32_t, dump->n_tasks + 1),
		.next = 2, /* 1 is the caller itself */
	};
	return shared->tasks && shared->ids ? 0 : err_oom(err);
}

static int refuse_shared(const struct dump_task *task, const char *what, struct error *err)
{
	return err_set(err, -EOPNOTSUPP,
		       "task %d: it shares its %s with another process: this version can't "
		       "save that",
		       task->host_pid, what);
}

int dump_ids_collect(struct dump *dump, struct error *err)
{
	struct shared vm;
	struct shared files;
	struct shared fs;
	struct shared sighand;
	int r;

	r = shared_init(dump, &vm, KCMP_VM, err);
	if (r == 0)
		r = shared_init(dump, &files, KCMP_FILES, err);
	if (r == 0)
		r = shared_init(dump, &fs, KCMP_FS, err);
	if (r == 0)
		r = shared_init(dump, &sighand, KCMP_SIGHAND, err);
	if (r < 0)
		return r;

	for (size_t i = 0; i < dump->n_tasks; i++) {
		struct dump_task *task = &dump->tasks[i];

		if (task->state == DUMP_TASK_DEAD)
			continue;
		task->ids = arena_new(&dump->arena, TaskKobjIdsEntry);
		if (!task->ids)
			return err_oom(err);
		task_kobj_ids_entry__init(task->ids);
		r = look_namespaces(dump, task, err);
		if (r < 0)
			return r;
		r = shared_id(&vm, task, &task->ids->vm_id, err);
		if (r <= 0)
			return r < 0 ? r : refuse_shared(task, "memory", err);
		r = shared_id(&fs, task, &task->ids->fs_id, err);
		if (r <= 0)
			return r < 0 ? r : refuse_shared(task, "current directory", err);
		r = shared_id(&sighand, task, &task->ids->sighand_id, err);
		if (r <= 0)
			return r < 0 ? r : refuse_shared(task, "signal handlers", err);
		r = shared_id(&files, task, &task->ids->files_id, err);
		if (r <= 0) /* a restore could not make that */
			return r < 0 ? r : refuse_shared(task, "descriptors", err);
		task->own_files = r > 0;
	}
	return 0;
}

int dump_ids_write(struct dump *dump, struct error *err)
{
	int r = 0;

	for (size_t i = 0; i < dump->n_tasks && r == 0; i++) {
		if (dump->tasks[i].ids)
			r = dump_image_one(dump, IMG_KIND_IDS, (uint64_t)dump->tasks[i].ns_pid,
					   &dump->tasks[i].ids->base, err);
	}
	return r;
}

/*
 * root_ids are those of the dumping process itself: a namespace of the tree
 * with the same number was not saved.
 */
int dump_inventory_write(struct dump *dump, struct error *err)
{
	InventoryEntry inventory = INVENTORY_ENTRY__INIT;
	TaskKobjIdsEntry ids = TASK_KOBJ_IDS_ENTRY__INIT;
	PluginsEntry plugins = PLUGINS_ENTRY__INIT;
	uint32_t own[DUMP_N_NS];

	for (size_t i = 0; i < DUMP_N_NS; i++)
		own[i] = dump->ns[i].own_id;
	ids.vm_id = 1;
	ids.files_id = 1;
	ids.fs_id = 1;
	ids.sighand_id = 1;
	set_ns_ids(dump, own, &ids);
	inventory.img_version = 2; /* each file opens with the common magic */
	inventory.has_fdinfo_per_id = true;
	inventory.fdinfo_per_id = true;
	inventory.root_ids = &ids;
	inventory.has_ns_per_id = true;
	inventory.ns_per_id = true;
	inventory.has_root_cg_set = true;
	inventory.root_cg_set = dump->own_cg_set;
	inventory.has_lsmtype = true;
	inventory.lsmtype = LSMTYPE__NO_LSM;
	inventory.has_network_lock_method = true;
	inventory.network_lock_method = 0;
	if (dump->opts->tcp_close) {
		inventory.has_tcp_close = true;
		inventory.tcp_close = true;
	}
	inventory.plugins_entry = &plugins;
	return dump_image_one(dump, IMG_KIND_INVENTORY, 0, &inventory.base, err);
}
