#include "ckpt/ns-restore.h"

#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "ckpt/file-restore.h"
#include "ckpt/ipc.h"
#include "ckpt/netns.h"
#include "ckpt/restore-priv.h"
#include "ckpt/userns.h"
#include "img/image.h"
#include "img/pb/netdev.pb-c.h"
#include "img/pb/pidns.pb-c.h"
#include "img/pb/utsns.pb-c.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif

/* The key under which OCI runtimes hand over a network namespace. */
#define NET_KEY "extRootNetNS"

struct ns_kind {
	const char *name;
	uint64_t flag;
};

static const struct ns_kind kinds[] = {
	{ "pid", CLONE_NEWPID },   { "net", CLONE_NEWNET },	  { "ipc", CLONE_NEWIPC },
	{ "uts", CLONE_NEWUTS },   { "mnt", CLONE_NEWNS },	  { "user", CLONE_NEWUSER },
	{ "time", CLONE_NEWTIME }, { "cgroup", CLONE_NEWCGROUP },
};

uint32_t ns_id(const TaskKobjIdsEntry *ids, uint64_t flag)
{
	switch (flag) {
	case CLONE_NEWPID:
		return ids->pid_ns_id;
	case CLONE_NEWNET:
		return ids->net_ns_id;
	case CLONE_NEWIPC:
		return ids->ipc_ns_id;
	case CLONE_NEWUTS:
		return ids->uts_ns_id;
	case CLONE_NEWNS:
		return ids->mnt_ns_id;
	case CLONE_NEWUSER:
		return ids->user_ns_id;
	case CLONE_NEWTIME:
		return ids->time_ns_id;
	default:
		return ids->cgroup_ns_id;
	}
}

static int join_fd(const struct restore *r, const char *type)
{
	for (size_t i = 0; i < r->opts->n_join_ns; i++)
		if (strcmp(r->opts->join_ns[i].type, type) == 0)
			return r->opts->join_ns[i].fd;
	return -1;
}

/* A namespace that the caller hands over for the tree's own: -1 if there is none. */
static int net_fd(struct restore *r, int *ret_fd, struct error *err)
{
	NetnsEntry *entry = NULL;
	const char *key = NET_KEY;
	int ret = image_read_one(r->opts->images_dir, IMG_KIND_NETNS, r->root->ids->net_ns_id,
				 &r->arena, &entry, err);

	if (ret < 0 && ret != -ENOENT)
		return ret;
	if (ret >= 0 && entry->ext_key)
		key = entry->ext_key;
	*ret_fd = join_fd(r, "net");
	if (*ret_fd < 0)
		*ret_fd = inherit_find(r, key);
	if (*ret_fd < 0 && ret >= 0 && entry->ext_key) {
		ret = err_set(err, -EINVAL, "the network namespace was outside, with the key '%s'",
			      key);
		err_hint(err, "hand it over with --inherit-fd 'fd[N]:%s' or --join-ns net:FILE",
			 key);
		return ret;
	}
	return 0;
}

static int plan_kind(struct restore *r, const struct ns_kind *kind, struct error *err)
{
	uint32_t id = ns_id(r->root->ids, kind->flag);
	bool own = id && id != ns_id(r->inventory->root_ids, kind->flag);
	int fd = -1;
	int ret = 0;

	for (size_t i = 0; i < r->n_image_tasks; i++) {
		const struct rtask *t = r->tasks[i];

		if (t->ids && ns_id(t->ids, kind->flag) != id &&
		    !(kind->flag == CLONE_NEWNS ? own : ns_may_nest(kind->flag)))
			return err_set(err, -EOPNOTSUPP,
				       "task %u (%s) is in another %s namespace than the root",
				       t->pid, rtask_comm(t), kind->name);
	}
	if (kind->flag == CLONE_NEWTIME)
		return 0; /* the clocks are set in any case */
	if (kind->flag == CLONE_NEWNET && own)
		ret = net_fd(r, &fd, err);
	else
		fd = join_fd(r, kind->name);
	if (ret < 0)
		return ret;
	if (fd >= 0) {
		if (kind->flag & (CLONE_NEWPID | CLONE_NEWUSER | CLONE_NEWNS))
			return err_set(err, -EOPNOTSUPP,
				       "joining a %s namespace is not supported yet", kind->name);
		r->join_flags |= kind->flag;
		return 0;
	}
	if (!own)
		return 0;
	if (kind->flag == CLONE_NEWUSER) {
		ret = userns_load(r, err);
		if (ret < 0)
			return ret;
	}
	if (kind->flag == CLONE_NEWNET) {
		ret = netns_load(r, err);
		if (ret < 0)
			return ret;
	}
	if (kind->flag == CLONE_NEWCGROUP)
		r->new_cgroup_ns = true; /* not at birth: R is moved to its group first */
	else
		r->clone_flags |= kind->flag;
	return 0;
}

