/*
 * mnt: the mount namespace of the tree, one mnt_entry for each mount.
 *
 * A mount can be made again if it is
 *	the root	  given to the restore as a folder
 *	external	  named by --external mnt[/path]:KEY, bound by the restore
 *	of a kind that needs no content (proc, sysfs, devpts, cgroup, ...)
 *	a tmpfs		  whose files are saved (tmpfs.h)
 *	a bind of one of these from inside the tree: same device
 * Anything else comes from outside and is refused with the option that helps.
 */
#include "ckpt/mnt.h"

#include <fcntl.h>
#include <search.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/log.h"
#include "base/path.h"
#include "ckpt/dump-priv.h"
#include "ckpt/tmpfs.h"
#include "img/pb/mnt.pb-c.h"

#define GONE "//deleted"

static const struct {
	const char *name;
	Fstype type;
	bool empty; /* needs nothing but a mount(2) */
} kinds[] = {
	{ "proc", FSTYPE__PROC, true },
	{ "sysfs", FSTYPE__SYSFS, true },
	{ "devtmpfs", FSTYPE__DEVTMPFS, false },
	{ "binfmt_misc", FSTYPE__BINFMT_MISC, false },
	{ "tmpfs", FSTYPE__TMPFS, true },
	{ "devpts", FSTYPE__DEVPTS, true },
	{ "pstore", FSTYPE__PSTORE, true },
	{ "mqueue", FSTYPE__MQUEUE, true },
	{ "securityfs", FSTYPE__SECURITYFS, true },
	{ "fusectl", FSTYPE__FUSECTL, true },
	{ "debugfs", FSTYPE__DEBUGFS, true },
	{ "tracefs", FSTYPE__TRACEFS, true },
	{ "cgroup", FSTYPE__CGROUP, true },
	{ "cgroup2", FSTYPE__CGROUP2, true },
	{ "overlay", FSTYPE__OVERLAYFS, false },
	{ "fuse", FSTYPE__FUSE, false },
	{ "autofs", FSTYPE__AUTOFS, false },
};

static Fstype fstype_of(const struct mountinfo *mount, bool *ret_empty)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (!strcmp(kinds[i].name, mount->fstype)) {
			*ret_empty = kinds[i].empty;
			return kinds[i].type;
		}
	}
	*ret_empty = false;
	return FSTYPE__UNSUPPORTED;
}

/* The table and the root of the root task. */
static int look(struct dump *dump, struct error *err)
{
	cleanup_fd int proc = -EBADF;
	char path[32];
	int r;

	(void)snprintf(path, sizeof(path), "/proc/%d", dump->opts->pid); /* always fits */
	proc = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (proc < 0)
		return err_sys(err, "open '%s'", path);
	r = mountinfo_read_at(proc, "mountinfo", &dump->mounts, err);
	if (r < 0)
		return err_wrap(err, r, "task %d", dump->opts->pid);
	dump->root_fd = dump->ns[DUMP_NS_MNT].other
				? openat(proc, "root", O_PATH | O_DIRECTORY | O_CLOEXEC)
				: open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dump->root_fd < 0)
		return err_sys(err, "open the root of task %d", dump->opts->pid);
	return 0;
}

int mnt_collect(struct dump *dump, struct error *err)
{
	mnt_done(dump); /* what was seen before the freeze is old */
	return look(dump, err);
}

int dump_open_path(const struct dump *dump, const char *path, int flags, struct error *err)
{
	return path_open_beneath(dump->root_fd, path + strspn(path, "/"), flags, 0, err);
}

static const struct {
	const char *name;
	unsigned long flag;
} mount_flags[] = {
	{ "ro", MS_RDONLY },	   { "nosuid", MS_NOSUID },	    { "nodev", MS_NODEV },
	{ "noexec", MS_NOEXEC },   { "noatime", MS_NOATIME },	    { "nodiratime", MS_NODIRATIME },
	{ "relatime", MS_RELATIME },
}, super_flags[] = {
	{ "ro", MS_RDONLY },
	{ "sync", MS_SYNCHRONOUS },
	{ "dirsync", MS_DIRSYNC },
	{ "mand", MS_MANDLOCK },
};

