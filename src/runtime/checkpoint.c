#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/log.h"
#include "base/proc.h"
#include "cryo/dump.h"
#include "runtime/cgroup-tasks.h"
#include "runtime/checkpoint.h"
#include "runtime/container.h"
#include "runtime/destroy.h"
#include "runtime/images.h"
#include "runtime/outside.h"
#include "runtime/runtime.h"
#include "runtime/spec.h"
#include "runtime/streams.h"

int checkpoint_check_status(const struct container *c, struct error *err)
{
	const enum container_status status = container_status(c);

	switch (status) {
	case CONTAINER_RUNNING:
		return 0;
	case CONTAINER_PAUSED:
		err_set(err, -EBUSY, "container is paused: '%s'", c->id);
		err_hint(err, "resume it first: what is frozen can't be asked");
		return -EBUSY;
	case CONTAINER_CREATED:
	case CONTAINER_CREATING:
	case CONTAINER_STOPPED:
		break;
	}
	return err_set(err, -EBUSY, "container not running: '%s' is %s", c->id,
		       container_status_name(status));
}

static int by_number(const void *a, const void *b)
{
	const pid_t x = *(const pid_t *)a;
	const pid_t y = *(const pid_t *)b;

	return (x > y) - (x < y);
}

int checkpoint_strays(const struct container *c, checkpoint_found *found, void *arg,
		      struct error *err)
{
	cleanup_free pid_t *pids = NULL;
	size_t n = 0;
	int r;

	r = cgroup_pids(&c->cgroup, &pids, &n, err);
	if (r < 0)
		return r;
	if (n > 0)
		qsort(pids, n, sizeof(*pids), by_number);
	r = 0;
	for (size_t i = 0; i < n; i++) {
		struct error obstacle = ERROR_INIT;
		struct proc_stat stat;

		if (pids[i] == c->init.pid || proc_stat_of(pids[i], &stat, NULL) < 0 ||
		    stat.state == 'Z' || bsearch(&stat.ppid, pids, n, sizeof(*pids), by_number))
			continue;
		(void)err_set(&obstacle, -EOPNOTSUPP,
			      "process %d (%s) was brought into the container by exec: it can't be "
			      "saved",
			      pids[i], stat.comm);
		err_hint(&obstacle, "wait for its end, or end it");
		found(arg, &obstacle);
		r++;
	}
	return r;
}

static void keep_first(void *arg, const struct error *obstacle)
{
	struct error *first = arg;

	if (!first->code)
		*first = *obstacle;
}

static int refuse_strays(const struct container *c, struct error *err)
{
	struct error first = ERROR_INIT;
	int r = checkpoint_strays(c, keep_first, &first, err);

	if (r <= 0)
		return r;
	if (err)
		*err = first;
	return first.code;
}

struct dump_context {
	const struct container *container;
	int images;
	int hold_fd;
};

/* Others save what belongs to the same moment, or find that they can't. */
static int hold(int fd, struct error *err)
{
	char answer = 0;
	ssize_t n;

	if (write(fd, "1", 1) != 1)
		return err_sys(err, "tell the holder that all is saved");
	do
		n = read(fd, &answer, 1);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_sys(err, "wait for the holder's answer");
	if (n == 1 && answer == '1')
		return 0;
	return err_set(err, -ECANCELED, "%s", n == 0 ? "the holder is gone" : "the holder said no");
}

/* All is stopped and saved: the last thing that must not fail after the processes are gone. */
static int complete(void *arg, struct error *err)
{
	const struct dump_context *ctx = arg;
	int r = streams_save(ctx->container, ctx->images, err);

	return r < 0 || ctx->hold_fd < 0 ? r : hold(ctx->hold_fd, err);
}

void checkpoint_dump_opts(const struct container *c, const struct checkpoint_opts *opts,
			  const struct outside *outside, struct cryo_dump_opts *ret)
{
	ret->pid = c->init.pid;
	ret->root = c->rootfs;
	ret->after = opts->leave_running ? CRYO_AFTER_RUN : CRYO_AFTER_KILL;
	ret->shell_job = opts->shell_job;
	ret->orphan_pts_master = true; /* a console: the caller of create has its master */
	ret->file_locks = opts->file_locks;
	ret->tcp_established = opts->tcp_established;
	ret->tcp_skip_in_flight = opts->tcp_skip_in_flight;
	ret->ext_unix_sk = opts->ext_unix_sk;
	ret->link_remap = opts->link_remap;
	ret->externals = strv_argv(&outside->externals);
	ret->empty_ns = strv_argv(&outside->empty_ns);
}

static int dump(const struct container *c, const struct checkpoint_opts *opts,
		const struct images *images, const struct outside *outside, struct error *err)
{
	struct dump_context ctx = {
		.container = c,
		.images = images->dir,
		.hold_fd = opts->hold_fd,
	};
	struct cryo_dump_opts dump_opts = CRYO_DUMP_OPTS_INIT;

	checkpoint_dump_opts(c, opts, outside, &dump_opts);
	dump_opts.images_dir = images->dir;
	dump_opts.work_dir = images->work;
	dump_opts.cgroups = images->cgroups;
	dump_opts.early_stats = opts->hold_fd >= 0;
	dump_opts.complete = complete;
	dump_opts.arg = &ctx;
	return cryo_dump(&dump_opts, NULL, err);
}

int checkpoint_outside(const struct container *c, const struct checkpoint_opts *opts,
		       struct outside *ret, struct error *err)
{
	cleanup_spec struct spec spec = SPEC_INIT;
	int r = spec_load_at(c->dir, CONTAINER_CONFIG, &spec, err);

	if (r >= 0)
		r = outside_for_dump(&spec, c, ret, err);
	if (r < 0)
		return r;
	for (char *const *ns = opts->empty_ns; ns && *ns; ns++)
		strv_add(&ret->empty_ns, *ns);
	return strv_ok(&ret->empty_ns) ? 0 : err_oom(err);
}

static void tell_status(int fd)
{
	if (fd >= 0)
		(void)!write(fd, "", 1); /* the listener's loss */
}

static int checkpoint(const struct container *c, const struct checkpoint_opts *opts,
		      struct error *err)
{
	cleanup_outside struct outside outside = OUTSIDE_INIT;
	cleanup_images struct images images = IMAGES_INIT;
	int r;

	r = checkpoint_check_status(c, err);
	if (r >= 0)
		r = refuse_strays(c, err);
	if (r >= 0)
		r = images_open(opts, true, &images, err);
	if (r >= 0)
		r = checkpoint_outside(c, opts, &outside, err);
	if (r >= 0)
		r = dump(c, opts, &images, &outside, err);
	if (r < 0)
		return r;
	tell_status(opts->status_fd);
	return 0;
}

int runtime_checkpoint(const struct runtime *rt, const char *id, const struct checkpoint_opts *opts,
		       struct error *err)
{
	cleanup_container struct container c = CONTAINER_INIT;
	struct error late = ERROR_INIT;
	int r;

	r = container_open(rt, id, true, &c, err);
	if (r < 0)
		return r;
	r = checkpoint(&c, opts, err);
	if (r < 0)
		return err_wrap(err, r, "checkpoint container '%s'", id);
	/* The images are complete: what is left over of the container is no reason to fail. */
	if (!opts->leave_running && container_destroy(&c, &late) < 0)
		log_warn("container '%s' is saved, but not cleaned up: %s", id, late.text);
	return 0;
}
