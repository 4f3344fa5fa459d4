#include "pod/import-members.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/file.h"
#include "base/json.h"
#include "pod/config.h"
#include "pod/container.h"
#include "pod/import.h"
#include "pod/pod.h"
#include "store/archive-reader.h"
#include "store/overlay.h"
#include "store/unpack.h"

#define DELETED_MAX ((size_t)256 << 20)

void import_members_done(struct import_members *m)
{
	cleanup_fd_p(&m->userdata);
	cleanup_fd_p(&m->upper);
	for (size_t i = 0; i < m->n_lowers; i++)
		cleanup_fd_p(&m->lowers[i]);
	free(m->lowers);
	json_decref(m->deleted);
	strv_done(&m->volumes);
	strv_done(&m->filled);
}

/* --- beginning ---------------------------------------------------------------------- */

static int open_folder(const struct import_members *m, const char *name, int *ret,
		       struct error *err)
{
	cleanup_free char *path = NULL;
	int r = pod_path(m->pod, m->c->id, name, &path, err);

	if (r < 0)
		return r;
	*ret = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return *ret < 0 ? err_sys(err, "open folder '%s'", path) : 0;
}

static int make_root(struct import_members *m, struct error *err)
{
	cleanup_strv struct strv layers = STRV_INIT;
	cleanup_free char *dir = NULL;
	int r = config_strings(m->c->config, "layers", &layers, err);

	if (r == 0)
		r = pod_path(m->pod, m->c->id, "", &dir, err);
	if (r == 0)
		r = overlay_create(dir, &layers, err);
	if (r == 0)
		r = open_folder(m, "upper", &m->upper, err);
	if (r < 0)
		return r;
	m->lowers = calloc(layers.n + 1, sizeof(*m->lowers));
	if (!m->lowers)
		return err_oom(err);
	for (; m->n_lowers < layers.n; m->n_lowers++) {
		const char *path = layers.items[m->n_lowers];

		m->lowers[m->n_lowers] = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (m->lowers[m->n_lowers] < 0)
			return err_sys(err, "open layer '%s'", path);
	}
	return 0;
}

static int volume_folder(const struct import_members *m, const char *name, const char *below,
			 char **ret, struct error *err)
{
	if (asprintf(ret, "%s/volumes/%s%s", m->pod->root, name, below) >= 0)
		return 0;
	*ret = NULL;
	return err_oom(err);
}

/* Where it is filled: in the container's own folder, which goes if we do. */
static int filled_folder(const struct import_members *m, const char *name, const char *below,
			 char **ret, struct error *err)
{
	char place[PATH_MAX];

	(void)snprintf(place, sizeof(place), "volumes/%s%s", name, below); /* names are short */
	return pod_path(m->pod, m->c->id, place, ret, err);
}

static int move_volume(struct import_members *m, const char *name, struct error *err)
{
	cleanup_free char *from = NULL;
	cleanup_free char *to = NULL;
	int r = filled_folder(m, name, "", &from, err);

	if (r == 0)
		r = volume_folder(m, name, "", &to, err);
	if (r < 0)
		return r;
	/* Somebody may have made one meanwhile: it is not replaced. */
	if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) < 0)
		return err_sys(err, "move volume '%s' to its place '%s'", name, to);
	m->n_placed++;
	return 0;
}

int import_members_settle(struct import_members *m, struct error *err)
{
	cleanup_free char *volumes = NULL;
	cleanup_free char *left = NULL;
	int r;

	if (m->filled.n == 0)
		return 0;
	r = volume_folder(m, "", "", &volumes, err);
	if (r == 0)
		r = file_make_dirs_at(AT_FDCWD, volumes, 0755, err);
	for (size_t i = 0; i < m->filled.n && r == 0; i++)
		r = move_volume(m, m->filled.items[i], err);
	if (r == 0)
		r = filled_folder(m, "", "", &left, err);
	return r < 0 ? r : file_remove_tree_at(AT_FDCWD, left, err);
}

/* Names that stand in the config are those of create, unless somebody wrote them by hand. */
static bool is_volume_name(const char *name)
{
	return name && *name && *name != '.' && !strchr(name, '/') && strlen(name) < 200;
}