static bool next_word(const char **p, const char **ret, size_t *ret_len)
{
	if (!**p)
		return false;
	*ret = *p;
	*ret_len = strcspn(*p, ",");
	*p += *ret_len;
	if (**p == ',')
		(*p)++;
	return true;
}

static uint32_t mount_flags_of(const struct mountinfo *mount)
{
	const char *p = mount->options;
	unsigned long flags = 0;
	const char *word;
	size_t len;

	while (next_word(&p, &word, &len)) {
		for (size_t i = 0; i < ARRAY_SIZE(mount_flags); i++) {
			if (len == strlen(mount_flags[i].name) &&
			    !memcmp(word, mount_flags[i].name, len))
				flags |= mount_flags[i].flag;
		}
	}
	/* Neither word: the kernel was told strictatime; left out, it would take relatime. */
	if (!(flags & (MS_RELATIME | MS_NOATIME)))
		flags |= MS_STRICTATIME;
	if (mount->shared)
		flags |= MS_SHARED;
	if (mount->master)
		flags |= MS_SLAVE;
	if (mount->unbindable)
		flags |= MS_UNBINDABLE;
	return (uint32_t)flags;
}

/* Flags of the file system, and the words that only it understands. */
static int super_options(const struct mountinfo *mount, struct arena *arena, uint32_t *ret_flags,
			 char **ret_options, struct error *err)
{
	const char *p = mount->super_options;
	char *options = arena_alloc(arena, strlen(p) + 1);
	unsigned long flags = 0;
	const char *word;
	size_t used = 0;
	size_t len;

	if (!options)
		return err_oom(err);
	while (next_word(&p, &word, &len)) {
		size_t i = 0;

		while (i < ARRAY_SIZE(super_flags) && (len != strlen(super_flags[i].name) ||
						       memcmp(word, super_flags[i].name, len)))
			i++;
		if (i < ARRAY_SIZE(super_flags)) {
			flags |= super_flags[i].flag;
		} else if (len != 2 || memcmp(word, "rw", 2)) {
			if (used)
				options[used++] = ',';
			memcpy(options + used, word, len);
			used += len;
		}
	}
	options[used] = '\0';
	*ret_flags = (uint32_t)flags;
	*ret_options = options;
	return 0;
}

/* dev_t as the images have it: 12 bits of major, 20 of minor. */
static uint32_t device_of(const struct mountinfo *mount)
{
	return mount->dev_major << 20 | mount->dev_minor;
}

struct mnt_dump {
	struct dump *dump;
	struct image image;
	void *devices; /* tsearch(3) of uint32_t: file systems the restore will have */
};

static int by_device(const void *a, const void *b)
{
	uint32_t da = *(const uint32_t *)a;
	uint32_t db = *(const uint32_t *)b;

	return da < db ? -1 : da > db;
}

static int know_device(struct mnt_dump *m, uint32_t device, struct error *err)
{
	uint32_t *key = arena_memdup(&m->dump->arena, &device, sizeof(device));

	return key && tsearch(key, &m->devices, by_device) ? 0 : err_oom(err);
}

static bool device_known(const struct mnt_dump *m, uint32_t device)
{
	return tfind(&device, &m->devices, by_device) != NULL;
}

static const char *external_key(const struct dump *dump, const struct mountinfo *mount)
{
	const struct external *e = externals_find(&dump->externals, "mnt", mount->mountpoint);

	if (!e)
		return NULL;
	return e->value ? e->value : e->name;
}

static bool is_root(const struct mountinfo *mount)
{
	return !strcmp(mount->mountpoint, "/");
}

static bool is_whole(const struct mountinfo *mount)
{
	return !strcmp(mount->root, "/");
}

/*
 * A cgroup mount of a tree with a cgroup namespace of its own is whole to the
 * tree, though we see the path of its group as the mount's root.
 */
