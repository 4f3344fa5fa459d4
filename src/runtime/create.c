#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cgroupfs.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "runtime/bundle.h"
#include "runtime/cgroup-resources.h"
#include "runtime/cgroup-warm.h"
#include "runtime/console.h"
#include "runtime/container.h"
#include "runtime/hook.h"
#include "runtime/init.h"
#include "runtime/namespace.h"
#include "runtime/pid-file.h"
#include "runtime/runtime.h"
#include "runtime/spec.h"
#include "runtime/streams.h"
#include "runtime/sync.h"
#include "runtime/sysctl.h"

/* What one creation has made so far; undone by create_undo() unless it was completed. */
struct create {
	const struct create_opts *opts;
	struct bundle bundle;
	struct container container;
	pid_t init;
	int sync;
	int console;
	bool made;
	bool completed;
};

static void create_undo(struct create *c)
{
	if (c->sync >= 0)
		(void)close(c->sync); /* the init ends by this, if it is there */
	if (!c->completed && c->init > 0) {
		(void)kill(c->init, SIGKILL); /* our own child, not waited for yet */
		while (waitpid(c->init, NULL, 0) < 0 && errno == EINTR)
			;
	}
	if (!c->completed && c->made) {
		(void)cgroup_remove(&c->container.cgroup, NULL); /* the cause is what counts */
		(void)container_remove(&c->container, NULL);
	}
	if (c->console >= 0)
		(void)close(c->console); /* the init has its own */
	container_done(&c->container);
	bundle_done(&c->bundle);
}

static int check_request(const struct create *c, struct error *err)
{
	const struct spec *spec = &c->bundle.spec;
	const bool has_socket = c->opts->console_socket || c->opts->console_fd >= 0;

	if (!spec->process)
		return err_set(err, -EBADMSG, "config.json: process: missing");
	if (spec->process->terminal && !has_socket)
		return err_set(
			err, -EINVAL,
			"cannot allocate tty if the runtime will detach without setting console socket");
	if (!spec->process->terminal && c->opts->console_socket)
		return err_set(
			err, -EINVAL,
			"cannot use console socket if the runtime will not detach or allocate tty");
	return sysctl_check(spec, err);
}

static int copy_config(const struct create *c, struct error *err)
{
	return file_replace_at(c->container.dir, CONTAINER_CONFIG, c->bundle.text,
			       c->bundle.text_len, 0600, err);
}

static int make_fifo(const struct create *c, struct error *err)
{
	/* Whoever the init is by then must be able to write; the folder above keeps others out. */
	if (mkfifoat(c->container.dir, CONTAINER_FIFO, 0622) < 0 ||
	    fchmodat(c->container.dir, CONTAINER_FIFO, 0622, 0) < 0)
		return err_sys(err, "make fifo '%s'", CONTAINER_FIFO);
	return 0;
}

/* The folder and the plan, written down before anything of it is made (container.h). */
static int make_container(const struct runtime *rt, const char *id, struct create *c,
			  struct error *err)
{
	cleanup_cgroupfs struct cgroupfs all = CGROUPFS_INIT;
	int r;

	r = container_make(rt, id, &c->container, err);
	if (r < 0)
		return r;
	c->made = true;
	r = bundle_describe(&c->bundle, &c->container, err);
	if (r >= 0)
		r = copy_config(c, err);
	if (r >= 0)
		r = make_fifo(c, err);
	if (r >= 0)
		r = cgroupfs_load(&all, err);
	if (r >= 0)
		r = cgroup_plan(&all, c->bundle.spec.lx.cgroups_path, id, &c->container.cgroup,
				err);
	if (r >= 0)
		r = container_save(&c->container, err);
	return r;
}

/* Beside the init's work: every call here may wait for the kernel's grace period. */
static int make_groups(struct create *c, struct error *err)
{
	int r;

	r = cgroup_create(&c->container.cgroup, err);
	if (r >= 0)
		r = container_save(&c->container, err);
	if (r >= 0)
		r = cgroup_set_resources(&c->container.cgroup, &c->bundle.spec.lx.resources, err);
	if (r >= 0)
		r = cgroup_join(&c->container.cgroup, c->init, err);
	return r;
}

