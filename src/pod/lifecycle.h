/*
 * lifecycle: what can be done with a held container.
 *
 *	CREATED -> INITIALIZED -> RUNNING <-> PAUSED
 *	   ^           |             |
 *	   |           +----> EXITED +          (EXITED can be initialized again)
 *
 * The state is written down before a step whose leftovers must be found after
 * our death, and after a step that others may rely on. Wrong state: -EBUSY, in
 * Podman's words ("container state improper").
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/strv.h"

struct container;
struct error;
struct held;
struct pod;

/* --- the root ------------------------------------------------------------- */

/* Mounts the copy-on-write root and gives its path (the caller's). Mounted already: fine. */
int root_mount(struct pod *pod, const struct container *c, char **ret_path, struct error *err);

/* Mounts it for the user, until root_unmount_user. */
int root_mount_user(struct pod *pod, struct held *held, char **ret_path, struct error *err);

/* -EBUSY: the container runs; with force the mark is taken away all the same. */
int root_unmount_user(struct pod *pod, struct held *held, bool force, struct error *err);

/* 1: mounted, and its path. */
int root_is_mounted(const struct pod *pod, const struct container *c, char **ret_path,
		    struct error *err);

/* --- running -------------------------------------------------------------- */

/* config.json written, OCI container made, its process waiting. */
int lifecycle_init(struct pod *pod, struct held *held, struct error *err);

/* init if necessary, then the process is let go. Running already: -EALREADY. */
int lifecycle_start(struct pod *pod, struct held *held, struct error *err);

/* SIGKILL is waited for, any other signal is only sent. */
int lifecycle_kill(struct pod *pod, struct held *held, int signal, struct error *err);

/*
 * The stop signal; after timeout_s seconds SIGKILL (then 1 is returned: it had
 * to be killed). Not running: 0, nothing happens. The lock is free while waiting.
 */
int lifecycle_stop(struct pod *pod, struct held *held, unsigned int timeout_s, struct error *err);

/*
 * After a stop or kill that returned `r`: a container of --rm may be removed by its own end
 * before we could look at it again. That is what was wanted: 0.
 */
int lifecycle_gone(const struct container *c, int r, struct error *err);

int lifecycle_pause(struct pod *pod, struct held *held, struct error *err);
int lifecycle_unpause(struct pod *pod, struct held *held, struct error *err);

/* What conmon runs when the container has ended. */
int lifecycle_exit_command(const struct pod *pod, const struct container *c, struct strv *words,
			   struct error *err);

/* Before conmon is started: whatever becomes of us, what it began is found and ended. */
int lifecycle_note_begin(struct pod *pod, struct held *held, struct error *err);

/* conmon and the container's process are written down as living ones. */
int lifecycle_note_processes(const struct pod *pod, struct container *c, int conmon_pid,
			     int init_pid, struct error *err);

/* --- the end ---------------------------------------------------------------- */

/* Removes what only a living container needs. Called by held_take when it is due. */
int lifecycle_cleanup(struct pod *pod, struct held *held, struct error *err);

/* -EBUSY: it runs or is paused, and force was not asked for. */
int lifecycle_remove(struct pod *pod, struct held *held, bool force, unsigned int timeout_s,
		     struct error *err);
