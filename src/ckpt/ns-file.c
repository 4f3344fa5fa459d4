/*
 * ns-file: descriptors of /proc/PID/ns/NAME, or of bind mounts of such files.
 *
 * What they refer to is a namespace; which path led to it is nobody's business.
 * Those of the tree's root are opened again when the root is in it.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <linux/sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "ckpt/dump-priv.h"
#include "ckpt/fd-kind.h"
#include "ckpt/file-restore.h"
#include "ckpt/ns-restore.h"
#include "ckpt/restore-priv.h"
#include "img/image.h"
#include "img/pb/ns.pb-c.h"

static const struct {
	enum dump_ns ns;
	uint32_t clone_flag; /* as NS_GET_NSTYPE says it, ioctl_nsfs(2) */
	const char *name;
} kinds[] = {
	{ DUMP_NS_PID, CLONE_NEWPID, "pid" },	 { DUMP_NS_NET, CLONE_NEWNET, "net" },
	{ DUMP_NS_IPC, CLONE_NEWIPC, "ipc" },	 { DUMP_NS_UTS, CLONE_NEWUTS, "uts" },
	{ DUMP_NS_TIME, CLONE_NEWTIME, "time" }, { DUMP_NS_MNT, CLONE_NEWNS, "mnt" },
	{ DUMP_NS_USER, CLONE_NEWUSER, "user" }, { DUMP_NS_CGROUP, CLONE_NEWCGROUP, "cgroup" },
};

static int refuse(const struct dump_fd *fd, struct error *err)
{
	int r = err_set(err, -EOPNOTSUPP, "%s: namespace '%s': the root of the tree is not in it",
			fd->look.where, fd->look.link);

	err_hint(err, "close the descriptor before the checkpoint");
	return r;
}

int ns_file_dump(struct dump *dump, const struct dump_fd *fd, struct error *err)
{
	NsFileEntry entry = NS_FILE_ENTRY__INIT;
	FileEntry file = FILE_ENTRY__INIT;
	int type = ioctl(fd->fd, NS_GET_NSTYPE);
	size_t i = 0;

	if (type < 0)
		return err_sys(err, "%s: kind of the namespace", fd->look.where);
	while (i < ARRAY_SIZE(kinds) && kinds[i].clone_flag != (uint32_t)type)
		i++;
	if (i == ARRAY_SIZE(kinds) || dump->ns[kinds[i].ns].root_ino != fd->look.st.st_ino)
		return refuse(fd, err);
	entry.id = fd->id;
	entry.ns_id = dump->ns[kinds[i].ns].root_id;
	entry.ns_cflag = (uint32_t)type;
	entry.flags = fd->flags;
	file.type = FD_TYPES__NS;
	file.id = fd->id;
	file.nsf = &entry;
	return image_write(&dump->files, &file.base, err);
}

static uint32_t id_of(const TaskKobjIdsEntry *ids, enum dump_ns ns)
{
	switch (ns) {
	case DUMP_NS_PID:
		return ids->pid_ns_id;
	case DUMP_NS_NET:
		return ids->net_ns_id;
	case DUMP_NS_IPC:
		return ids->ipc_ns_id;
	case DUMP_NS_UTS:
		return ids->uts_ns_id;
	case DUMP_NS_TIME:
		return ids->time_ns_id;
	case DUMP_NS_MNT:
		return ids->mnt_ns_id;
	case DUMP_NS_USER:
		return ids->user_ns_id;
	case DUMP_NS_CGROUP:
		return ids->cgroup_ns_id;
	case DUMP_N_NS:
		break;
	}
	return 0;
}

int ns_file_tape(struct restore *r, struct tape *tape, struct rfile *file, struct error *err)
{
	const NsFileEntry *e = file->entry->nsf;
	char path[32];
	uint32_t slot;
	int proc = ns_proc_fd(r, err);
	size_t i = 0;

	if (proc < 0)
		return proc;
	if (!e)
		return err_set(err, -EBADMSG, "files.img: namespace file %u has no record",
			       file->entry->id);
	while (i < ARRAY_SIZE(kinds) && kinds[i].clone_flag != e->ns_cflag)
		i++;
	if (i == ARRAY_SIZE(kinds))
		return err_set(err, -EBADMSG,
			       "files.img: namespace file %u is of the unknown kind %#x", e->id,
			       e->ns_cflag);
	if (e->ns_id != id_of(r->root->ids, kinds[i].ns))
		return err_set(err, -EOPNOTSUPP,
			       "file %u is a %s namespace that the root of the tree is not in",
			       e->id, kinds[i].name);
	(void)snprintf(path, sizeof(path), "self/ns/%s", kinds[i].name); /* always fits */
	slot = tape_call(tape, SYS_openat,
			 TAPE_ARGS(tape_imm((uint64_t)proc),
				   tape_at(area_add_string(&r->area, path)), tape_imm(O_RDONLY)),
			 "opening the %s namespace", kinds[i].name);
	return rfile_stage(r, tape, file, slot, err);
}