static int make_init(struct create *c, struct error *err)
{
	struct init init = {
		.spec = &c->bundle.spec,
		.container = &c->container,
		.bundle = c->bundle.path,
		.rootfs = c->bundle.rootfs,
		.console = c->console,
		.preserve_fds = c->opts->preserve_fds,
		.no_pivot = c->opts->no_pivot,
		.no_new_keyring = c->opts->no_new_keyring,
	};
	cleanup_fd int theirs = -EBADF;
	int r;

	r = sync_pair(&c->sync, &theirs, err);
	if (r < 0)
		return r;
	init.sync = theirs;
	r = ns_clone_child(&c->bundle.spec, &c->init, err);
	if (r < 0)
		return r;
	if (c->init == 0) {
		(void)close(c->sync); /* else we would keep the maker's end alive ourselves */
		init_run_child(&init);
	}
	return 0;
}

/* The maker's side of what init.c does. */
static int accompany(struct create *c, struct error *err)
{
	const struct spec *spec = &c->bundle.spec;
	const bool new_user = spec_new_ns(spec, NS_KIND_USER);
	int r;

	r = procref_of(c->init, &c->container.init, err);
	if (r >= 0)
		r = ns_map_ids(spec, c->init, err);
	if (r >= 0 && new_user)
		r = sync_send(c->sync, SYNC_GO, err);
	if (r >= 0)
		r = make_groups(c, err);
	if (r >= 0)
		r = sync_send(c->sync, SYNC_GO, err);
	if (r < 0)
		return r;
	r = sync_expect_either(c->sync, SYNC_HOOKS, SYNC_READY, err);
	if (r != SYNC_HOOKS)
		return r < 0 ? r : 0;
	r = hook_run(spec, HOOK_PRESTART, &c->container, err);
	if (r >= 0)
		r = hook_run(spec, HOOK_CREATE_RUNTIME, &c->container, err);
	if (r >= 0)
		r = sync_send(c->sync, SYNC_GO, err);
	if (r >= 0)
		r = sync_expect(c->sync, SYNC_READY, err);
	return r;
}

static int complete(struct create *c, struct error *err)
{
	int r = streams_note(&c->container, c->init, err);

	if (r >= 0)
		r = container_save(&c->container, err);
	if (r >= 0)
		r = pid_file_write(c->opts->pid_file, c->init, err);
	if (r >= 0)
		r = sync_send(c->sync, SYNC_GO, err);
	if (r >= 0)
		c->completed = true;
	return r;
}

static int create(const struct runtime *rt, const char *id, struct create *c, struct error *err)
{
	int r;

	r = bundle_open(c->opts->bundle, &c->bundle, err);
	if (r >= 0)
		r = check_request(c, err);
	if (r < 0)
		return r;
	if (c->bundle.spec.process->terminal) {
		c->console = c->opts->console_fd >= 0
				     ? fd_dup_above(c->opts->console_fd, 3)
				     : console_connect(c->opts->console_socket, err);
		if (c->console < 0)
			return c->opts->console_fd >= 0
				       ? err_set(err, c->console,
						 "duplicate the console's descriptor: %s",
						 strerror(-c->console))
				       : c->console;
	}
	r = make_container(rt, id, c, err);
	if (r >= 0)
		r = make_init(c, err);
	if (r >= 0)
		r = accompany(c, err);
	if (r >= 0)
		r = complete(c, err);
	return r;
}

int runtime_create(const struct runtime *rt, const char *id, const struct create_opts *opts,
		   pid_t *ret_pid, struct error *err)
{
	struct create c = { .opts = opts,
			    .bundle = BUNDLE_INIT,
			    .container = CONTAINER_INIT,
			    .sync = -EBADF,
			    .console = -EBADF };
	cleanup_cgroup_warm struct cgroup_warm warm = CGROUP_WARM_INIT;
	int r;

	cgroup_warm_begin(&warm);
	r = create(rt, id, &c, err);
	if (r >= 0 && ret_pid)
		*ret_pid = c.init;
	create_undo(&c);
	if (r < 0)
		return err_wrap(err, r, "create container '%s'", id);
	return 0;
}
