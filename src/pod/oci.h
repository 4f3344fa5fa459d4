/*
 * oci: calls of the OCI runtime, whichever it is, by exec.
 *
 * The runtime dies with us; what it says on standard error becomes the
 * error's text: "cryorun start: container is not created". Its state is kept
 * below RUNROOT/runtime.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/strv.h"

struct buf;
struct container;
struct error;
struct pod;

/* The options in front of every verb: --root and the user's --runtime-flag. */
int oci_global_words(const struct pod *pod, struct strv *words, struct error *err);

/* The runtime's file: the one recorded in the container. */
int oci_find_runtime(const struct pod *pod, const struct container *c, char **ret,
		     struct error *err);

/* Its short name, for texts: "cryorun". Borrowed. */
const char *oci_runtime_name(const struct container *c);

/*
 * RUNTIME [globals] VERB [words...] ID [after...]. Either list may be NULL.
 * -EIO: it ended with another status than 0; -ENOENT: no such program.
 */
int oci_call(const struct pod *pod, const struct container *c, const char *verb,
	     const struct strv *words, const struct strv *after, struct error *err);

/* The same; what it writes to standard output is added to *out. */
int oci_ask(const struct pod *pod, const struct container *c, const char *verb,
	    const struct strv *words, const struct strv *after, struct buf *out, struct error *err);

/* Does the runtime say of itself that it has that feature ("io.cryopod.runtime.checkpoint.hold")?
 * One that can't be asked has none. */
bool oci_has_feature(const struct pod *pod, const struct container *c, const char *name);

/*
 * The same as oci_call() for a verb that holds still in the middle (--hold-fd): `meanwhile` is
 * called then. If it fails the runtime is told to undo all, and its failure is the one that is
 * returned; our death undoes all, too.
 */
int oci_call_held(const struct pod *pod, const struct container *c, const char *verb,
		  const struct strv *words, int (*meanwhile)(void *arg, struct error *err),
		  void *arg, struct error *err);

/*
 * What a program's output complains about: its last line, or the one before a
 * "hint: " line; out of runc's log lines the text alone. `hint` may become "".
 */
void oci_last_words(const char *output, char *words, size_t words_size, char *hint,
		    size_t hint_size);

/* The runtime's word for its state: "created", "running", "paused", "stopped". The caller's. */
int oci_state(const struct pod *pod, const struct container *c, char **ret, struct error *err);

/* Forgets the container in the runtime, its processes included; it need not exist. */
int oci_delete(const struct pod *pod, const struct container *c, struct error *err);
