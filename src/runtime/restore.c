#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cgroupfs.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/file.h"
#include "cryo/restore.h"
#include "runtime/bundle.h"
#include "runtime/cgroup-resources.h"
#include "runtime/cgroup-warm.h"
#include "runtime/console.h"
#include "runtime/container.h"
#include "runtime/hook.h"
#include "runtime/images.h"
#include "runtime/outside.h"
#include "runtime/pid-file.h"
#include "runtime/relay.h"
#include "runtime/rootfs.h"
#include "runtime/runtime.h"
#include "runtime/spec.h"
#include "runtime/sysctl.h"

struct restore {
	const struct restore_opts *opts;
	struct bundle bundle;
	struct container container;
	struct images images;
	struct outside outside;
	int console; /* socket that receives the terminal; negative: none */
	pid_t pid;
	bool made;
};

/* --- the folder, the groups, the mount points ------------------------------------- */

/* Below another mount of the list a mount point is that one's business. */
static bool lies_in_another(const struct spec *spec, size_t index)
{
	const char *destination = spec->mounts[index].destination;

	for (size_t i = 0; i < index; i++) {
		const char *other = spec->mounts[i].destination;
		size_t len = strlen(other);

		if (strncmp(destination, other, len) == 0 && destination[len] == '/')
			return true;
	}
	return false;
}

