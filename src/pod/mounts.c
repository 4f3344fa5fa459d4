/*
 * mounts: --volume, --mount and --tmpfs as mounts of the OCI spec.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/json.h"
#include "pod/create.h"
#include "pod/spec.h"

struct fixed_mount {
	const char *destination;
	const char *type;
	const char *source;
	const char *options; /* comma-separated */
};

static const struct fixed_mount fixed_mounts[] = {
	{ "/proc", "proc", "proc", "nosuid,noexec,nodev" },
	{ "/dev", "tmpfs", "tmpfs", "nosuid,strictatime,mode=755,size=65536k" },
	{ "/dev/pts", "devpts", "devpts",
	  "nosuid,noexec,newinstance,ptmxmode=0666,mode=0620,gid=5" },
	{ "/dev/mqueue", "mqueue", "mqueue", "nosuid,noexec,nodev" },
};

static json_t *split_options(const char *options)
{
	json_t *array = json_array();

	while (array && *options) {
		size_t len = strcspn(options, ",");

		if (len > 0 && json_array_append_new(array, json_stringn(options, len)) < 0) {
			json_decref(array);
			return NULL;
		}
		options += len + (options[len] == ',');
	}
	return array;
}

/* A later mount of the same place replaces the earlier one. */
static int add_mount(json_t *mounts, const char *destination, const char *type, const char *source,
		     const char *options, struct error *err)
{
	cleanup_json json_t *mount =
		json_pack("{s:s, s:s, s:s, s:o}", "destination", destination, "type", type,
			  "source", source, "options", split_options(options));
	json_t *other;
	size_t i;

	if (!mount)
		return err_oom(err);
	json_array_foreach(mounts, i, other)
	{
		const char *there = json_string_value(json_object_get(other, "destination"));

		if (there && strcmp(there, destination) == 0)
			return json_array_set(mounts, i, mount) < 0 ? err_oom(err) : 0;
	}
	return json_array_append(mounts, mount) < 0 ? err_oom(err) : 0;
}

int size_parse(const char *word, uint64_t *ret, struct error *err)
{
	char *end = NULL;
	unsigned long long n;
	unsigned int shift = 0;

	errno = 0;
	n = strtoull(word, &end, 10);
	switch (end ? *end : 0) {
	case 'k':
	case 'K':
		shift = 10;
		break;
	case 'm':
	case 'M':
		shift = 20;
		break;
	case 'g':
	case 'G':
		shift = 30;
		break;
	case 't':
	case 'T':
		shift = 40;
		break;
	}
	if (end && shift)
		end++;
	if (end && (*end == 'b' || *end == 'B'))
		end++;
	if (errno || end == word || !end || *end || word[0] == '-' || n > UINT64_MAX >> shift)
		return err_set(err, -EINVAL, "invalid size: '%s'", word);
	*ret = (uint64_t)n << shift;
	return 0;
}

static int add_fixed(const struct create_options *o, json_t *mounts, struct error *err)
{
	char shm[96];
	uint64_t size = UINT64_C(65536000);
	bool host_ipc = o->ipc && strcmp(o->ipc, "host") == 0;
	int r = o->shm_size ? size_parse(o->shm_size, &size, err) : 0;

	for (size_t i = 0; i < ARRAY_SIZE(fixed_mounts) && r == 0; i++) {
		const struct fixed_mount *m = &fixed_mounts[i];

		r = add_mount(mounts, m->destination, m->type, m->source, m->options, err);
	}
	if (r < 0)
		return r;
	r = add_mount(mounts, "/sys", "sysfs", "sysfs",
		      o->privileged ? "nosuid,noexec,nodev,rw" : "nosuid,noexec,nodev,ro", err);
	if (r == 0)
		r = add_mount(mounts, "/sys/fs/cgroup", "cgroup", "cgroup",
			      o->privileged ? "rprivate,nosuid,noexec,nodev,relatime,rw"
					    : "rprivate,nosuid,noexec,nodev,relatime,ro",
			      err);
	if (r < 0)
		return r;
	(void)snprintf(shm, sizeof(shm), "nosuid,noexec,nodev,mode=1777,size=%llu",
		       (unsigned long long)size);
	return host_ipc ? add_mount(mounts, "/dev/shm", "bind", "/dev/shm",
				    "rbind,rprivate,nosuid,noexec,nodev,rw", err)
			: add_mount(mounts, "/dev/shm", "tmpfs", "shm", shm, err);
}

