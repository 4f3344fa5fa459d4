#include "runtime/hook.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/spawn.h"
#include "base/strv.h"
#include "runtime/container.h"

static const char *const kind_names[HOOK_KINDS] = {
	[HOOK_PRESTART] = "prestart",
	[HOOK_CREATE_RUNTIME] = "createRuntime",
	[HOOK_CREATE_CONTAINER] = "createContainer",
	[HOOK_START_CONTAINER] = "startContainer",
	[HOOK_POSTSTART] = "poststart",
	[HOOK_POSTSTOP] = "poststop",
};

/* The status each kind is told, as the standard's life cycle has it. */
static enum container_status told_status(enum hook_kind kind)
{
	switch (kind) {
	case HOOK_PRESTART:
	case HOOK_CREATE_RUNTIME:
	case HOOK_CREATE_CONTAINER:
		return CONTAINER_CREATING;
	case HOOK_START_CONTAINER:
		return CONTAINER_CREATED;
	case HOOK_POSTSTART:
		return CONTAINER_RUNNING;
	case HOOK_POSTSTOP:
	case HOOK_KINDS:
		break;
	}
	return CONTAINER_STOPPED;
}

/* The text as something that can be read from its begin, any number of times. */
static int state_file(const struct container *c, enum hook_kind kind, struct error *err)
{
	cleanup_json json_t *state = NULL;
	cleanup_free char *text = NULL;
	cleanup_fd int fd = -EBADF;
	int r;

	r = container_state_json(c, told_status(kind), &state, err);
	if (r >= 0)
		r = json_format(state, 0, &text, err);
	if (r < 0)
		return r;
	fd = memfd_create("state", MFD_CLOEXEC);
	if (fd < 0)
		return err_sys(err, "make a memory file");
	r = fd_pwrite_all(fd, text, strlen(text), 0);
	if (r < 0)
		return err_set(err, r, "write the state for hooks: %s", strerror(-r));
	return take_fd(&fd);
}

static int run_one(const struct spec_hook *hook, int state, struct error *err)
{
	cleanup_spawn struct spawn_result result = SPAWN_RESULT_INIT;
	static char *const no_env[] = { NULL };
	struct spawn spawn = SPAWN_INIT;
	cleanup_strv struct strv argv = STRV_INIT;
	int r;

	if (lseek(state, 0, SEEK_SET) < 0)
		return err_sys(err, "rewind the state");
	strv_add(&argv, hook->path);
	/* args[0] is the name it is called by; the file itself is `path`. */
	for (size_t i = 1; hook->args && hook->args[0] && hook->args[i]; i++)
		strv_add(&argv, hook->args[i]);
	if (!strv_ok(&argv))
		return err_oom(err);
	spawn.argv = strv_argv(&argv);
	spawn.envp = hook->env ? hook->env : no_env;
	spawn.in = state;
	spawn.timeout_ns = hook->timeout_s * NS_PER_SEC;
	r = spawn_run(&spawn, &result, err);
	if (r < 0)
		return r;
	return spawn_check(hook->path, &result, err);
}

int hook_run(const struct spec *spec, enum hook_kind kind, const struct container *c,
	     struct error *err)
{
	const struct spec_hooks *hooks = &spec->hooks[kind];
	cleanup_fd int state = -EBADF;

	if (hooks->n == 0)
		return 0;
	state = state_file(c, kind, err);
	if (state < 0)
		return state;
	for (size_t i = 0; i < hooks->n; i++) {
		int r = run_one(&hooks->items[i], state, err);

		if (r < 0)
			return err_wrap(err, r, "%s hook %zu", kind_names[kind], i);
	}
	return 0;
}
