#include "runtime/spec.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "runtime/spec-priv.h"

#define PLACE_MAX 64

int spec_missing(const char *place, const char *key, struct error *err)
{
	return err_set(err, -EBADMSG, "%s%s%s: missing or empty", place, *place ? "." : "", key);
}

int spec_field_u32(const json_t *object, const char *place, const char *key, uint32_t *ret,
		   struct error *err)
{
	uint64_t n = 0;
	int r = json_field_uint(object, place, key, &n, err);

	if (r <= 0)
		return r;
	if (n > UINT32_MAX)
		return err_set(err, -EBADMSG, "%s%s%s: %" PRIu64 " does not fit 32 bits", place,
			       *place ? "." : "", key, n);
	*ret = (uint32_t)n;
	return 1;
}

int spec_list_open(const json_t *object, const char *place, const char *key, struct arena *arena,
		   size_t item_size, struct spec_list *ret, struct error *err)
{
	struct spec_list list = { .array = NULL };
	int r;

	r = json_field_array(object, place, key, &list.array, err);
	if (r < 0)
		return r;
	list.n = json_array_size(list.array); /* takes NULL */
	if (list.n > 0) {
		list.items = arena_array(arena, list.n, item_size);
		if (!list.items)
			return err_oom(err);
	}
	*ret = list;
	return 0;
}

int spec_list_item(const struct spec_list *list, const char *outer, const char *key, size_t i,
		   char *place, size_t place_size, const json_t **ret, struct error *err)
{
	const json_t *item = json_array_get(list->array, i);

	(void)snprintf(place, place_size, "%s%s%s[%zu]", outer, *outer ? "." : "", key, i);
	if (!json_is_object(item))
		return err_set(err, -EBADMSG, "%s: expected an object", place);
	*ret = item;
	return 0;
}

static int parse_mount(const json_t *json, const char *place, struct arena *arena,
		       struct spec_mount *ret, struct error *err)
{
	struct spec_mount mount = { .source = NULL };
	json_t *maps = NULL;
	char **words = NULL;
	int r;

	r = json_field_string(json, place, "destination", &mount.destination, err);
	if (r < 0)
		return r;
	if (r == 0 || !*mount.destination)
		return spec_missing(place, "destination", err);
	r = json_field_string(json, place, "type", &mount.type, err);
	if (r >= 0)
		r = json_field_string(json, place, "source", &mount.source, err);
	if (r >= 0)
		r = json_field_strings(json, place, "options", arena, &words, NULL, err);
	if (r < 0)
		return r;
	r = mount_options_parse(words, arena, &mount.options, err);
	if (r < 0)
		return err_wrap(err, r, "%s", place);
	if (json_field_array(json, place, "uidMappings", &maps, NULL) != 0)
		mount.options.id_mapped = true;
	if (mount.options.id_mapped)
		return err_set(err, -EOPNOTSUPP, "%s: id-mapped mounts are not supported", place);
	if (mount.options.bind || (mount.type && strcmp(mount.type, "bind") == 0)) {
		if (!mount.options.bind)
			mount.options.recursive_bind = true;
		mount.options.bind = true;
		mount.type = "bind";
		if (!mount.source || !*mount.source)
			return spec_missing(place, "source", err);
	}
	if (!mount.type || !*mount.type)
		return spec_missing(place, "type", err);
	*ret = mount;
	return 0;
}

static int parse_mounts(const json_t *json, struct spec *spec, struct error *err)
{
	struct spec_list list;
	char place[PLACE_MAX];
	const json_t *item = NULL;
	int r;

	r = spec_list_open(json, "", "mounts", &spec->arena, sizeof(struct spec_mount), &list, err);
	if (r < 0)
		return r;
	spec->mounts = list.items;
	spec->n_mounts = list.n;
	for (size_t i = 0; i < list.n; i++) {
		r = spec_list_item(&list, "", "mounts", i, place, sizeof(place), &item, err);
		if (r >= 0)
			r = parse_mount(item, place, &spec->arena, &spec->mounts[i], err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int parse_root(const json_t *json, struct spec *spec, struct error *err)
{
	json_t *root = NULL;
	int r;

	r = json_field_object(json, "", "root", &root, err);
	if (r < 0)
		return r;
	if (r > 0) {
		r = json_field_string(root, "root", "path", &spec->root_path, err);
		if (r < 0)
			return r;
		r = json_field_bool(root, "root", "readonly", &spec->root_readonly, err);
		if (r < 0)
			return r;
	}
	if (!spec->root_path || !*spec->root_path)
		return spec_missing("root", "path", err);
	return 0;
}

static int parse_version(const json_t *json, struct spec *spec, struct error *err)
{
	int r = json_field_string(json, "", "ociVersion", &spec->oci_version, err);

	if (r < 0)
		return r;
	if (r == 0 || !*spec->oci_version)
		return spec_missing("", "ociVersion", err);
	if (strncmp(spec->oci_version, "1.", 2) != 0)
		return err_set(err, -EOPNOTSUPP, "ociVersion: '%s' is not supported, only 1.x",
			       spec->oci_version);
	return 0;
}

static int parse(struct spec *spec, struct error *err)
{
	const json_t *json = spec->json;
	json_t *part = NULL;
	int r;

	if (!json_is_object(json))
		return err_set(err, -EBADMSG, "expected a JSON object");
	r = parse_version(json, spec, err);
	if (r >= 0)
		r = parse_root(json, spec, err);
	if (r >= 0)
		r = json_field_string(json, "", "hostname", &spec->hostname, err);
	if (r >= 0)
		r = json_field_string(json, "", "domainname", &spec->domainname, err);
	if (r >= 0)
		r = json_field_object(json, "", "annotations", &spec->annotations, err);
	if (r >= 0)
		r = parse_mounts(json, spec, err);
	if (r >= 0)
		r = spec_parse_hooks(json, &spec->arena, spec->hooks, err);
	if (r >= 0)
		r = json_field_object(json, "", "process", &part, err);
	if (r < 0)
		return r;
	if (r > 0) {
		spec->process = arena_new(&spec->arena, struct spec_process);
		if (!spec->process)
			return err_oom(err);
		r = spec_parse_process(part, "process", &spec->arena, spec->process, err);
		if (r < 0)
			return r;
	}
	return spec_parse_linux(json, &spec->arena, &spec->lx, err);
}

int spec_from_json_consume(json_t *json, struct spec *ret, struct error *err)
{
	cleanup_spec struct spec spec = { .json = json };
	int r;

	r = parse(&spec, err);
	if (r < 0)
		return r;
	*ret = spec;
	spec = (struct spec)SPEC_INIT;
	return 0;
}

int spec_load_at(int dirfd, const char *name, struct spec *ret, struct error *err)
{
	json_t *json = NULL;
	int r;

	r = json_read_at(dirfd, name, SPEC_SIZE_MAX, &json, err);
	if (r < 0)
		return r;
	r = spec_from_json_consume(json, ret, err);
	if (r < 0)
		return err_wrap(err, r, "%s", name);
	return 0;
}

void spec_done(struct spec *spec)
{
	arena_done(&spec->arena);
	json_decref(spec->json);
	*spec = (struct spec)SPEC_INIT;
}
