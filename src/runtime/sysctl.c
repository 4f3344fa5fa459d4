#include "runtime/sysctl.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/file.h"
#include "runtime/spec.h"

static bool is_ipc(const char *key)
{
	static const char *const keys[] = { "kernel.msgmax",	  "kernel.msgmnb",
					    "kernel.msgmni",	  "kernel.sem",
					    "kernel.shmall",	  "kernel.shmmax",
					    "kernel.shmmni",	  "kernel.shm_rmid_forced",
					    "kernel.msg_next_id", "kernel.sem_next_id",
					    "kernel.shm_next_id" };

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (strcmp(key, keys[i]) == 0)
			return true;
	return strncmp(key, "fs.mqueue.", 10) == 0;
}

/* "net/ipv4/conf" and "net.ipv4.conf" are both written; a slash form may hold dots. */
static void to_dots(const char *key, char *dots, size_t size)
{
	const bool slashes = strchr(key, '/') && strcspn(key, "/") < strcspn(key, ".");

	(void)snprintf(dots, size, "%s", key);
	for (char *c = dots; slashes && *c; c++)
		*c = *c == '/' ? '.' : *c == '.' ? '/' : *c;
}

static int check_key(const struct spec *spec, const char *key, struct error *err)
{
	char dots[NAME_MAX + 1];
	const char *needs;
	enum ns_kind kind;

	if (strlen(key) >= sizeof(dots) || strstr(key, "..") || strstr(key, "//"))
		return err_set(err, -EBADMSG, "linux.sysctl: strange name '%s'", key);
	to_dots(key, dots, sizeof(dots));
	if (is_ipc(dots)) {
		kind = NS_KIND_IPC;
		needs = "ipc";
	} else if (strncmp(dots, "net.", 4) == 0) {
		kind = NS_KIND_NET;
		needs = "network";
	} else if (strcmp(dots, "kernel.domainname") == 0 || strcmp(dots, "kernel.hostname") == 0) {
		kind = NS_KIND_UTS;
		needs = "uts";
	} else if (strncmp(dots, "user.", 5) == 0) {
		kind = NS_KIND_USER;
		needs = "user";
	} else {
		return err_set(err, -EPERM,
			       "linux.sysctl: '%s' is not in a separate kernel namespace", key);
	}
	if (!spec_wants_ns(spec, kind))
		return err_set(err, -EPERM, "linux.sysctl: '%s' needs a %s namespace", key, needs);
	return 0;
}

int sysctl_check(const struct spec *spec, struct error *err)
{
	const char *key;
	json_t *value;

	json_object_foreach(spec->lx.sysctl, key, value)
	{
		int r = check_key(spec, key, err);

		if (r < 0)
			return r;
	}
	return 0;
}

int sysctl_apply(const struct spec *spec, const char *prefix, struct error *err)
{
	const char *key;
	json_t *value;

	json_object_foreach(spec->lx.sysctl, key, value)
	{
		char dots[NAME_MAX + 1];
		char path[NAME_MAX + 32];
		int r;

		to_dots(key, dots, sizeof(dots));
		if (strncmp(dots, prefix, strlen(prefix)) != 0)
			continue;
		for (char *c = dots; *c; c++)
			*c = *c == '.' ? '/' : *c == '/' ? '.' : *c;
		(void)snprintf(path, sizeof(path), "/proc/sys/%s", dots);
		r = file_poke_at(AT_FDCWD, path, json_string_value(value), err);
		if (r < 0)
			return err_wrap(err, r, "linux.sysctl '%s'", key);
	}
	return 0;
}
