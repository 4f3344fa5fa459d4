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

#include "base/cleanup.h"
#include "base/err.h"
#include "runtime/cgroup-warm.h"
#include "runtime/console.h"
#include "runtime/container.h"
#include "runtime/exec-process.h"
#include "runtime/namespace.h"
#include "runtime/pid-file.h"
#include "runtime/process.h"
#include "runtime/relay.h"
#include "runtime/runtime.h"
#include "runtime/spec.h"
#include "runtime/sync.h"
#include "runtime/syscall-filter.h"

struct exec {
	const struct exec_opts *opts;
	struct container container;
	struct spec spec;
	struct exec_process process;
	int target;	/* pidfd of the container's init */
	int namespaces; /* CLONE_NEW... that are not ours already */
	int sync;	/* ours while it lives in the maker, the process's in the process */
	int console;
	pid_t pid;
};

static bool is_same_namespace(pid_t pid, const char *file)
{
	char path[64];
	struct stat ours;
	struct stat theirs;

	(void)snprintf(path, sizeof(path), "/proc/%d/ns/%s", pid, file);
	if (stat(path, &theirs) < 0)
		return true; /* a kind this kernel doesn't have */
	(void)snprintf(path, sizeof(path), "/proc/self/ns/%s", file);
	return stat(path, &ours) == 0 && ours.st_ino == theirs.st_ino &&
	       ours.st_dev == theirs.st_dev;
}

static int find_target(struct exec *x, struct error *err)
{
	x->target = procref_open(&x->container.init, err);
	if (x->target < 0)
		return err_set(err, x->target, "cannot exec in a stopped container");
	for (int kind = 0; kind < NS_KINDS; kind++)
		if (!is_same_namespace(x->container.init.pid, ns_file((enum ns_kind)kind)))
			x->namespaces |= (int)ns_clone_flag((enum ns_kind)kind);
	return 0;
}

/* --- the process ------------------------------------------------------------- */

static int enter(const struct exec *x, struct error *err)
{
	const int rest = x->namespaces & ~CLONE_NEWPID; /* its maker was there already */
	int r;

	if (setsid() < 0)
		return err_sys(err, "make a session");
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return err_sys(err, "keep others from tracing");
	r = process_set_oom_score(&x->process.process, err);
	if (r < 0)
		return r;
	if (rest && setns(x->target, rest) < 0)
		return err_sys(err, "join the namespaces of container '%s'", x->container.id);
	if ((rest & CLONE_NEWUSER) && (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0))
		return err_sys(err, "become the root of the user namespace");
	return process_join_keyring(x->container.id, err);
}

static int set_up(const struct exec *x, struct process *process, struct seccomp_program *filter,
		  struct error *err)
{
	int r;

	r = enter(x, err);
	if (r >= 0 && x->console >= 0)
		r = console_setup(x->console, &x->process.process, false, err);
	if (r >= 0)
		r = seccomp_compile(x->spec.lx.seccomp, filter, err);
	if (r >= 0)
		r = process_prepare(process, &x->process.process, err);
	if (r >= 0)
		r = process_become(process, err);
	if (r >= 0)
		r = process_close_fds(x->opts->preserve_fds, &x->sync, 1, err);
	return r;
}

static _Noreturn void run_child(const struct exec *x)
{
	struct process process = PROCESS_INIT;
	struct seccomp_program filter = SECCOMP_PROGRAM_INIT;
	struct error err = ERROR_INIT;
	int r;

	process_reset_signals();
	(void)umask(0);
	r = sync_expect(x->sync, SYNC_GO, &err); /* we're in the container's groups */
	if (r >= 0)
		r = set_up(x, &process, &filter, &err);
	if (r >= 0)
		r = sync_send(x->sync, SYNC_READY, &err);
	if (r >= 0)
		r = sync_expect(x->sync, SYNC_GO, &err);
	if (r >= 0)
		(void)process_exec(&process, &filter, &err); /* the socket closes on success */
	sync_send_failure(x->sync, &err);
	_exit(1);
}

/* --- its maker --------------------------------------------------------------- */

static int make_process(struct exec *x, struct error *err)
{
	cleanup_fd int theirs = -EBADF;
	int r;

	r = sync_pair(&x->sync, &theirs, err);
	if (r < 0)
		return r;
	/* A process belongs to the PID namespace it is born in. */
	if ((x->namespaces & CLONE_NEWPID) && setns(x->target, CLONE_NEWPID) < 0)
		return err_sys(err, "join the PID namespace of container '%s'", x->container.id);
	x->pid = fork();
	if (x->pid < 0)
		return err_sys(err, "make a process");
	if (x->pid == 0) {
		(void)close(x->sync); /* else we'd keep the maker's end alive ourselves */
		x->sync = theirs;
		run_child(x);
	}
	return 0;
}

