/*
 * session: one more process in a running container (exec).
 */
#pragma once

#include <stdbool.h>

#include "base/strv.h"

struct attach;
struct error;
struct held;
struct pod;

struct session_options {
	struct strv env; /* KEY=VALUE */
	const char *user;
	const char *workdir;
	bool interactive;
	bool terminal;
	bool privileged;
	bool detach;
	char *const *args; /* NULL-terminated */
};

/*
 * Starts it. Detached: prints nothing, *ret_code is 0 and `ret_id` its name.
 * Else stays attached (the lock is given up once it runs) until it ends, and
 * gives its exit code. -EBUSY: the container does not run; else as conmon_run().
 */
int session_run(struct pod *pod, struct held *held, const struct session_options *o,
		struct attach *attach, char *ret_id, int *ret_code, struct error *err);

/* Removes what the ended session left in its folder; `id` as conmon was told it. */
int session_cleanup(struct pod *pod, const char *container_id, const char *id, struct error *err);
