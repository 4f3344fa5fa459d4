#include "pod/find-image.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/err.h"
#include "base/lock.h"
#include "base/strv.h"
#include "store/image.h"
#include "store/store.h"
#include "store/transport.h"

static int pull(struct store *store, const char *name, struct error *err)
{
	const struct pull_options options = PULL_OPTIONS_INIT;
	cleanup_strv struct strv ids = STRV_INIT;

	return image_pull(store, name, &options, &ids, err);
}

static int find_held(struct store *store, const char *name, struct lock *ret_hold,
		     struct image **ret_image, struct error *err)
{
	cleanup_lock struct lock hold = LOCK_INIT;
	int r;

	r = store_hold(store, &hold, err);
	if (r == 0)
		r = image_find(store, name, ret_image, err);
	if (r < 0)
		return r;
	*ret_hold = hold;
	hold = (struct lock)LOCK_INIT;
	return 0;
}

int find_image(struct store *store, const char *name, const char *policy, struct lock *ret_hold,
	       struct image **ret_image, struct error *err)
{
	bool never = policy && strcmp(policy, "never") == 0;
	/* pulling what is here unchanged is one question to its registry */
	bool always = policy && (strcmp(policy, "always") == 0 || strcmp(policy, "newer") == 0);
	int r;

	if (policy && !never && !always && strcmp(policy, "missing") != 0)
		return err_set(err, -EINVAL, "unsupported pull policy \"%s\"", policy);
	r = always ? -ENOENT : find_held(store, name, ret_hold, ret_image, err);
	if (r != -ENOENT || never)
		return r;
	r = pull(store, name, err); /* takes the store's lock itself: it is not held here */
	return r < 0 ? r : find_held(store, name, ret_hold, ret_image, err);
}