static int list_volumes(struct import_members *m, struct error *err)
{
	const json_t *volume;
	size_t i;

	json_array_foreach(json_object_get(m->c->config, "namedVolumes"), i, volume)
	{
		const char *name = json_string_value(json_object_get(volume, "volumeName"));

		if (!is_volume_name(name))
			return err_set(err, -EBADMSG, "config.dump: '%.80s' is no volume's name",
				       name ? name : "");
		strv_add(&m->volumes, name);
	}
	return strv_ok(&m->volumes) ? 0 : err_oom(err);
}

static int check_volumes(const struct import_members *m, struct error *err)
{
	for (size_t i = 0; i < m->volumes.n; i++) {
		cleanup_free char *path = NULL;
		int r = volume_folder(m, m->volumes.items[i], "", &path, err);

		if (r < 0)
			return r;
		if (access(path, F_OK) == 0)
			return err_set(
				err, -EEXIST,
				"volume with name %s already exists. Use --ignore-volumes to "
				"not restore content of volumes",
				m->volumes.items[i]);
	}
	return 0;
}

int import_members_begin(struct import_members *m, const struct pod *pod, const struct container *c,
			 const struct import_options *o, struct error *err)
{
	int r = 0;

	m->pod = pod;
	m->c = c;
	m->o = o;
	if (!o->ignore_volumes)
		r = list_volumes(m, err);
	if (r == 0)
		r = check_volumes(m, err);
	if (r == 0)
		r = open_folder(m, "userdata", &m->userdata, err);
	return r < 0 ? r : make_root(m, err);
}

void import_members_undo(struct import_members *m)
{
	for (size_t i = 0; i < m->n_placed; i++) {
		cleanup_free char *path = NULL;

		if (volume_folder(m, m->filled.items[i], "", &path, NULL) == 0)
			(void)file_remove_tree_at(AT_FDCWD, path, NULL);
	}
}

void import_members_remove(const struct pod *pod, const struct container *c)
{
	__attribute__((cleanup(import_members_done))) struct import_members m = IMPORT_MEMBERS_INIT;

	m.pod = pod;
	m.c = c;
	if (list_volumes(&m, NULL) < 0)
		return;
	for (size_t i = 0; i < m.volumes.n; i++)
		strv_add(&m.filled, m.volumes.items[i]);
	m.n_placed = m.filled.n;
	import_members_undo(&m);
}

/* --- members ---------------------------------------------------------------------------- */

static int save(struct archive_reader *archive, int dirfd, const char *name, struct error *err)
{
	cleanup_fd int fd =
		openat(dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0 && errno == EEXIST)
		return err_set(err, -EBADMSG, "member '%.300s' is there twice", name);
	if (fd < 0)
		return err_sys(err, "create '%s'", name);
	return archive_reader_save(archive, fd, err);
}

static int take_image(struct import_members *m, struct archive_reader *archive, const char *name,
		      struct error *err)
{
	cleanup_fd int images = -EBADF;