static int accompany(struct exec *x, struct error *err)
{
	int r;

	r = cgroup_join(&x->container.cgroup, x->pid, err);
	if (r >= 0)
		r = sync_send(x->sync, SYNC_GO, err);
	if (r >= 0)
		r = sync_expect(x->sync, SYNC_READY, err);
	if (r >= 0)
		r = pid_file_write(x->opts->pid_file, x->pid, err);
	if (r >= 0)
		r = sync_send(x->sync, SYNC_GO, err);
	if (r < 0)
		return r;
	r = sync_expect(x->sync, SYNC_READY, err); /* only a failure or the end can come now */
	return r == -EPIPE ? 0 : r;
}

static void kill_process(const struct exec *x)
{
	if (x->pid <= 0)
		return;
	(void)kill(x->pid, SIGKILL); /* our own child, not waited for yet */
	while (waitpid(x->pid, NULL, 0) < 0 && errno == EINTR)
		;
}

static int check_status(const struct exec *x, struct error *err)
{
	const enum container_status status = container_status(&x->container);

	if (status == CONTAINER_STOPPED || status == CONTAINER_CREATING)
		return err_set(err, -EBUSY, "cannot exec in a stopped container");
	if (status == CONTAINER_PAUSED && !x->opts->ignore_paused)
		return err_set(
			err, -EBUSY,
			"cannot exec in a paused container (use --ignore-paused to override)");
	return 0;
}

static int check_terminal(const struct exec *x, struct error *err)
{
	const bool terminal = x->process.process.terminal;

	if (terminal && x->opts->detach && !x->opts->console_socket)
		return err_set(
			err, -EINVAL,
			"cannot allocate tty if the runtime will detach without setting console socket");
	if (!terminal && x->opts->console_socket)
		return err_set(
			err, -EINVAL,
			"cannot use console socket if the runtime will not detach or allocate tty");
	return 0;
}

static int prepare(const struct runtime *rt, const char *id, struct exec *x, struct error *err)
{
	int r;

	r = container_open(rt, id, false, &x->container, err);
	if (r >= 0)
		r = check_status(x, err);
	if (r >= 0)
		r = spec_load_at(x->container.dir, CONTAINER_CONFIG, &x->spec, err);
	if (r >= 0)
		r = exec_process_load(x->opts, &x->spec, &x->process, err);
	if (r >= 0)
		r = check_terminal(x, err);
	if (r >= 0)
		r = find_target(x, err);
	return r;
}

/* Where the terminal's master comes to: a socket of the caller's, or ourselves. */
static int prepare_console(struct exec *x, int *ret_ours, struct error *err)
{
	int pair[2];

	if (!x->process.process.terminal)
		return 0;
	if (x->opts->console_socket) {
		x->console = console_connect(x->opts->console_socket, err);
		return x->console < 0 ? x->console : 0;
	}
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(err, "make a socket pair");
	*ret_ours = pair[0];
	x->console = pair[1];
	return 0;
}

static int attend(struct exec *x, int signals, int console, int *ret_code, struct error *err)
{
	cleanup_fd int master = -EBADF;

	if (console >= 0) {
		master = console_receive(console, err);
		if (master < 0)
			return master;
	}
	return relay_run(signals, x->pid, master, ret_code, err);
}

static int exec(const struct runtime *rt, const char *id, struct exec *x, int *ret_code,
		struct error *err)
{
	cleanup_fd int signals = -EBADF;
	cleanup_fd int console = -EBADF;
	int r;

	r = prepare(rt, id, x, err);
	if (r >= 0)
		r = prepare_console(x, &console, err);
	if (r >= 0 && !x->opts->detach)
		r = relay_open(&signals, err);
	if (r >= 0)
		r = make_process(x, err);
	if (r >= 0)
		r = accompany(x, err);
	if (r < 0) {
		kill_process(x);
		return r;
	}
	return x->opts->detach ? 0 : attend(x, signals, console, ret_code, err);
}

int runtime_exec(const struct runtime *rt, const char *id, const struct exec_opts *opts,
		 int *ret_code, struct error *err)
{
	cleanup_cgroup_warm struct cgroup_warm warm = CGROUP_WARM_INIT;
	struct exec x = { .opts = opts,
			  .container = CONTAINER_INIT,
			  .spec = SPEC_INIT,
			  .process = EXEC_PROCESS_INIT,
			  .target = -EBADF,
			  .sync = -EBADF,
			  .console = -EBADF };
	int r;

	*ret_code = 0;
	cgroup_warm_begin(&warm);
	r = exec(rt, id, &x, ret_code, err);
	cleanup_fd_p(&x.target);
	cleanup_fd_p(&x.sync);
	cleanup_fd_p(&x.console);
	exec_process_done(&x.process);
	spec_done(&x.spec);
	container_done(&x.container);
	return r < 0 ? err_wrap(err, r, "exec in container '%s'", id) : 0;
}