static bool is_namespaced_cgroup(const struct dump *dump, const struct mountinfo *mount)
{
	bool empty;
	Fstype type = fstype_of(mount, &empty);

	return dump->ns[DUMP_NS_CGROUP].other &&
	       (type == FSTYPE__CGROUP || type == FSTYPE__CGROUP2);
}

static bool can_mount(const struct dump *dump, const struct mountinfo *mount)
{
	bool empty;

	(void)fstype_of(mount, &empty);
	return empty && (is_whole(mount) || is_namespaced_cgroup(dump, mount));
}

/* First what brings its file system with it; binds of these may stand before them. */
static int learn_devices(struct mnt_dump *m, struct error *err)
{
	int r = 0;

	for (size_t i = 0; i < m->dump->mounts.n && r == 0; i++) {
		const struct mountinfo *mount = &m->dump->mounts.mounts[i];

		if (!is_root(mount) && !external_key(m->dump, mount) && can_mount(m->dump, mount))
			r = know_device(m, device_of(mount), err);
	}
	return r;
}

/* A bind of something below the tree's root folder, which may be a folder of the host. */
static bool is_below_root(const struct dump *dump, const struct mountinfo *mount)
{
	const struct mountinfo *root = mountinfo_by_mountpoint(&dump->mounts, "/");
	size_t len;

	if (!root || device_of(root) != device_of(mount))
		return false;
	len = strlen(root->root);
	if (root->root[len - 1] == '/')
		len--;
	return !strncmp(mount->root, root->root, len) &&
	       (mount->root[len] == '/' || !mount->root[len]);
}

static int check_mount(const struct mnt_dump *m, const struct mountinfo *mount, struct error *err)
{
	int r;

	if (is_root(mount) || external_key(m->dump, mount) || can_mount(m->dump, mount))
		return 0;
	if ((device_known(m, device_of(mount)) || is_below_root(m->dump, mount)) &&
	    !strstr(mount->root, GONE))
		return 0;
	r = err_set(err, -EOPNOTSUPP, "mount '%s': its %s '%s' comes from outside of the tree",
		    mount->mountpoint, mount->fstype, mount->source);
	err_hint(err, "--external mnt[%s]:KEY on dump, --external mnt[KEY]:PATH on restore",
		 mount->mountpoint);
	return r;
}

/* The file system's own root folder, if the mount can be reached by its name. */
static int open_mount(struct dump *dump, const struct mountinfo *mount, struct error *err)
{
	int fd = dump_open_path(dump, mount->mountpoint, O_RDONLY | O_DIRECTORY, err);
	struct stat st;

	if (fd < 0)
		return err_wrap(err, fd, "mount '%s'", mount->mountpoint);
	if (fstat(fd, &st) == 0 && major(st.st_dev) == mount->dev_major &&
	    minor(st.st_dev) == mount->dev_minor)
		return fd;
	(void)close(fd); /* it was only looked at */
	return err_set(err, -EOPNOTSUPP, "mount '%s': another mount lies over it",
		       mount->mountpoint);
}

static int check_empty(struct dump *dump, const struct mountinfo *mount, struct error *err)
{
	cleanup_dir DIR *dir = NULL;
	struct dirent *entry;
	int fd = open_mount(dump, mount, err);

	if (fd < 0)
		return fd;
	dir = fdopendir(fd);
	if (!dir) {
		(void)close(fd); /* not taken over */
		return err_oom(err);
	}
	while ((entry = readdir(dir))) {
		if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
			return err_set(err, -EOPNOTSUPP,
				       "mount '%s': %s '%s' in it can't be saved by this version",
				       mount->mountpoint, mount->fstype, entry->d_name);
	}
	return 0;
}

static bool is_tmpfs(const struct mountinfo *mount)
{
	bool empty;

	return fstype_of(mount, &empty) == FSTYPE__TMPFS && is_whole(mount) && !is_root(mount);
}

