#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/personality.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "runtime/spec-priv.h"

static const char *const ns_names[NS_KINDS] = {
	[NS_KIND_USER] = "user",     [NS_KIND_MOUNT] = "mount", [NS_KIND_PID] = "pid",
	[NS_KIND_NET] = "network",   [NS_KIND_IPC] = "ipc",	[NS_KIND_UTS] = "uts",
	[NS_KIND_CGROUP] = "cgroup", [NS_KIND_TIME] = "time",
};

static int parse_namespace(const json_t *json, const char *place, struct spec_linux *ret,
			   struct error *err)
{
	const char *type = "";
	const char *path = NULL;
	int r;

	r = json_field_string(json, place, "type", &type, err);
	if (r >= 0)
		r = json_field_string(json, place, "path", &path, err);
	if (r < 0)
		return r;
	for (size_t kind = 0; kind < NS_KINDS; kind++) {
		struct spec_namespace *ns = &ret->namespaces[kind];

		if (strcmp(type, ns_names[kind]) != 0)
			continue;
		if (ns->wanted)
			return err_set(err, -EBADMSG, "%s: a second namespace of type '%s'", place,
				       type);
		if (path && *path && *path != '/')
			return err_set(err, -EBADMSG, "%s.path: '%s' is not absolute", place, path);
		*ns = (struct spec_namespace){ .wanted = true,
					       .path = path && *path ? path : NULL };
		return 0;
	}
	return err_set(err, -EBADMSG, "%s.type: unknown namespace '%s'", place, type);
}

static int parse_namespaces(const json_t *lx, struct arena *arena, struct spec_linux *ret,
			    struct error *err)
{
	const json_t *item = NULL;
	struct spec_list list;
	char place[64];
	int r;

	r = spec_list_open(lx, "linux", "namespaces", arena, 1, &list, err);
	for (size_t i = 0; r >= 0 && i < list.n; i++) {
		r = spec_list_item(&list, "linux", "namespaces", i, place, sizeof(place), &item,
				   err);
		if (r >= 0)
			r = parse_namespace(item, place, ret, err);
	}
	return r;
}

static int parse_id_maps(const json_t *lx, const char *key, struct arena *arena,
			 struct spec_id_maps *ret, struct error *err)
{
	const json_t *item = NULL;
	struct spec_list list;
	char place[64];
	int r;

	r = spec_list_open(lx, "linux", key, arena, sizeof(struct spec_id_map), &list, err);
	if (r < 0)
		return r;
	ret->items = list.items;
	ret->n = list.n;
	for (size_t i = 0; i < list.n; i++) {
		struct spec_id_map *map = &ret->items[i];

		r = spec_list_item(&list, "linux", key, i, place, sizeof(place), &item, err);
		if (r >= 0)
			r = spec_field_u32(item, place, "containerID", &map->inside, err);
		if (r >= 0)
			r = spec_field_u32(item, place, "hostID", &map->outside, err);
		if (r >= 0)
			r = spec_field_u32(item, place, "size", &map->size, err);
		if (r < 0)
			return r;
		if (map->size == 0)
			return spec_missing(place, "size", err);
	}
	return 0;
}

static int parse_device(const json_t *json, const char *place, struct spec_device *ret,
			struct error *err)
{
	struct spec_device dev = { .mode = 0666 };
	const char *type = "";
	uint32_t mode = 0;
	int r;

	r = json_field_string(json, place, "path", &dev.path, err);
	if (r >= 0)
		r = json_field_string(json, place, "type", &type, err);
	if (r < 0)
		return r;
	if (!dev.path || dev.path[0] != '/')
		return err_set(err, -EBADMSG, "%s.path: expected an absolute path", place);
	if (strlen(type) != 1 || !strchr("cbup", type[0]))
		return err_set(err, -EBADMSG, "%s.type: unknown device type '%s'", place, type);
	dev.type = type[0];
	r = spec_field_u32(json, place, "major", &dev.major, err);
	if (r >= 0)
		r = spec_field_u32(json, place, "minor", &dev.minor, err);
	if (r >= 0)
		r = spec_field_u32(json, place, "uid", &dev.uid, err);
	if (r >= 0)
		r = spec_field_u32(json, place, "gid", &dev.gid, err);
	if (r >= 0)
		r = spec_field_u32(json, place, "fileMode", &mode, err);
	if (r < 0)
		return r;
	if (r > 0)
		dev.mode = mode & 07777;
	*ret = dev;
	return 0;
}

static int parse_devices(const json_t *lx, struct arena *arena, struct spec_linux *ret,
			 struct error *err)
{
	const json_t *item = NULL;
	struct spec_list list;
	char place[64];
	int r;

