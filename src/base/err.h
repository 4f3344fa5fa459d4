/*
 * err: filling and passing on a `struct error` (include/cryo/error.h).
 *
 * Each verb returns the negative code, so telling and returning is one
 * statement:
 *
 *	return err_sys(err, "open '%s'", path);
 *	return err_set(err, -EBADMSG, "record %zu: no id", i);
 *	return err_wrap(err, r, "task %d", pid);
 *
 * All verbs accept err == NULL and keep errno. The compiler is told that the
 * returned value is negative, so it knows that `ret_...` is untouched then.
 * Usable wherever stdio is: not in a child between clone and exec.
 */
#pragma once

#include <errno.h>

#include "cryo/error.h"

int err_set_raw(struct error *err, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4), cold));
int err_sys_raw(struct error *err, const char *fmt, ...)
	__attribute__((format(printf, 2, 3), cold));
int err_wrap_raw(struct error *err, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4), cold));

#ifndef __clang__ /* gcc's analyzer takes the branch that can't be for a way out without cleanup   \
		   */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wanalyzer-malloc-leak"
#endif
static inline __attribute__((always_inline)) int err_negative(int code)
{
	if (code >= 0)
		__builtin_unreachable(); /* the _raw functions never return one */
	return code;
}
#ifndef __clang__
#pragma GCC diagnostic pop
#endif

/* Our own finding: the text stands as written. */
#define err_set(err, code, ...) err_negative(err_set_raw((err), (code), __VA_ARGS__))

/* A system call failed: ": " and the text of errno are added, -errno returned. */
#define err_sys(err, ...) err_negative(err_sys_raw((err), __VA_ARGS__))

/* Puts the place in front of what a callee told: "place: text". */
#define err_wrap(err, code, ...) err_negative(err_wrap_raw((err), (code), __VA_ARGS__))

/* Out of memory while doing what the text says. */
#define err_oom(err) err_set((err), -ENOMEM, "out of memory")

/* Adds what the user can do about it. The last hint given stays. */
void err_hint(struct error *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