	if (strchr(name, '/') || strlen(name) > NAME_MAX)
		return err_set(err, -EBADMSG, "member 'checkpoint/%.300s': no image lies there",
			       name);
	if (mkdirat(m->userdata, "checkpoint", 0700) < 0 && errno != EEXIST)
		return err_sys(err, "make folder 'checkpoint'");
	images = openat(m->userdata, "checkpoint", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (images < 0)
		return err_sys(err, "open folder 'checkpoint'");
	m->has_inventory |= strcmp(name, "inventory.img") == 0;
	return save(archive, images, name, err);
}

/* A tar in the tar is read from a file that has no name. */
static int take_tar(struct import_members *m, struct archive_reader *archive,
		    const struct unpack *unpack, struct error *err)
{
	cleanup_fd int fd = openat(m->userdata, ".", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
	struct unpacked unpacked;
	int r;

	if (fd < 0)
		return err_sys(err, "make a temporary file");
	r = archive_reader_save(archive, fd, err);
	if (r == 0 && lseek(fd, 0, SEEK_SET) < 0)
		r = err_sys(err, "read it again");
	return r < 0 ? r : unpack_tar(unpack, fd, &unpacked, err);
}

static struct unpack into_root(const struct import_members *m)
{
	return (struct unpack){ .into = m->upper, .lowers = m->lowers, .n_lowers = m->n_lowers };
}

static int take_root(struct import_members *m, struct archive_reader *archive, struct error *err)
{
	struct unpack unpack = into_root(m);
	int r = take_tar(m, archive, &unpack, err);

	return r < 0 ? err_wrap(err, r, "rootfs-diff.tar") : 0;
}

static int take_deleted(struct import_members *m, struct archive_reader *archive, struct error *err)
{
	cleanup_free char *text = NULL;
	size_t len = 0;
	int r = archive_reader_slurp(archive, DELETED_MAX, &text, &len, err);

	if (r == 0 && m->deleted)
		r = err_set(err, -EBADMSG, "deleted.files is there twice");
	if (r == 0)
		r = json_parse("deleted.files", text, len, &m->deleted, err);
	if (r == 0 && !json_is_array(m->deleted))
		r = err_set(err, -EBADMSG, "deleted.files is no JSON array");
	return r;
}

static int take_volume(struct import_members *m, struct archive_reader *archive, const char *member,
		       struct error *err)
{
	cleanup_free char *name = NULL;
	cleanup_free char *data = NULL;
	cleanup_fd int fd = -EBADF;
	size_t len = strlen(member);
	struct unpack unpack = { 0 };
	int r;

	if (len <= 4 || strcmp(member + len - 4, ".tar") != 0)
		return err_set(err, -EBADMSG, "member 'volumes/%.300s': no volume lies there",
			       member);
	name = strndup(member, len - 4);
	if (!name)
		return err_oom(err);
	if (!strv_contains(&m->volumes, name))
		return err_set(err, -EBADMSG, "volume '%.80s' is not one of the container's", name);
	if (strv_contains(&m->filled, name))
		return err_set(err, -EBADMSG, "volume '%.80s' is there twice", name);
	r = filled_folder(m, name, "/_data", &data, err);
	if (r < 0)
		return r;
	strv_add(&m->filled, name);
	r = strv_ok(&m->filled) ? file_make_dirs_at(AT_FDCWD, data, 0755, err) : err_oom(err);
	if (r < 0)
		return r;
	fd = open(data, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return err_sys(err, "open folder '%s'", data);
	unpack.into = fd;
	unpack.no_whiteouts = true;
	r = take_tar(m, archive, &unpack, err);
	return r < 0 ? err_wrap(err, r, "volume '%s'", name) : 0;
}

static bool is_plain(const char *name)
{
	static const char *const names[] = { "ctr.log", "stats-dump", "network.status" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

static int take_member(struct import_members *m, struct archive_reader *archive,
		       const struct archive_member *member, struct error *err)
{
	const char *name = member->name;

	if (member->kind == ARCHIVE_FOLDER)
		return 0;
	if (member->kind != ARCHIVE_FILE)
		return strncmp(name, "checkpoint/", 11) == 0
			       ? err_set(err, -EBADMSG, "member '%.300s' is not a regular file",
					 name)
			       : 0;
	if (strncmp(name, "checkpoint/", 11) == 0)
		return take_image(m, archive, name + 11, err);
	if (is_plain(name))
		return save(archive, m->userdata, name, err);
	if (strcmp(name, "rootfs-diff.tar") == 0)
		return m->o->ignore_rootfs ? 0 : take_root(m, archive, err);
	if (strcmp(name, "deleted.files") == 0)
		return m->o->ignore_rootfs ? 0 : take_deleted(m, archive, err);
	if (strncmp(name, "volumes/", 8) == 0)
		return m->o->ignore_volumes ? 0 : take_volume(m, archive, name + 8, err);
	return 0;
}

static int delete_files(const struct import_members *m, struct error *err)
{
	const struct unpack unpack = into_root(m);
	const json_t *path;
	size_t i;
	int r = 0;

	json_array_foreach(m->deleted, i, path)
	{
		if (!json_is_string(path))
			return err_set(err, -EBADMSG, "deleted.files holds more than strings");
		r = unpack_deleted(&unpack, json_string_value(path), err);
		if (r < 0)
			return r;
	}
	return r;
}

int import_members_take(struct import_members *m, struct archive_reader *archive, struct error *err)
{
	struct archive_member member;
	int r;

	while ((r = archive_reader_next(archive, &member, err)) > 0) {
		r = take_member(m, archive, &member, err);
		if (r < 0)
			return r;
	}
	if (r < 0)
		return r;
	if (!m->has_inventory)
		return err_set(err, -EBADMSG, "it holds no complete checkpoint: no inventory.img");
	return delete_files(m, err);
}
