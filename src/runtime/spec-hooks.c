#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>

#include "base/err.h"
#include "runtime/spec-priv.h"

static const char *const kind_keys[HOOK_KINDS] = {
	[HOOK_PRESTART] = "prestart",
	[HOOK_CREATE_RUNTIME] = "createRuntime",
	[HOOK_CREATE_CONTAINER] = "createContainer",
	[HOOK_START_CONTAINER] = "startContainer",
	[HOOK_POSTSTART] = "poststart",
	[HOOK_POSTSTOP] = "poststop",
};

static int parse_hook(const json_t *json, const char *place, struct arena *arena,
		      struct spec_hook *ret, struct error *err)
{
	struct spec_hook hook = { .path = NULL };
	int64_t timeout = 0;
	int r;

	r = json_field_string(json, place, "path", &hook.path, err);
	if (r < 0)
		return r;
	if (r == 0 || hook.path[0] != '/')
		return err_set(err, -EBADMSG, "%s.path: expected an absolute path", place);
	r = json_field_strings(json, place, "args", arena, &hook.args, NULL, err);
	if (r >= 0)
		r = json_field_strings(json, place, "env", arena, &hook.env, NULL, err);
	if (r >= 0)
		r = json_field_int(json, place, "timeout", &timeout, err);
	if (r < 0)
		return r;
	if (r > 0 && (timeout <= 0 || timeout > INT_MAX / 1000))
		return err_set(err, -EBADMSG, "%s.timeout: %" PRId64 " is not a number of seconds",
			       place, timeout);
	hook.timeout_s = (unsigned int)timeout;
	*ret = hook;
	return 0;
}

int spec_parse_hooks(const json_t *json, struct arena *arena, struct spec_hooks *ret,
		     struct error *err)
{
	json_t *hooks = NULL;
	const json_t *item = NULL;
	char place[64];
	int r;

	r = json_field_object(json, "", "hooks", &hooks, err);
	if (r <= 0)
		return r;
	for (size_t kind = 0; kind < HOOK_KINDS; kind++) {
		const char *key = kind_keys[kind];
		struct spec_list list;
		struct spec_hook *items;

		r = spec_list_open(hooks, "hooks", key, arena, sizeof(struct spec_hook), &list,
				   err);
		if (r < 0)
			return r;
		items = list.items;
		for (size_t i = 0; i < list.n; i++) {
			r = spec_list_item(&list, "hooks", key, i, place, sizeof(place), &item,
					   err);
			if (r >= 0)
				r = parse_hook(item, place, arena, &items[i], err);
			if (r < 0)
				return r;
		}
		ret[kind] = (struct spec_hooks){ .items = items, .n = list.n };
	}
	return 0;
}