static int add_tmpfs(json_t *mounts, const char *word, struct error *err)
{
	cleanup_free char *destination = strdup(word);
	cleanup_free char *options = NULL;
	char *colon;

	if (!destination)
		return err_oom(err);
	colon = strchr(destination, ':');
	if (colon)
		*colon++ = '\0';
	if (destination[0] != '/')
		return err_set(err, -EINVAL,
			       "invalid container path \"%s\", must be an absolute path",
			       destination);
	if (asprintf(&options, "rprivate,nosuid,nodev,%s%stmpcopyup", colon ? colon : "rw", ",") <
	    0) {
		options = NULL;
		return err_oom(err);
	}
	return add_mount(mounts, destination, "tmpfs", "tmpfs", options, err);
}

static bool is_volume_name(const char *word)
{
	size_t len =
		strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-");

	return word[0] && word[len] == '\0' && word[0] != '.' && word[0] != '-' && len < 256;
}

/* Podman's own words among volume options; those left are mount options. */
static int volume_options(const char *options, char **ret, struct error *err)
{
	cleanup_buf struct buf out = BUF_INIT;
	bool propagation = false;

	buf_adds(&out, "rbind");
	while (*options) {
		size_t len = strcspn(options, ",");
		char word[64];

		(void)snprintf(word, sizeof(word), "%.*s", (int)len, options);
		options += len + (options[len] == ',');
		if (strcmp(word, "z") == 0 || strcmp(word, "Z") == 0 || strcmp(word, "copy") == 0 ||
		    strcmp(word, "rbind") == 0)
			continue; /* labels: SELinux only; the rest is what is done anyway */
		if (strcmp(word, "U") == 0 || strcmp(word, "O") == 0 ||
		    strcmp(word, "nocopy") == 0 || strncmp(word, "idmap", 5) == 0 ||
		    strncmp(word, "upperdir", 8) == 0)
			return err_set(err, -EOPNOTSUPP, "volume option '%s' is not supported",
				       word);
		propagation |=
			strstr(word, "private") || strstr(word, "shared") || strstr(word, "slave");
		buf_addf(&out, ",%s", word);
	}
	if (!propagation)
		buf_adds(&out, ",rprivate");
	if (!buf_ok(&out))
		return err_oom(err);
	*ret = take_ptr(&out.data);
	return 0;
}

/* A named volume's source is filled in at init: "volume:NAME". */
static int add_volume(json_t *mounts, json_t *volumes, const char *source, const char *destination,
		      const char *options, struct error *err)
{
	cleanup_free char *all = NULL;
	cleanup_free char *absolute = NULL;
	char name[ID_LEN + 1];
	int r;

	if (destination[0] != '/')
		return err_set(err, -EINVAL,
			       "invalid container path \"%s\", must be an absolute path",
			       destination);
	r = volume_options(options, &all, err);
	if (r < 0)
		return r;
	if (source[0] == '/' || source[0] == '.') {
		absolute = realpath(source, NULL);
		if (!absolute)
			return err_set(err, -errno, "statfs %s: no such file or directory", source);
		return add_mount(mounts, destination, "bind", absolute, all, err);
	}
	if (source[0] == '\0') { /* anonymous */
		r = id_generate(name, err);
		if (r < 0)
			return r;
		source = name;
	}
	if (!is_volume_name(source))
		return err_set(err, -EINVAL,
			       "error creating named volume \"%s\": names must match "
			       "[a-zA-Z0-9][a-zA-Z0-9_.-]*: invalid argument",
			       source);
	if (json_array_append_new(volumes,
				  json_pack("{s:s, s:s, s:b}", "volumeName", source, "dest",
					    destination, "setAnonymous", source == name)) < 0)
		return err_oom(err);
	if (asprintf(&absolute, "volume:%s", source) < 0) {
		absolute = NULL;
		return err_oom(err);
	}
	return add_mount(mounts, destination, "bind", absolute, all, err);
}

/* SOURCE:DESTINATION[:OPTIONS], or DESTINATION alone */
static int add_volume_word(json_t *mounts, json_t *volumes, const char *word, struct error *err)
{
	cleanup_free char *copy = strdup(word);
	char *destination;
	char *options;

	if (!copy)
		return err_oom(err);
	destination = strchr(copy, ':');
	if (!destination)
		return add_volume(mounts, volumes, "", copy, "", err);
	*destination++ = '\0';
	options = strchr(destination, ':');
	if (options)
		*options++ = '\0';
	if (copy[0] == '\0' || (options && strchr(options, ':')))
		return err_set(err, -EINVAL,
			       "incorrect volume format, should be "
			       "[host-dir:]ctr-dir[:option]: %s",
			       word);
	return add_volume(mounts, volumes, copy, destination, options ? options : "", err);
}