int mnt_prepare(struct dump *dump, struct error *err)
{
	int r;

	if (!dump->ns[DUMP_NS_MNT].other)
		return 0;
	r = look(dump, err);
	for (size_t i = 0; i < dump->mounts.n && r == 0; i++) {
		const struct mountinfo *mount = &dump->mounts.mounts[i];
		cleanup_fd int fd = -EBADF;

		if (!is_tmpfs(mount) || external_key(dump, mount))
			continue;
		fd = open_mount(dump, mount, NULL);
		if (fd >= 0) /* else it is told in the freeze, if it is still so */
			r = tmpfs_pack_ahead(dump, fd, device_of(mount), mount->mountpoint, err);
	}
	return r;
}

/* Once for each file system. */
static int save_content(struct mnt_dump *m, const struct mountinfo *mount, struct error *err)
{
	cleanup_fd int fd = -EBADF;
	bool empty;
	Fstype type = fstype_of(mount, &empty);
	uint32_t device = device_of(mount);

	if (type == FSTYPE__MQUEUE)
		return check_empty(m->dump, mount, err);
	if (type != FSTYPE__TMPFS || !is_whole(mount) || tmpfs_saved(m->dump, device))
		return 0;
	fd = open_mount(m->dump, mount, err);
	if (fd < 0)
		return fd;
	return tmpfs_save(m->dump, fd, device, mount->mountpoint, err);
}

static int write_mount(struct mnt_dump *m, const struct mountinfo *mount, struct error *err)
{
	MntEntry entry = MNT_ENTRY__INIT;
	const char *key = external_key(m->dump, mount);
	char *gone;
	bool empty;
	int r;

	r = check_mount(m, mount, err);
	if (r == 0 && !key && !is_root(mount))
		r = save_content(m, mount, err);
	if (r < 0)
		return r;
	entry.fstype = fstype_of(mount, &empty);
	entry.mnt_id = (uint32_t)mount->id;
	entry.root_dev = device_of(mount);
	entry.parent_mnt_id = (uint32_t)mount->parent_id;
	entry.flags = mount_flags_of(mount);
	entry.has_sb_flags = true;
	r = super_options(mount, &m->dump->arena, &entry.sb_flags, &entry.options, err);
	if (r < 0)
		return r;
	entry.root = arena_strdup(&m->dump->arena,
				  is_namespaced_cgroup(m->dump, mount) ? "/" : mount->root);
	if (!entry.root)
		return err_oom(err);
	gone = strstr(entry.root, GONE);
	if (gone && !gone[strlen(GONE)]) {
		*gone = '\0';
		entry.has_deleted = true;
		entry.deleted = true;
	}
	entry.mountpoint = (char *)mount->mountpoint;
	entry.source = (char *)mount->source;
	entry.has_shared_id = true;
	entry.shared_id = mount->shared;
	entry.has_master_id = true;
	entry.master_id = mount->master;
	entry.ext_key = (char *)key;
	log_debug("mount %u '%s' of %s%s%s", entry.mnt_id, entry.mountpoint, mount->fstype,
		  key ? ", outside: " : "", key ? key : "");
	return image_write(&m->image, &entry.base, err);
}

static void keep(void *node UNUSED)
{
}

int mnt_write(struct dump *dump, struct error *err)
{
	struct mnt_dump m = { .dump = dump, .image = IMAGE_INIT };
	int r;

	if (!dump->ns[DUMP_NS_MNT].other)
		return 0;
	r = dump_image_create(dump, &m.image, IMG_KIND_MNTS, dump->ns[DUMP_NS_MNT].root_id, err);
	if (r == 0)
		r = learn_devices(&m, err);
	for (size_t i = 0; i < dump->mounts.n && r == 0; i++)
		r = write_mount(&m, &dump->mounts.mounts[i], err);
	if (r == 0)
		r = image_finish(&m.image, err);
	image_done(&m.image);
	tdestroy(m.devices, keep);
	return r;
}

void mnt_done(struct dump *dump)
{
	cleanup_fd_p(&dump->root_fd);
	dump->root_fd = -EBADF;
	mountinfo_table_done(&dump->mounts);
}
