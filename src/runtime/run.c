#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "runtime/bundle.h"
#include "runtime/console.h"
#include "runtime/relay.h"
#include "runtime/runtime.h"
#include "runtime/spec.h"

static int wants_terminal(const char *bundle_path, bool *ret, struct error *err)
{
	cleanup_bundle struct bundle bundle = BUNDLE_INIT;
	int r = bundle_open(bundle_path, &bundle, err);

	if (r < 0)
		return r;
	*ret = bundle.spec.process && bundle.spec.process->terminal;
	return 0;
}

static int run_detached(const struct runtime *rt, const char *id, const struct run_opts *opts,
			struct error *err)
{
	int r = runtime_create(rt, id, &opts->create, NULL, err);

	if (r < 0)
		return r;
	r = runtime_start(rt, id, err);
	if (r < 0)
		(void)runtime_delete(rt, id, true, NULL); /* the start's failure counts */
	return r;
}

/* Between create and the end of the process. */
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
	r = runtime_start(rt, id, err);
	if (r < 0)
		return r;
	return relay_run(signals, pid, master, ret_code, err);
}

static int run_attended(const struct runtime *rt, const char *id, const struct run_opts *opts,
			int *ret_code, struct error *err)
{
	struct create_opts create = opts->create;
	cleanup_fd int signals = -EBADF;
	cleanup_fd int ours = -EBADF;
	cleanup_fd int theirs = -EBADF;
	bool terminal = false;
	pid_t pid = 0;
	int pair[2];
	int r;

	r = create.console_socket ? 0 : wants_terminal(create.bundle, &terminal, err);
	if (r >= 0)
		r = relay_open(&signals, err);
	if (r < 0)
		return r;
	if (terminal) {
		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
			return err_sys(err, "make a socket pair");
		ours = pair[0];
		theirs = pair[1];
		create.console_fd = theirs;
	}
	/* Orphans of a container without a PID namespace come to us instead of going astray. */
	if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
		return err_sys(err, "become a subreaper");
	r = runtime_create(rt, id, &create, &pid, err);
	if (r < 0)
		return r;
	r = attend(rt, id, pid, signals, ours, ret_code, err);
	if (!opts->keep || r < 0) {
		struct error late = ERROR_INIT;
		int d = runtime_delete(rt, id, true, &late);

		if (r >= 0 && d < 0)
			r = err_set(err, d, "%s", late.text);
	}
	return r;
}

int runtime_run(const struct runtime *rt, const char *id, const struct run_opts *opts,
		int *ret_code, struct error *err)
{
	*ret_code = 0;
	if (opts->detach)
		return run_detached(rt, id, opts, err);
	return run_attended(rt, id, opts, ret_code, err);
}
