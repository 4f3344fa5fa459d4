#include "ckpt/link-remap.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/log.h"
#include "ckpt/dump-priv.h"
#include "ckpt/fd-kind.h"
#include "ckpt/file-ids.h"
#include "ckpt/file-restore.h"
#include "ckpt/restore-priv.h"
#include "img/pb/regfile.pb-c.h"
#include "img/pb/remap-file-path.pb-c.h"

#define TRIES 1000 /* names that other checkpoints may have left */

struct link_remap {
	struct link_remap *next;
	int dir; /* O_PATH */
	dev_t dev;
	ino_t ino;
	uint32_t id; /* of its record */
	char name[32];
};

/* The folder of the path, or the nearest one above it that is still there. */
static int open_folder(struct dump *dump, const struct dump_fd *fd, const char *path,
		       char **ret_folder, struct error *err)
{
	char *folder = arena_strdup(&dump->arena, path);
	char *slash = folder ? strrchr(folder, '/') : NULL;
	int dir = -ENOENT;

	if (!folder)
		return err_oom(err);
	while (slash && dir < 0) {
		*slash = '\0';
		dir = dump_open_path_on(dump, fd->mnt_id, *folder ? folder : "/",
					O_PATH | O_DIRECTORY, NULL);
		slash = strrchr(folder, '/');
	}
	if (dir < 0)
		return err_set(err, -EOPNOTSUPP, "%s: no folder of '%s' is left", fd->look.where,
			       path);
	*ret_folder = folder;
	return dir;
}

static int make_link(struct dump *dump, const struct dump_fd *fd, const char *path,
		     struct link_remap *link, char **ret_path, struct error *err)
{
	char *folder = NULL;
	int r = open_folder(dump, fd, path, &folder, err);

	if (r < 0)
		return r;
	link->dir = r;
	for (uint32_t i = 0; i < TRIES; i++) {
		(void)snprintf(link->name, sizeof(link->name), "link_remap.%u",
			       link->id + i); /* always fits */
		if (linkat(fd->fd, "", link->dir, link->name, AT_EMPTY_PATH) == 0) {
			*ret_path = arena_printf(&dump->arena, "%s/%s", folder, link->name);
			return *ret_path ? 0 : err_oom(err);
		}
		if (errno != EEXIST)
			break;
	}
	r = err_sys(err, "%s: give '%s' another name, in '%s'", fd->look.where, path,
		    *folder ? folder : "/");
	link->name[0] = '\0';
	return r;
}

static int write_records(struct dump *dump, const struct dump_fd *fd, uint32_t id, const char *path,
			 struct error *err)
{
	RemapFilePathEntry remap = REMAP_FILE_PATH_ENTRY__INIT;

	remap.orig_id = fd->id;
	remap.remap_id = id;
	remap.has_remap_type = true;
	remap.remap_type = REMAP_TYPE__LINKED;
	if (path) {
		FownEntry fown = FOWN_ENTRY__INIT;
		RegFileEntry reg = REG_FILE_ENTRY__INIT;
		FileEntry file = FILE_ENTRY__INIT;
		int r;

		reg.id = id;
		reg.name = (char *)path;
		reg.fown = &fown;
		if (dump->ns[DUMP_NS_MNT].other) {
			reg.has_mnt_id = true;
			reg.mnt_id = fd->mnt_id;
		}
		file.type = FD_TYPES__REG;
		file.id = id;
		file.reg = &reg;
		r = image_write(&dump->files, &file.base, err);
		if (r < 0)
			return r;
	}
	if (dump->remaps.fd < 0) {
		int r = dump_image_create(dump, &dump->remaps, IMG_KIND_REMAP_FPATH, 0, err);

		if (r < 0)
			return r;
	}
	return image_write(&dump->remaps, &remap.base, err);
}

int link_remap_dump(struct dump *dump, const struct dump_fd *fd, const char *path,
		    struct error *err)
{
	struct link_remap *link;
	char *name = NULL;
	int r;

	for (link = dump->link_remaps; link; link = link->next)
		if (link->ino == fd->look.st.st_ino && link->dev == fd->look.st.st_dev)
			return write_records(dump, fd, link->id, NULL, err);
	link = arena_new(&dump->arena, struct link_remap);
	if (!link)
		return err_oom(err);
	link->dir = -EBADF;
	link->dev = fd->look.st.st_dev;
	link->ino = fd->look.st.st_ino;
	link->id = file_ids_next(dump->file_ids);
	link->next = dump->link_remaps;
	dump->link_remaps = link;
	r = make_link(dump, fd, path, link, &name, err);
	if (r < 0)
		return r;
	log_debug("%s: '%s' is '%s' until it is restored", fd->look.where, path, name);
	return write_records(dump, fd, link->id, name, err);
}

void link_remaps_done(struct dump *dump, bool undo)
{
	for (struct link_remap *link = dump->link_remaps; link; link = link->next) {
		if (undo && link->name[0] && unlinkat(link->dir, link->name, 0) < 0)
			log_warn("'%s' can't be removed again: %s", link->name, strerror(errno));
		cleanup_fd_p(&link->dir);
	}
	dump->link_remaps = NULL;
}

/* --------------------------------------------------------------------- restore */

static void remove_all(const struct restore *r)
{
	for (size_t i = 0; i < r->n_files; i++)
		if (r->files[i].link)
			(void)unlink(r->files[i].link); /* somebody may have been tidy */
}

/* From the root of the tree's mounts. */
static void __attribute__((noreturn)) remove_child(const struct restore *r, int mnt)
{
	if (setns(mnt, CLONE_NEWNS) == 0)
		remove_all(r);
	_exit(0);
}

void link_remaps_remove(const struct restore *r)
{
	cleanup_fd int mnt = -EBADF;
	bool any = false;
	char path[32];
	pid_t pid;

	for (size_t i = 0; i < r->n_files; i++)
		any = any || r->files[i].link;
	if (!any)
		return;
	if (!r->new_mnt_ns) {
		remove_all(r);
		return;
	}
	(void)snprintf(path, sizeof(path), "/proc/%d/ns/mnt", r->host_pid); /* always fits */
	mnt = open(path, O_RDONLY | O_CLOEXEC);
	pid = mnt < 0 ? -1 : fork();
	if (pid == 0)
		remove_child(r, mnt);
	if (pid < 0)
		log_warn("names the files came by (link_remap.N) are left");
	else
		(void)waitpid(pid, NULL, 0);
}
