#include "store/layer.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/file.h"
#include "base/json.h"
#include "store/blob.h"
#include "store/manifest.h"
#include "store/store-priv.h"
#include "store/unpack.h"

#define NAME_SIZE (DIGEST_HEX_LEN + 16)

bool layer_exists(struct store *store, const struct digest *chain)
{
	return faccessat(store->layers_fd, digest_hex(chain), F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

char *layer_path(struct store *store, const struct digest *chain)
{
	char *path = NULL;

	if (asprintf(&path, "%s/layers/%s/diff", store->root, digest_hex(chain)) < 0)
		return NULL;
	return path;
}

int layer_size(struct store *store, const struct digest *chain, uint64_t *ret_size,
	       struct error *err)
{
	cleanup_json json_t *json = NULL;
	char name[NAME_SIZE];
	int r;

	(void)snprintf(name, sizeof(name), "%s/layer.json", digest_hex(chain));
	r = json_read_at(store->layers_fd, name, 65536, &json, err);
	if (r < 0)
		return r;
	r = json_field_uint(json, "layer.json", "size", ret_size, err);
	return r < 0 ? r : 0;
}

/* Folders below, topmost first: some in their place already, some of this same work. */
static int open_lowers(struct work *work, const struct layer_plan *plan, int *fds,
		       struct error *err)
{
	char name[NAME_SIZE];
	size_t n = plan->n_chains - 1;

	for (size_t i = 0; i < n; i++) {
		const struct digest *chain = &plan->chains[n - 1 - i];

		(void)snprintf(name, sizeof(name), "%s/diff", digest_hex(chain));
		fds[i] = openat(work->fd, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (fds[i] < 0 && errno == ENOENT)
			fds[i] = openat(work->store->layers_fd, name,
					O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (fds[i] < 0)
			return err_sys(err, "open layer '%s'", chain->text);
	}
	return 0;
}

static int write_facts(int folder, const struct layer_plan *plan, const struct unpacked *unpacked,
		       struct error *err)
{
	cleanup_free char *text = NULL;
	int n;

	n = asprintf(&text,
		     "{\"diffID\": \"%s\", \"blob\": \"%s\", \"size\": %" PRIu64
		     ", \"entries\": %" PRIu64 "}\n",
		     plan->diff_id->text, plan->blob->text, unpacked->size, unpacked->entries);
	if (n < 0) {
		text = NULL;
		return err_oom(err);
	}
	return file_write_atomic_at(folder, "layer.json", text, (size_t)n, 0600, err);
}

static int check_digests(const struct layer_plan *plan, const struct unpacked *unpacked,
			 struct error *err)
{
	if (!digest_equal(&unpacked->blob, plan->blob))
		return err_set(err, -EBADMSG, "damaged: its content has digest '%s'",
			       unpacked->blob.text);
	if (!digest_equal(&unpacked->diff_id, plan->diff_id))
		return err_set(err, -EBADMSG,
			       "not the layer its image asks for: unpacked it is '%s', not '%s'",
			       unpacked->diff_id.text, plan->diff_id->text);
	return 0;
}

static int unpack_into(struct work *work, int blobs_fd, int folder, const struct layer_plan *plan,
		       int *lowers, struct error *err)
{
	struct unpack unpack = { .compression = TAR_LAYER, .n_lowers = plan->n_chains - 1 };
	cleanup_fd int blob = -EBADF;
	cleanup_fd int diff = -EBADF;
	struct unpacked unpacked;
	int r;

	r = open_lowers(work, plan, lowers, err);
	if (r == 0)
		r = blob_open(blobs_fd, plan->blob, &blob, err);
	if (r < 0)
		return r;
	if (mkdirat(folder, "diff", 0755) < 0 || fchmodat(folder, "diff", 0755, 0) < 0)
		return err_sys(err, "make folder 'diff'");
	diff = openat(folder, "diff", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (diff < 0)
		return err_sys(err, "open folder 'diff'");
	unpack.into = diff;
	unpack.lowers = lowers;
	r = unpack_tar(&unpack, blob, &unpacked, err);
	if (r == 0)
		r = check_digests(plan, &unpacked, err);
	return r < 0 ? r : write_facts(folder, plan, &unpacked, err);
}

int layer_unpack(struct work *work, int blobs_fd, const struct layer_plan *plan, struct error *err)
{
	const char *name = digest_hex(&plan->chains[plan->n_chains - 1]);
	cleanup_free int *lowers = NULL;
	cleanup_fd int folder = -EBADF;
	int r;

	lowers = malloc(plan->n_chains * sizeof(*lowers));
	if (!lowers)
		return err_oom(err);
	for (size_t i = 0; i < plan->n_chains; i++)
		lowers[i] = -EBADF;
	if (mkdirat(work->fd, name, 0700) < 0)
		return err_sys(err, "make folder '%s'", name);
	folder = openat(work->fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (folder < 0)
		return err_sys(err, "open folder '%s'", name);
	r = unpack_into(work, blobs_fd, folder, plan, lowers, err);
	for (size_t i = 0; i < plan->n_chains; i++)
		cleanup_fd_p(&lowers[i]);
	return r < 0 ? err_wrap(err, r, "layer '%s'", plan->blob->text) : 0;
}

int layer_commit(struct work *work, const struct digest *chain, struct error *err)
{
	const char *name = digest_hex(chain);

	if (renameat(work->fd, name, work->store->layers_fd, name) == 0)
		return 0;
	if (errno == EEXIST || errno == ENOTEMPTY) /* somebody else was first */
		return 0;
	return err_sys(err, "move layer '%s' into its place", name);
}
