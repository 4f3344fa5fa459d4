/*
 * foreground: a container that this terminal talks with.
 */
#pragma once

#include <stdbool.h>

struct error;
struct held;
struct pod;

struct foreground {
	bool with_stdin;
	bool no_sig_proxy;
	const char *detach_keys;
	bool start; /* it is initialized: start it as soon as we are attached */
};

/*
 * Attaches, and stays until the container ends; a --rm container is removed
 * then. *ret_code: its exit code, or 0 after the detach keys.
 */
int foreground_run(struct pod *pod, struct held *held, const struct foreground *f, int *ret_code,
		   struct error *err);

/* The exit code for a failure to start: 127, 126, or 125. */
int foreground_failure(int code);
