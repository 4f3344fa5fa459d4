#include "runtime/images.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/file.h"
#include "runtime/runtime.h"

#define DEFAULT_FOLDER "checkpoint"

static int open_folder(const char *path, bool make, struct error *err)
{
	int fd;
	int r;

	if (make) {
		r = file_make_dirs_at(AT_FDCWD, path, 0700, err);
		if (r < 0)
			return r;
	}
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(err, "open folder '%s'", path);
	return fd;
}

static int parse_mode(const char *name, enum cryo_cgroups_mode *ret, struct error *err)
{
	static const struct {
		const char *name;
		enum cryo_cgroups_mode mode;
	} modes[] = {
		{ "soft", CRYO_CGROUPS_SOFT },	   { "full", CRYO_CGROUPS_FULL },
		{ "strict", CRYO_CGROUPS_STRICT }, { "ignore", CRYO_CGROUPS_IGNORE },
		{ "none", CRYO_CGROUPS_NONE },	   { "props", CRYO_CGROUPS_PROPS },
	};

	if (!name || !*name) {
		*ret = CRYO_CGROUPS_SOFT;
		return 0;
	}
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++)
		if (strcmp(name, modes[i].name) == 0) {
			*ret = modes[i].mode;
			return 0;
		}
	return err_set(err, -EINVAL, "invalid manage-cgroups-mode '%s'", name);
}

static int refuse(const struct checkpoint_opts *opts, struct error *err)
{
	if (opts->lazy_pages)
		return err_set(err, -EOPNOTSUPP, "--lazy-pages is not supported");
	if (opts->page_server && *opts->page_server)
		return err_set(err, -EOPNOTSUPP, "--page-server is not supported");
	if (opts->pre_dump)
		return err_set(err, -EOPNOTSUPP,
			       "--pre-dump: checkpoints in two steps are not supported yet");
	if (opts->parent_path && *opts->parent_path)
		return err_set(err, -EOPNOTSUPP,
			       "--parent-path: checkpoints in two steps are not supported yet");
	return 0;
}

int images_open(const struct checkpoint_opts *opts, bool make, struct images *ret,
		struct error *err)
{
	cleanup_images struct images images = IMAGES_INIT;
	const char *path =
		opts->image_path && *opts->image_path ? opts->image_path : DEFAULT_FOLDER;
	int r;

	r = refuse(opts, err);
	if (r >= 0)
		r = parse_mode(opts->cgroups_mode, &images.cgroups, err);
	if (r < 0)
		return r;
	images.dir = open_folder(path, make, err);
	if (images.dir < 0)
		return images.dir;
	images.work = open_folder(opts->work_path && *opts->work_path ? opts->work_path : path,
				  make, err);
	if (images.work < 0)
		return images.work;
	*ret = images;
	images = (struct images)IMAGES_INIT;
	return 0;
}

void images_done(struct images *images)
{
	cleanup_fd_p(&images->dir);
	cleanup_fd_p(&images->work);
	*images = (struct images)IMAGES_INIT;
}