struct mount_words {
	char type[16];
	char source[PATH_MAX];
	char destination[PATH_MAX];
	struct buf options;
};

static int read_mount_word(struct mount_words *m, const char *key, const char *value,
			   struct error *err)
{
	if (strcmp(key, "type") == 0)
		(void)snprintf(m->type, sizeof(m->type), "%s", value);
	else if (strcmp(key, "src") == 0 || strcmp(key, "source") == 0)
		(void)snprintf(m->source, sizeof(m->source), "%s", value);
	else if (strcmp(key, "dst") == 0 || strcmp(key, "target") == 0 ||
		 strcmp(key, "destination") == 0)
		(void)snprintf(m->destination, sizeof(m->destination), "%s", value);
	else if (strcmp(key, "ro") == 0 || strcmp(key, "readonly") == 0)
		buf_adds(&m->options, strcmp(value, "false") == 0 ? "rw," : "ro,");
	else if (strcmp(key, "rw") == 0)
		buf_adds(&m->options, "rw,");
	else if (strcmp(key, "tmpfs-size") == 0)
		buf_addf(&m->options, "size=%s,", value);
	else if (strcmp(key, "tmpfs-mode") == 0)
		buf_addf(&m->options, "mode=%s,", value);
	else if (strcmp(key, "bind-propagation") == 0)
		buf_addf(&m->options, "%s,", value);
	else
		return err_set(err, -EINVAL, "%s: invalid mount option", key);
	return 0;
}

static void mount_words_done(struct mount_words *m)
{
	buf_done(&m->options);
}

/* --mount type=bind,src=/a,dst=/b,ro */
static int add_mount_word(json_t *mounts, json_t *volumes, const char *word, struct error *err)
{
	__attribute__((cleanup(mount_words_done))) struct mount_words m = { .type = "volume" };
	cleanup_free char *copy = strdup(word);
	cleanup_free char *both = NULL;
	char *save = NULL;
	int r;

	if (!copy)
		return err_oom(err);
	for (char *at = strtok_r(copy, ",", &save); at; at = strtok_r(NULL, ",", &save)) {
		char *equals = strchr(at, '=');

		if (equals)
			*equals++ = '\0';
		r = read_mount_word(&m, at, equals ? equals : "", err);
		if (r < 0)
			return r;
	}
	if (!buf_ok(&m.options))
		return err_oom(err);
	if (!m.destination[0])
		return err_set(err, -EINVAL, "must set volume destination: %s", word);
	if (m.options.len > 0)
		m.options.data[m.options.len - 1] = '\0';
	if (strcmp(m.type, "tmpfs") == 0) {
		if (asprintf(&both, "%s:%s", m.destination,
			     m.options.len ? buf_str(&m.options) : "rw") < 0) {
			both = NULL;
			return err_oom(err);
		}
		return add_tmpfs(mounts, both, err);
	}
	if (strcmp(m.type, "bind") == 0 && m.source[0] != '/')
		return err_set(err, -EINVAL, "a bind mount needs an absolute source: %s", word);
	if (strcmp(m.type, "bind") != 0 && strcmp(m.type, "volume") != 0)
		return err_set(err, -EOPNOTSUPP, "invalid filesystem type \"%s\"", m.type);
	return add_volume(mounts, volumes, m.source, m.destination, buf_str(&m.options), err);
}

int mounts_make(const struct create_options *o, const struct strv *image_volumes, json_t **ret,
		json_t *volumes, struct error *err)
{
	static const char *const writable[] = { "/run", "/tmp", "/var/tmp" };
	cleanup_json json_t *mounts = json_array();
	int r = mounts ? add_fixed(o, mounts, err) : err_oom(err);

	for (size_t i = 0; o->read_only && i < ARRAY_SIZE(writable) && r == 0; i++)
		r = add_tmpfs(mounts, writable[i], err);
	for (size_t i = 0; i < image_volumes->n && r == 0; i++)
		r = add_volume(mounts, volumes, "", image_volumes->items[i], "", err);
	for (size_t i = 0; i < o->tmpfs.n && r == 0; i++)
		r = add_tmpfs(mounts, o->tmpfs.items[i], err);
	for (size_t i = 0; i < o->volumes.n && r == 0; i++)
		r = add_volume_word(mounts, volumes, o->volumes.items[i], err);
	for (size_t i = 0; i < o->mounts.n && r == 0; i++)
		r = add_mount_word(mounts, volumes, o->mounts.items[i], err);
	if (r < 0)
		return r;
	*ret = take_ptr(&mounts);
	return 0;
}