int ns_plan(struct restore *r, struct error *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		int ret = plan_kind(r, &kinds[i], err);

		if (ret < 0)
			return ret;
	}
	r->new_pid_ns = r->clone_flags & CLONE_NEWPID;
	r->new_mnt_ns = r->clone_flags & CLONE_NEWNS;
	if (r->userns && !r->new_pid_ns)
		return err_set(err, -EOPNOTSUPP,
			       "the tree has a user namespace of its own, but no PID namespace: "
			       "nobody in there may choose process ids");
	if (r->new_pid_ns && r->root->pid != 1)
		return err_set(err, -EOPNOTSUPP,
			       "the root of the tree has process id %u in its namespace, not 1",
			       r->root->pid);
	return 0;
}

int ns_proc_fd(struct restore *r, struct error *err)
{
	int fd;

	if (r->proc_fd >= 0)
		return r->proc_fd;
	fd = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(err, "open /proc");
	r->proc_fd = fd_stage_consume(r, fd, err);
	return r->proc_fd;
}

static int tape_join(struct restore *r, struct tape *tape, struct error *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		int fd = -1;
		int ret;

		if (!(r->join_flags & kinds[i].flag))
			continue;
		if (kinds[i].flag == CLONE_NEWNET) {
			ret = net_fd(r, &fd, err);
			if (ret < 0)
				return ret;
		} else {
			fd = join_fd(r, kinds[i].name);
		}
		tape_call(tape, SYS_setns,
			  TAPE_ARGS(tape_imm((uint64_t)fd), tape_imm(kinds[i].flag)),
			  "joining the %s namespace of descriptor %d", kinds[i].name, fd);
	}
	return 0;
}

int ns_tape_uts(struct restore *r, uint32_t id, struct error *err)
{
	struct tape *tape = r->root->build;
	UtsnsEntry *uts = NULL;
	int ret = image_read_one(r->opts->images_dir, IMG_KIND_UTSNS, id, &r->arena, &uts, err);

	if (ret < 0)
		return ret;
	tape_call(tape, SYS_sethostname,
		  TAPE_ARGS(tape_at(area_add_string(&r->area, uts->nodename)),
			    tape_imm(strlen(uts->nodename))),
		  "host name '%s'", uts->nodename);
	tape_call(tape, SYS_setdomainname,
		  TAPE_ARGS(tape_at(area_add_string(&r->area, uts->domainname)),
			    tape_imm(strlen(uts->domainname))),
		  "domain name '%s'", uts->domainname);
	return 0;
}

int ns_tape(struct restore *r, struct tape *tape, struct error *err)
{
	int ret = tape_join(r, tape, err);

	if (ret >= 0 && r->new_cgroup_ns)
		tape_call(tape, SYS_unshare, TAPE_ARGS(tape_imm(CLONE_NEWCGROUP)),
			  "making a cgroup namespace");
	if (ret >= 0 && r->clone_flags & CLONE_NEWUTS)
		ret = ns_tape_uts(r, r->root->ids->uts_ns_id, err);
	if (ret >= 0 && r->clone_flags & CLONE_NEWIPC)
		ret = ipc_tape(r, r->root->ids->ipc_ns_id, err);
	return ret;
}
