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
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "ckpt/dump-priv.h"
#include "ckpt/ipc.h"
#include "ckpt/netns.h"
#include "ckpt/sysv.h"
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
	if (dump->ns[DUMP_NS_USER].other && !dump->ns[DUMP_NS_PID].other)
		return err_set(err, -EOPNOTSUPP,
			       "task %d: it has a user namespace of its own, but no PID namespace: "
			       "nobody in there may choose process ids on restore",
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

/* ---- visits ---- */

static const struct visit {
	enum dump_ns kind;
	const char *name;
	int flag;
	int (*look)(struct dump *, uint32_t id, struct error *);
	int (*ahead)(struct dump *, uint32_t id, struct error *); /* before the freeze; or NULL */
} visits[] = {
	{ DUMP_NS_UTS, "uts", CLONE_NEWUTS, write_uts, NULL },
	{ DUMP_NS_IPC, "ipc", CLONE_NEWIPC, ipc_write, ipc_open_ahead },
	{ DUMP_NS_NET, "net", CLONE_NEWNET, netns_write, netns_open_ahead },
};

static const struct visit *visit_of(enum dump_ns kind)
{
	size_t i = 0;

	while (visits[i].kind != kind)
		i++;
	return &visits[i];
}

/* Goes there, looks, comes back. Not to come back is worse than any failure. */
static int visit(struct dump *dump, const struct visit *v,
		 int (*look)(struct dump *, uint32_t, struct error *), pid_t host_pid, uint32_t id,
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
	r = look(dump, id, err);
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
		r = visit(dump, v, v->look, dump->opts->pid, dump->ns[v->kind].root_id, err);
	for (const struct dump_nested *n = dump->nested; n && r == 0; n = n->next) {
		if (n->kind == v->kind)
			r = visit(dump, v, v->look, n->host_pid, n->id, err);
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

static bool is_saved(const struct dump *dump, enum dump_ns kind)
{
	return dump->ns[kind].other &&
	       (kind != DUMP_NS_NET || (!external_net(dump) && !is_empty_ns(dump, "net")));
}

int namespaces_open_ahead(struct dump *dump, struct error *err)
{
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(visits) && r == 0; i++) {
		const struct visit *v = &visits[i];

		if (v->ahead && is_saved(dump, v->kind))
			r = visit(dump, v, v->ahead, dump->opts->pid, dump->ns[v->kind].root_id,
				  err);
	}
	return r;
}

int namespaces_write_ipc(struct dump *dump, struct error *err)
{
	int r = visit_all(dump, visit_of(DUMP_NS_IPC), err);

	/* What is in the namespace that the tree shares with us is not saved. */
	if (r == 0 && !dump->ns[DUMP_NS_IPC].other)
		r = sysv_note_sets(dump, dump->ns[DUMP_NS_IPC].root_id, err);
	return r < 0 ? r : sysv_check_undo(dump, err);
}

int namespaces_write(struct dump *dump, struct error *err)
{
	int r;

	r = write_clocks(dump, err);
	if (r == 0)
		r = visit_all(dump, visit_of(DUMP_NS_UTS), err);
	if (r == 0 && dump->ns[DUMP_NS_NET].other)
		r = write_net(dump, err);
	return r;
}
