/*
 * bundle: the second step of the spec: what is known when the root is mounted.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/json.h"
#include "base/path.h"
#include "pod/config.h"
#include "pod/container.h"
#include "pod/pod.h"
#include "pod/seccomp.h"
#include "pod/spec.h"
#include "pod/user.h"

#define HOSTS_MAX (1 << 20)

struct bundle {
	struct pod *pod;
	const struct container *c;
	const char *rootfs;
	char *folder; /* userdata */
	int fd;
	json_t *spec;
};

static void bundle_done(struct bundle *b)
{
	free(b->folder);
	cleanup_fd_p(&b->fd);
	json_decref(b->spec);
}

bool spec_has_terminal(const struct container *c)
{
	const json_t *process = json_object_get(json_object_get(c->config, "spec"), "process");

	return json_is_true(json_object_get(process, "terminal"));
}

/* --- process ------------------------------------------------------------- */

static bool env_has(const json_t *env, const char *key)
{
	size_t len = strlen(key);
	const json_t *item;
	size_t i;

	json_array_foreach(env, i, item)
	{
		const char *pair = json_string_value(item);

		if (pair && strncmp(pair, key, len) == 0 && pair[len] == '=')
			return true;
	}
	return false;
}

static int add_env(json_t *process, const char *key, const char *value, struct error *err)
{
	json_t *env = json_object_get(process, "env");

	if (env_has(env, key))
		return 0;
	if (json_array_append_new(env, json_sprintf("%s=%s", key, value)) < 0)
		return err_oom(err);
	return 0;
}

static json_t *pack_user(const struct user *user)
{
	json_t *groups = json_array();
	bool bad = !groups;

	for (size_t i = 0; i < user->n_groups && !bad; i++)
		bad = json_array_append_new(groups, json_integer(user->groups[i])) < 0;
	if (bad) {
		json_decref(groups);
		return NULL;
	}
	return json_pack("{s:I, s:I, s:o}", "uid", (json_int_t)user->uid, "gid",
			 (json_int_t)user->gid, "additionalGids", groups);
}

/* Who is not root holds no capability, but may gain those of the bounding set by exec. */
static int limit_capabilities(json_t *process)
{
	json_t *capabilities = json_object_get(process, "capabilities");

	if (json_object_set_new(capabilities, "effective", json_array()) < 0)
		return -ENOMEM;
	return json_object_set_new(capabilities, "permitted", json_array()) < 0 ? -ENOMEM : 0;
}

static int set_user(struct bundle *b, int rootfd, struct error *err)
{
	json_t *process = json_object_get(b->spec, "process");
	const char *word = container_config_string(b->c, "user");
	struct user user;
	int r = user_find(rootfd, word ? word : "", &user, err);

	if (r < 0)
		return r;
	if (json_object_set_new(process, "user", pack_user(&user)) < 0)
		return err_oom(err);
	if (user.uid != 0 && !container_config_bool(b->c, "privileged") &&
	    limit_capabilities(process) < 0)
		return err_oom(err);
	return add_env(process, "HOME", user.home, err);
}

static int set_folder(struct bundle *b, int rootfd, struct error *err)
{
	const json_t *process = json_object_get(b->spec, "process");
	const char *cwd = json_string_value(json_object_get(process, "cwd"));
	cleanup_fd int fd = -EBADF;

	if (!cwd || strcmp(cwd, "/") == 0)
		return 0;
	if (container_config_bool(b->c, "createWorkingDir")) {
		fd = path_make_dirs_in_root(rootfd, cwd, 0755, err);
		return fd < 0 ? fd : 0;
	}
	fd = path_open_in_root(rootfd, cwd, O_PATH | O_DIRECTORY, 0, NULL);
	if (fd == -ENOENT || fd == -ENOTDIR) {
		const json_t *mount;
		size_t i;

		/* It may be below something that is mounted only later. */
		json_array_foreach(json_object_get(b->spec, "mounts"), i, mount)
		{
			const char *at = json_string_value(json_object_get(mount, "destination"));

			if (at && strncmp(cwd, at, strlen(at)) == 0)
				return 0;
		}
		return err_set(err, -ENOENT, "workdir \"%s\" does not exist on container %s", cwd,
			       b->c->id);
	}
	return 0;
}

/* --- files that are ours, bound into the root ---------------------------------- */

