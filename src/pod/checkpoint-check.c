#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "pod/checkpoint.h"
#include "pod/container.h"
#include "pod/held.h"
#include "pod/oci.h"

#define CHECK_FEATURE "io.cryopod.runtime.checkpoint.check"

int checkpoint_check_status(const struct container *c, struct error *err)
{
	if (c->state.status == STATUS_RUNNING)
		return 0;
	return err_set(err, -EBUSY,
		       "\"%s\" is not running, cannot checkpoint: container state improper",
		       status_name(c->state.status));
}

int checkpoint_check(const struct pod *pod, const struct held *held, const struct strv *words,
		     struct buf *out, struct error *err)
{
	cleanup_strv struct strv all = STRV_INIT;
	const struct container *c = &held->c;
	int r = checkpoint_check_status(c, err);

	if (r < 0)
		return r;
	/* Another runtime might take an option it does not know for none, and checkpoint. */
	if (!oci_has_feature(pod, c, CHECK_FEATURE))
		return err_set(err, -EOPNOTSUPP,
			       "%s can't tell what stands in the way of a checkpoint",
			       oci_runtime_name(c));
	strv_add(&all, "--check");
	for (size_t i = 0; i < words->n; i++)
		strv_add(&all, words->items[i]);
	return strv_ok(&all) ? oci_ask(pod, c, "checkpoint", &all, NULL, out, err) : err_oom(err);
}