static int make_mount_points(const struct bundle *bundle, struct error *err)
{
	const struct spec *spec = &bundle->spec;
	cleanup_fd int root = open(bundle->rootfs, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (root < 0)
		return err_sys(err, "open root file system '%s'", bundle->rootfs);
	for (size_t i = 0; i < spec->n_mounts; i++) {
		const struct spec_mount *m = &spec->mounts[i];
		cleanup_fd int target = -EBADF;
		bool folder = true;
		struct stat st;

		if (lies_in_another(spec, i))
			continue;
		if (m->options.bind) {
			cleanup_fd int base = open(bundle->path, O_PATH | O_CLOEXEC);

			if (fstatat(base, m->source, &st, 0) < 0)
				return err_sys(err, "mount '%s': source '%s'", m->destination,
					       m->source);
			folder = S_ISDIR(st.st_mode);
		}
		target = rootfs_target(root, m->destination, folder, err);
		if (target < 0)
			return err_wrap(err, target, "mount point '%s'", m->destination);
	}
	return 0;
}

static int make_container(const struct runtime *rt, const char *id, struct restore *x,
			  struct error *err)
{
	cleanup_cgroupfs struct cgroupfs all = CGROUPFS_INIT;
	struct container *c = &x->container;
	int r;

	r = container_make(rt, id, c, err);
	if (r < 0)
		return r;
	x->made = true;
	r = bundle_describe(&x->bundle, c, err);
	if (r >= 0)
		r = file_replace_at(c->dir, CONTAINER_CONFIG, x->bundle.text, x->bundle.text_len,
				    0600, err);
	if (r >= 0)
		r = cgroupfs_load(&all, err);
	if (r >= 0)
		r = cgroup_plan(&all, x->bundle.spec.lx.cgroups_path, id, &c->cgroup, err);
	if (r >= 0)
		r = container_save(c, err);
	if (r >= 0)
		r = make_mount_points(&x->bundle, err);
	return r;
}

/* --- the two moments ---------------------------------------------------------------- */

/* The images hold no more than the settings of devices: what config.json sets is set again. */
static int set_up_network(const struct spec *spec, pid_t pid, struct error *err)
{
	cleanup_fd int home = -EBADF;
	cleanup_fd int there = -EBADF;
	char path[64];
	int r;

	if (!spec_new_ns(spec, NS_KIND_NET))
		return 0;
	(void)snprintf(path, sizeof(path), "/proc/%d/ns/net", pid);
	home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	there = open(path, O_RDONLY | O_CLOEXEC);
	if (home < 0 || there < 0)
		return err_sys(err, "open '%s'", home < 0 ? "/proc/self/ns/net" : path);
	if (setns(there, CLONE_NEWNET) < 0)
		return err_sys(err, "enter the container's network namespace");
	r = sysctl_apply(spec, "net.", err);
	if (setns(home, CLONE_NEWNET) < 0 && r >= 0)
		r = err_sys(err, "return to our own network namespace");
	return r;
}

/* As late as here, since each of these may wait for the kernel's grace period (cgroup-warm.h),
 * which passes while the images are read. */
static int make_groups(struct restore *x, pid_t host_pid, struct error *err)
{
	struct container *c = &x->container;
	int r;

	r = cgroup_create(&c->cgroup, err);
	if (r >= 0)
		r = container_save(c, err);
	if (r >= 0)
		r = cgroup_set_resources(&c->cgroup, &x->bundle.spec.lx.resources, err);
	if (r >= 0)
		r = cgroup_join(&c->cgroup, host_pid, err);
	return r;
}

static int created(void *arg, pid_t host_pid, struct error *err)
{
	struct restore *x = arg;
	const struct spec *spec = &x->bundle.spec;
	int r;

	r = make_groups(x, host_pid, err);
	if (r >= 0)
		r = procref_of(host_pid, &x->container.init, err);
	if (r >= 0)
		r = set_up_network(spec, host_pid, err);
	if (r >= 0)
		r = hook_run(spec, HOOK_PRESTART, &x->container, err);
	if (r >= 0)
		r = hook_run(spec, HOOK_CREATE_RUNTIME, &x->container, err);
	return r;
}

/* From here on the container is known: if we die now, `delete --force` finds it. */
static int built(void *arg, pid_t host_pid, struct error *err)
{
	struct restore *x = arg;
	int r;

	r = container_save(&x->container, err);
	if (r >= 0)
		r = pid_file_write(x->opts->create.pid_file, host_pid, err);
	return r;
}

static int revive(struct restore *x, struct error *err)
{
	const struct checkpoint_opts *images = &x->opts->images;
	struct cryo_restore_opts o = CRYO_RESTORE_OPTS_INIT;

	o.images_dir = x->images.dir;
	o.work_dir = x->images.work;
	o.root = x->bundle.rootfs;
	o.cgroups = x->images.cgroups;
	o.shell_job = images->shell_job;
	o.file_locks = images->file_locks;
	o.tcp_established = images->tcp_established;
	o.tcp_close = images->tcp_close;
	o.ext_unix_sk = images->ext_unix_sk;
	o.link_remap = images->link_remap;
	o.externals = strv_argv(&x->outside.externals);
	o.empty_ns = strv_argv(&x->outside.empty_ns);
	o.inherit_fds = x->outside.inherit;
	o.n_inherit_fds = x->outside.n_inherit;
	o.join_ns = x->outside.join;
	o.n_join_ns = x->outside.n_join;
	o.console_socket = x->console;
	o.created = created;
	o.built = built;
	o.arg = x;
	return cryo_restore(&o, &x->pid, NULL, err);
}

/* --- the whole ------------------------------------------------------------------------ */

static int open_console(struct restore *x, int *ret_ours, struct error *err)
{
	const char *path = x->opts->create.console_socket;
	const bool terminal = x->bundle.spec.process && x->bundle.spec.process->terminal;
	int pair[2];

	if (path) {
		x->console = console_connect(path, err);
		return x->console < 0 ? x->console : 0;
	}
	if (!terminal)
		return 0;
	if (x->opts->detach)
		return err_set(
			err, -EINVAL,
			"cannot allocate tty if the runtime will detach without setting console socket");
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(err, "make a socket pair");
	*ret_ours = pair[0];
	x->console = pair[1];
	return 0;
}

static int restore(const struct runtime *rt, const char *id, struct restore *x, int *ret_console,
		   struct error *err)
{
	int r;

	r = images_open(&x->opts->images, false, &x->images, err);
	if (r >= 0)
		r = bundle_open(x->opts->create.bundle, &x->bundle, err);
	if (r >= 0)
		r = open_console(x, ret_console, err);
	if (r >= 0)
		r = make_container(rt, id, x, err);
	if (r >= 0)
		r = outside_for_restore(&x->bundle.spec, x->bundle.path, &x->container.cgroup,
					&x->outside, err);
	for (char *const *ns = x->opts->images.empty_ns; r >= 0 && ns && *ns; ns++)
		strv_add(&x->outside.empty_ns, *ns);
	if (r >= 0 && !strv_ok(&x->outside.empty_ns))
		r = err_oom(err);
	if (r >= 0)
		r = outside_load_streams(&x->container, x->images.dir, &x->outside, err);
	if (r >= 0)
		r = revive(x, err);
	if (r < 0 && x->made) {
		(void)cgroup_remove(&x->container.cgroup, NULL); /* the cause is what counts */
		(void)container_remove(&x->container, NULL);
	}
	return r;
}

static int attend(const struct runtime *rt, const char *id, pid_t pid, int signals, int console,
		  int *ret_code, struct error *err)
{
	cleanup_fd int master = -EBADF;
	int r;

	if (console >= 0) {
		master = console_receive(console, err);
		if (master < 0)
			return master;
	}
	r = relay_run(signals, pid, master, ret_code, err);
	if (r < 0)
		return r;
	return runtime_delete(rt, id, true, err);
}

int runtime_restore(const struct runtime *rt, const char *id, const struct restore_opts *opts,
		    int *ret_code, struct error *err)
{
	cleanup_cgroup_warm struct cgroup_warm warm = CGROUP_WARM_INIT;
	cleanup_fd int console = -EBADF;
	cleanup_fd int signals = -EBADF;
	struct restore x = { .opts = opts,
			     .bundle = BUNDLE_INIT,
			     .container = CONTAINER_INIT,
			     .images = IMAGES_INIT,
			     .outside = OUTSIDE_INIT,
			     .console = -EBADF };
	int r = 0;

	*ret_code = 0;
	cgroup_warm_begin(&warm);
	if (!opts->detach)
		r = relay_open(&signals, err);
	if (r >= 0)
		r = restore(rt, id, &x, &console, err);
	cgroup_warm_end(&warm);
	cleanup_fd_p(&x.console);
	outside_done(&x.outside);
	images_done(&x.images);
	container_done(&x.container);
	bundle_done(&x.bundle);
	if (r < 0)
		return err_wrap(err, r, "restore container '%s'", id);
	return opts->detach ? 0 : attend(rt, id, x.pid, signals, console, ret_code, err);
}