static int write_file(struct bundle *b, const char *name, const char *text, struct error *err)
{
	cleanup_fd int fd = openat(b->fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	int r;

	if (fd < 0)
		return err_sys(err, "create '%s/%s'", b->folder, name);
	r = fd_write_all(fd, text, strlen(text));
	if (r < 0)
		return err_set(err, r, "write '%s/%s': %s", b->folder, name, strerror(-r));
	return 0;
}

/* Unless the user mounts something there. */
static int bind_file(struct bundle *b, const char *name, const char *text, const char *destination,
		     struct error *err)
{
	json_t *mounts = json_object_get(b->spec, "mounts");
	const json_t *mount;
	size_t i;
	int r;

	json_array_foreach(mounts, i, mount)
	{
		const char *at = json_string_value(json_object_get(mount, "destination"));

		if (at && strcmp(at, destination) == 0)
			return 0;
	}
	r = write_file(b, name, text, err);
	if (r < 0)
		return r;
	if (json_array_append_new(mounts, json_pack("{s:s, s:s, s:o, s:[s,s]}", "destination",
						    destination, "type", "bind", "source",
						    json_sprintf("%s/%s", b->folder, name),
						    "options", "bind", "rprivate")) < 0)
		return err_oom(err);
	return 0;
}

/* Absent is empty. */
static int read_host_file(const char *path, struct buf *text, struct error *err)
{
	cleanup_free char *data = NULL;
	size_t len = 0;
	int r = file_read_at(AT_FDCWD, path, HOSTS_MAX, &data, &len, err);

	if (r == -ENOENT)
		return 0;
	if (r == 0)
		buf_add(text, data, len);
	return r;
}

static int bind_hosts(struct bundle *b, bool host_network, const char *hostname, struct error *err)
{
	cleanup_buf struct buf text = BUF_INIT;
	cleanup_strv struct strv more = STRV_INIT;
	int r = host_network ? read_host_file("/etc/hosts", &text, err) : 0;

	if (r == 0)
		r = config_strings(b->c->config, "hostsAdd", &more, err);
	if (r < 0)
		return r;
	if (!host_network)
		buf_adds(&text, "127.0.0.1\tlocalhost\n::1\tlocalhost\n");
	for (size_t i = 0; i < more.n; i++) { /* NAME:ADDRESS */
		const char *word = more.items[i];
		size_t len = strcspn(word, ":");

		buf_addf(&text, "%s\t%.*s\n", word[len] ? word + len + 1 : "", (int)len, word);
	}
	if (!host_network)
		buf_addf(&text, "127.0.0.1\t%s %s\n", hostname, b->c->name);
	return buf_ok(&text) ? bind_file(b, "hosts", buf_str(&text), "/etc/hosts", err)
			     : err_oom(err);
}

static int bind_files(struct bundle *b, struct error *err)
{
	const char *network = container_config_string(b->c, "networkMode");
	const char *hostname = json_string_value(json_object_get(b->spec, "hostname"));
	bool host_network = network && strcmp(network, "host") == 0;
	cleanup_buf struct buf name = BUF_INIT;
	cleanup_buf struct buf resolv = BUF_INIT;
	int r = bind_file(b, ".containerenv", "", "/run/.containerenv", err);

	if (r == 0)
		r = bind_hosts(b, host_network, hostname ? hostname : "localhost", err);
	if (r == 0 && hostname) {
		buf_addf(&name, "%s\n", hostname);
		r = buf_ok(&name) ? bind_file(b, "hostname", buf_str(&name), "/etc/hostname", err)
				  : err_oom(err);
	}
	if (r == 0 && host_network)
		r = read_host_file("/etc/resolv.conf", &resolv, err);
	if (r == 0 && host_network)
		r = bind_file(b, "resolv.conf", buf_str(&resolv), "/etc/resolv.conf", err);
	return r;
}

/* --- linux ------------------------------------------------------------------ */

static int set_seccomp(struct bundle *b, struct error *err)
{
	const json_t *process = json_object_get(b->spec, "process");
	const char *profile = container_config_string(b->c, "seccomp");
	cleanup_strv struct strv caps = STRV_INIT;
	json_t *filter = NULL;
	int r = config_strings(json_object_get(process, "capabilities"), "bounding", &caps, err);

	if (r == 0)
		r = seccomp_make(profile ? profile : "default", &caps, &filter, err);
	if (r < 0 || !filter)
		return r;
	if (json_object_set_new(json_object_get(b->spec, "linux"), "seccomp", filter) < 0)
		return err_oom(err);
	return 0;
}

static int add_device(json_t *devices, const char *folder, const char *name, const struct stat *st)
{
	return json_array_append_new(devices, json_pack("{s:o, s:s, s:I, s:I, s:i, s:I, s:I}",
							"path", json_sprintf("%s/%s", folder, name),
							"type", S_ISBLK(st->st_mode) ? "b" : "c",
							"major", (json_int_t)major(st->st_rdev),
							"minor", (json_int_t)minor(st->st_rdev),
							"fileMode", (int)(st->st_mode & 07777),
							"uid", (json_int_t)st->st_uid, "gid",
							(json_int_t)st->st_gid));
}

/* The device nodes of one folder of /dev; the runtime makes the usual ones (null, ...) itself. */
static int add_devices(json_t *devices, const char *folder, int depth, struct error *err)
{
	cleanup_dir DIR *dir = opendir(folder);
	char deeper[512];
	struct dirent *entry;
	struct stat st;
	int r = 0;

	if (!dir)
		return errno == ENOENT ? 0 : err_sys(err, "open folder '%s'", folder);
	while (r == 0 && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.' ||
		    fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode)) {
			if (add_device(devices, folder, entry->d_name, &st) < 0)
				return err_oom(err);
		} else if (S_ISDIR(st.st_mode) && depth > 0 && strcmp(entry->d_name, "pts") != 0 &&
			   strcmp(entry->d_name, "shm") != 0 &&
			   strcmp(entry->d_name, "mqueue") != 0) {
			(void)snprintf(deeper, sizeof(deeper), "%s/%s", folder, entry->d_name);
			r = add_devices(devices, deeper, depth - 1, err);
		}
	}
	return r;
}

