#include "cmd/cryo/old-mount-options.h"

#include <errno.h>
#include <string.h>

#include "base/err.h"

int old_mount_options_use(const struct old_mount_options *o, struct strv *externals,
			  struct error *err)
{
	for (size_t i = 0; i < o->map.n; i++) {
		const char *word = o->map.items[i];
		const char *colon = strchr(word, ':');

		if (!strcmp(word, "auto"))
			strv_addf(externals, "mnt[]:%s%s", o->masters ? "m" : "",
				  o->sharing ? "s" : "");
		else if (colon && colon > word && colon[1])
			strv_addf(externals, "mnt[%.*s]:%s", (int)(colon - word), word, colon + 1);
		else
			return err_set(err, -EINVAL,
				       "--ext-mount-map %s: neither auto nor of the form KEY:VALUE",
				       word);
	}
	return strv_ok(externals) ? 0 : err_oom(err);
}

void old_mount_options_done(struct old_mount_options *o)
{
	strv_done(&o->map);
}