	r = spec_list_open(lx, "linux", "devices", arena, sizeof(struct spec_device), &list, err);
	if (r < 0)
		return r;
	ret->devices = list.items;
	ret->n_devices = list.n;
	for (size_t i = 0; i < list.n; i++) {
		r = spec_list_item(&list, "linux", "devices", i, place, sizeof(place), &item, err);
		if (r >= 0)
			r = parse_device(item, place, &ret->devices[i], err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int parse_propagation(const json_t *lx, struct spec_linux *ret, struct error *err)
{
	static const struct {
		const char *name;
		unsigned long flags;
	} kinds[] = {
		{ "private", MS_PRIVATE },	 { "rprivate", MS_PRIVATE | MS_REC },
		{ "slave", MS_SLAVE },		 { "rslave", MS_SLAVE | MS_REC },
		{ "shared", MS_SHARED },	 { "rshared", MS_SHARED | MS_REC },
		{ "unbindable", MS_UNBINDABLE }, { "runbindable", MS_UNBINDABLE | MS_REC },
	};
	const char *name = "";
	int r = json_field_string(lx, "linux", "rootfsPropagation", &name, err);

	if (r < 0 || !*name)
		return r;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (strcmp(name, kinds[i].name) == 0) {
			ret->rootfs_propagation = kinds[i].flags;
			return 0;
		}
	return err_set(err, -EBADMSG, "linux.rootfsPropagation: unknown kind '%s'", name);
}

static int parse_personality(const json_t *lx, struct spec_linux *ret, struct error *err)
{
	const char *domain = "";
	json_t *json = NULL;
	json_t *flags = NULL;
	int r;

	r = json_field_object(lx, "linux", "personality", &json, err);
	if (r <= 0)
		return r;
	r = json_field_string(json, "linux.personality", "domain", &domain, err);
	if (r >= 0)
		r = json_field_array(json, "linux.personality", "flags", &flags, err);
	if (r < 0)
		return r;
	if (json_array_size(flags) > 0)
		return err_set(err, -EOPNOTSUPP, "linux.personality.flags are not supported");
	if (strcmp(domain, "LINUX") == 0)
		ret->personality = PER_LINUX;
	else if (strcmp(domain, "LINUX32") == 0)
		ret->personality = PER_LINUX32;
	else
		return err_set(err, -EBADMSG, "linux.personality.domain: unknown domain '%s'",
			       domain);
	ret->has_personality = true;
	return 0;
}

/* An object whose values are all strings. */
static int parse_string_map(const json_t *lx, const char *key, json_t **ret, struct error *err)
{
	const char *name;
	json_t *value;
	int r = json_field_object(lx, "linux", key, ret, err);

	if (r <= 0)
		return r;
	json_object_foreach(*ret, name, value) if (!json_is_string(value)) return err_set(
		err, -EBADMSG, "linux.%s.%s: expected a string", key, name);
	return 0;
}

static int refuse_rest(const json_t *lx, struct error *err)
{
	const char *label = "";
	json_t *json = NULL;
	int r;

	r = json_field_object(lx, "linux", "intelRdt", &json, err);
	if (r < 0)
		return r;
	if (r > 0)
		return err_set(err, -EOPNOTSUPP, "linux.intelRdt is not supported");
	r = json_field_string(lx, "linux", "mountLabel", &label, err);
	if (r < 0)
		return r;
	if (*label)
		return err_set(err, -EOPNOTSUPP, "linux.mountLabel: SELinux is not supported");
	return 0;
}

static int check_user_namespace(const struct spec_linux *lx, struct error *err)
{
	const struct spec_namespace *user = &lx->namespaces[NS_KIND_USER];

	if (user->wanted && !user->path && (lx->uid_maps.n == 0 || lx->gid_maps.n == 0))
		return err_set(
			err, -EBADMSG,
			"linux.uidMappings: a new user namespace needs user and group mappings");
	if (!user->wanted && (lx->uid_maps.n > 0 || lx->gid_maps.n > 0))
		return err_set(err, -EBADMSG,
			       "linux.uidMappings: mappings given without a user namespace");
	if (!lx->namespaces[NS_KIND_MOUNT].wanted)
		return err_set(
			err, -EOPNOTSUPP,
			"linux.namespaces: a container without a mount namespace is not supported");
	return 0;
}

int spec_parse_linux(const json_t *json, struct arena *arena, struct spec_linux *ret,
		     struct error *err)
{
	struct spec_linux lx = { .cgroups_path = NULL };
	json_t *in = NULL;
	json_t *resources = NULL;
	int r;

	r = json_field_object(json, "", "linux", &in, err);
	if (r < 0)
		return r;
	if (r == 0)
		return spec_missing("", "linux", err);
	r = parse_namespaces(in, arena, &lx, err);
	if (r >= 0)
		r = parse_id_maps(in, "uidMappings", arena, &lx.uid_maps, err);
	if (r >= 0)
		r = parse_id_maps(in, "gidMappings", arena, &lx.gid_maps, err);
	if (r >= 0)
		r = parse_devices(in, arena, &lx, err);
	if (r >= 0)
		r = json_field_string(in, "linux", "cgroupsPath", &lx.cgroups_path, err);
	if (r >= 0)
		r = parse_propagation(in, &lx, err);
	if (r >= 0)
		r = json_field_object(in, "linux", "seccomp", &lx.seccomp, err);
	if (r >= 0)
		r = json_field_strings(in, "linux", "maskedPaths", arena, &lx.masked_paths, NULL,
				       err);
	if (r >= 0)
		r = json_field_strings(in, "linux", "readonlyPaths", arena, &lx.readonly_paths,
				       NULL, err);
	if (r >= 0)
		r = parse_string_map(in, "sysctl", &lx.sysctl, err);
	if (r >= 0)
		r = json_field_object(in, "linux", "timeOffsets", &lx.time_offsets, err);
	if (r >= 0)
		r = parse_personality(in, &lx, err);
	if (r >= 0)
		r = refuse_rest(in, err);
	if (r >= 0)
		r = json_field_object(in, "linux", "resources", &resources, err);
	if (r > 0)
		r = spec_parse_resources(resources, "linux.resources", arena, &lx.resources, err);
	if (r >= 0)
		r = check_user_namespace(&lx, err);
	if (r < 0)
		return r;
	*ret = lx;
	return 0;
}
