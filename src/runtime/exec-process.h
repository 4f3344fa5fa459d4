/*
 * exec-process: the description of a process that `exec` runs: a file of its
 * own, or the container's with changes.
 */
#pragma once

#include "base/arena.h"
#include "base/json.h"
#include "runtime/spec.h"

struct container;
struct error;
struct exec_opts;

struct exec_process {
	json_t *json; /* owns the strings */
	struct arena arena;
	struct spec_process process;
};

#define EXEC_PROCESS_INIT                                                                          \
	{                                                                                          \
		.json = NULL                                                                       \
	}

int exec_process_load(const struct exec_opts *opts, const struct spec *container_spec,
		      struct exec_process *ret, struct error *err);
void exec_process_done(struct exec_process *process);

#define cleanup_exec_process __attribute__((cleanup(exec_process_done)))