static int set_devices(struct bundle *b, struct error *err)
{
	json_t *devices = json_array();

	if (json_object_set_new(json_object_get(b->spec, "linux"), "devices", devices) < 0)
		return err_oom(err);
	return add_devices(devices, "/dev", 2, err);
}

static int set_linux(struct bundle *b, struct error *err)
{
	json_t *linux_part = json_object_get(b->spec, "linux");
	bool privileged = container_config_bool(b->c, "privileged");

	if (json_object_set_new(linux_part, "cgroupsPath", json_sprintf("/cryopod-%s", b->c->id)) <
	    0)
		return err_oom(err);
	return privileged ? set_devices(b, err) : set_seccomp(b, err);
}

/* --- all of it --------------------------------------------------------------- */

static int open_bundle(struct bundle *b, struct error *err)
{
	int r = pod_path(b->pod, b->c->id, "userdata", &b->folder, err);

	if (r < 0)
		return r;
	b->fd = open(b->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (b->fd < 0)
		return err_sys(err, "open folder '%s'", b->folder);
	b->spec = json_deep_copy(json_object_get(b->c->config, "spec"));
	if (!b->spec || json_object_set_new(json_object_get(b->spec, "root"), "path",
					    json_string(b->rootfs)) < 0)
		return err_oom(err);
	return 0;
}

int spec_write(struct pod *pod, const struct container *c, const char *rootfs, struct error *err)
{
	__attribute__((cleanup(bundle_done))) struct bundle b = {
		.pod = pod,
		.c = c,
		.rootfs = rootfs,
		.fd = -EBADF,
	};
	cleanup_fd int rootfd = -EBADF;
	cleanup_free char *text = NULL;
	int r = open_bundle(&b, err);

	if (r < 0)
		return r;
	rootfd = open(rootfs, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (rootfd < 0)
		return err_sys(err, "open folder '%s'", rootfs);
	r = set_user(&b, rootfd, err);
	if (r == 0)
		r = set_folder(&b, rootfd, err);
	if (r == 0)
		r = bind_files(&b, err);
	if (r == 0)
		r = volumes_prepare(pod, c, rootfs, json_object_get(b.spec, "mounts"), err);
	if (r == 0)
		r = set_linux(&b, err);
	if (r == 0)
		r = json_format(b.spec, 2, &text, err);
	if (r == 0)
		r = file_write_atomic_at(b.fd, "config.json", text, strlen(text), 0600, err);
	return r;
}
