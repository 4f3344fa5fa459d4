#include "cmd/cryopod/foreground.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "cmd/cryopod/program.h"
#include "pod/attach.h"
#include "pod/conmon.h"
#include "pod/db.h"
#include "pod/exit.h"
#include "pod/held.h"
#include "pod/lifecycle.h"
#include "pod/oci.h"
#include "pod/pod.h"
#include "pod/spec.h"

struct passing {
	const struct pod *pod;
	const struct container *c;
};

static void pass_signal(void *arg, int signal)
{
	const struct passing *p = arg;
	cleanup_strv struct strv number = STRV_INIT;

	strv_addf(&number, "%d", signal);
	/* It may have ended meanwhile: then there is nobody to tell. */
	(void)oci_call(p->pod, p->c, "kill", NULL, &number, NULL);
}

int foreground_failure(int code)
{
	if (code == COMMAND_NOT_FOUND)
		return EXIT_NOT_FOUND;
	return code == COMMAND_NOT_EXECUTABLE ? EXIT_CANNOT_INVOKE : EXIT_ENGINE;
}

/* Writes the end down and, for --rm, removes the container. */
static int settle(struct pod *pod, struct held *held, int *ret_code, struct error *err)
{
	int r = exit_wait(pod, &held->c, UINT64_MAX, err);

	if (r < 0)
		return r;
	r = held_retake(pod, held, err);
	if (r == -ENOENT) /* conmon's cleanup was quicker: it left the code for us */
		return db_exit_code(pod->db, held->c.id, ret_code, err);
	if (r < 0)
		return r;
	*ret_code = held->c.state.exit_code;
	if (!container_config_bool(&held->c, "autoRemove") || container_is_alive(&held->c))
		return 0;
	return lifecycle_remove(pod, held, true, 0, err);
}

int foreground_run(struct pod *pod, struct held *held, const struct foreground *f, int *ret_code,
		   struct error *err)
{
	cleanup_free char *bundle = NULL;
	cleanup_fd int fd = -EBADF;
	struct passing passing = { .pod = pod, .c = &held->c };
	struct attach attach = {
		.in = f->with_stdin ? STDIN_FILENO : -EBADF,
		.out = STDOUT_FILENO,
		.err = STDERR_FILENO,
		.terminal = spec_has_terminal(&held->c),
		.detach_keys = f->detach_keys,
		.on_signal = f->no_sig_proxy ? NULL : pass_signal,
		.arg = &passing,
	};
	int r = pod_path(pod, held->c.id, "userdata", &bundle, err);

	if (r < 0)
		return r;
	fd = attach_connect(bundle, err);
	if (fd < 0)
		return fd;
	if (attach.terminal)
		attach_resize(bundle);
	r = f->start ? lifecycle_start(pod, held, err) : 0;
	held_release(held);
	if (r < 0)
		return r;
	r = attach_run(fd, bundle, &attach, err);
	if (r > 0) {
		*ret_code = 0;
		return 0;
	}
	return r < 0 ? r : settle(pod, held, ret_code, err);
}
