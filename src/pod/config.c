#include "pod/config.h"

#include <errno.h>

#include "base/err.h"

int config_strings(const json_t *config, const char *key, struct strv *ret, struct error *err)
{
	const json_t *array = json_object_get(config, key);
	const json_t *item;
	size_t i;

	if (!array || json_is_null(array))
		return 0;
	if (!json_is_array(array))
		return err_set(err, -EBADMSG, "config: '%s' is not an array", key);
	json_array_foreach(array, i, item)
	{
		if (!json_is_string(item))
			return err_set(err, -EBADMSG, "config: '%s' holds more than strings", key);
		strv_add(ret, json_string_value(item));
	}
	return strv_ok(ret) ? 0 : err_oom(err);
}

json_t *config_array(const struct strv *strings)
{
	json_t *array = json_array();

	for (size_t i = 0; array && i < strings->n; i++) {
		if (json_array_append_new(array, json_string(strings->items[i])) < 0) {
			json_decref(array);
			return NULL;
		}
	}
	return array;
}
