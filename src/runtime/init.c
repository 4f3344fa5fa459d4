#include "runtime/init.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/netlink.h"
#include "runtime/console.h"
#include "runtime/container.h"
#include "runtime/hook.h"
#include "runtime/namespace.h"
#include "runtime/process.h"
#include "runtime/rootfs.h"
#include "runtime/spec.h"
#include "runtime/sync.h"
#include "runtime/syscall-filter.h"
#include "runtime/sysctl.h"

static int set_names(const struct spec *spec, struct error *err)
{
	if (spec->hostname && *spec->hostname && spec_wants_ns(spec, NS_KIND_UTS) &&
	    sethostname(spec->hostname, strlen(spec->hostname)) < 0)
		return err_sys(err, "set host name '%s'", spec->hostname);
	if (spec->domainname && *spec->domainname && spec_wants_ns(spec, NS_KIND_UTS) &&
	    setdomainname(spec->domainname, strlen(spec->domainname)) < 0)
		return err_sys(err, "set domain name '%s'", spec->domainname);
	return 0;
}

/* In a new user namespace nobody is mapped at birth: become its root. */
static int become_root(const struct spec *spec, struct error *err)
{
	if (!spec_wants_ns(spec, NS_KIND_USER))
		return 0;
	if (setresgid(0, 0, 0) < 0)
		return err_sys(err, "become the group root of the user namespace");
	if (setresuid(0, 0, 0) < 0)
		return err_sys(err, "become the root of the user namespace");
	return 0;
}

static int set_personality(const struct spec *spec, struct error *err)
{
	if (spec->lx.has_personality && personality(spec->lx.personality) < 0)
		return err_sys(err, "set the personality");
	return 0;
}

/* Namespaces and what belongs to them, while the host's root is still there. */
static int enter_namespaces(const struct init *init, struct error *err)
{
	const struct spec *spec = init->spec;
	int r;

	if (setsid() < 0)
		return err_sys(err, "make a session");
	/* Nobody in the container may look into us while we still see the host. */
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return err_sys(err, "keep others from tracing");
	r = become_root(spec, err);
	if (r >= 0)
		r = init->no_new_keyring ? 0 : process_join_keyring(init->container->id, err);
	if (r >= 0 && spec_new_ns(spec, NS_KIND_NET))
		r = netlink_loopback_up(err);
	if (r >= 0)
		r = set_names(spec, err);
	if (r >= 0 && spec->process)
		r = process_set_oom_score(spec->process, err);
	return r;
}

static int run_outside_hooks(const struct init *init, struct error *err)
{
	const struct spec *spec = init->spec;
	int r = 0;

	if (hook_any(spec, HOOK_PRESTART) || hook_any(spec, HOOK_CREATE_RUNTIME)) {
		r = sync_send(init->sync, SYNC_HOOKS, err);
		if (r >= 0)
			r = sync_expect(init->sync, SYNC_GO, err);
	}
	if (r >= 0)
		r = hook_run(spec, HOOK_CREATE_CONTAINER, init->container, err);
	return r;
}

/*
 * The maker makes our groups and puts us there while we mount: that waits for a
 * grace period of the kernel's, which is most of the time a creation takes. A
 * cgroup namespace has its root where we are, so it's made then, too.
 */
static int wait_for_groups(void *arg, struct error *err)
{
	const struct init *init = arg;
	int r = sync_expect(init->sync, SYNC_GO, err);

	return r < 0 ? r : ns_enter_cgroup(init->spec, err);
}

static int build_root(struct init *init, struct error *err)
{
	struct rootfs rootfs = { .spec = init->spec,
				 .cgroup = &init->container->cgroup,
				 .bundle = init->bundle,
				 .path = init->rootfs,
				 .groups_ready = wait_for_groups,
				 .arg = init,
				 .fd = -EBADF };
	int r;

	r = rootfs_open(&rootfs, err);
	if (r >= 0)
		r = rootfs_mount(&rootfs, err);
	if (r >= 0)
		r = run_outside_hooks(init, err);
	if (r >= 0)
		r = sysctl_apply(init->spec, "", err);
	if (r >= 0)
		r = rootfs_enter(&rootfs, init->no_pivot, err);
	if (r >= 0 && init->console >= 0)
		r = console_setup(init->console, init->spec->process, true, err);
	if (r >= 0)
		r = rootfs_protect(&rootfs, err);
	if (rootfs.fd >= 0)
		(void)close(rootfs.fd); /* opened as a place only */
	return r;
}

/* Blocks in open(2) until `start` opens the other end, as users of runc expect. */
static int wait_for_start(const struct init *init, struct error *err)
{
	cleanup_fd int fifo = -EBADF;

	do {
		fifo = openat(init->container->dir, CONTAINER_FIFO, O_WRONLY | O_CLOEXEC);
	} while (fifo < 0 && errno == EINTR);
	if (fifo < 0)
		return err_sys(err, "open the fifo that 'start' opens");
	if (write(fifo, "0", 1) < 0)
		return err_sys(err, "tell 'start' that we go on");
	return 0;
}

static int set_up(struct init *init, struct process *process, struct seccomp_program *filter,
		  struct error *err)
{
	const int keep[] = { init->sync, init->container->dir };
	int r;

	r = enter_namespaces(init, err);
	if (r >= 0)
		r = build_root(init, err);
	if (r >= 0)
		r = set_personality(init->spec, err);
	if (r >= 0)
		r = seccomp_compile(init->spec->lx.seccomp, filter, err);
	if (r >= 0)
		r = process_prepare(process, init->spec->process, err);
	if (r >= 0)
		r = process_become(process, err);
	if (r >= 0)
		r = process_close_fds(init->preserve_fds, keep, (int)ARRAY_SIZE(keep), err);
	return r;
}

/* What still is between `start` and the program. */
static int go_on(const struct init *init, struct error *err)
{
	int r;

	r = wait_for_start(init, err);
	if (r >= 0)
		r = hook_run(init->spec, HOOK_START_CONTAINER, init->container, err);
	if (r >= 0)
		r = process_close_fds(init->preserve_fds, NULL, 0, err);
	return r;
}

_Noreturn void init_run_child(struct init *init)
{
	struct process process = PROCESS_INIT;
	struct seccomp_program filter = SECCOMP_PROGRAM_INIT;
	struct error err = ERROR_INIT;
	int r;

	process_reset_signals();
	(void)umask(0);
	/* The maker maps the ids of a new user namespace before anything can be done there. */
	r = spec_new_ns(init->spec, NS_KIND_USER) ? sync_expect(init->sync, SYNC_GO, &err) : 0;
	if (r >= 0)
		r = set_up(init, &process, &filter, &err);
	if (r >= 0)
		r = sync_send(init->sync, SYNC_READY, &err);
	if (r < 0) {
		sync_send_failure(init->sync, &err);
		_exit(1);
	}
	if (sync_expect(init->sync, SYNC_GO, &err) < 0)
		_exit(1); /* nobody knows us */
	r = go_on(init, &err);
	if (r >= 0)
		(void)process_exec(&process, &filter, &err);
	/* Nobody listens any more but who reads the container's standard error. */
	(void)dprintf(STDERR_FILENO, "cryorun: %s\n", err.text);
	_exit(err.code == -ENOENT ? 127 : err.code == -EACCES ? 126 : 1);
}
