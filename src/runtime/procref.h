/*
 * procref: a process by its id and start time, so that a reused id is never
 * taken for it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct error;

struct procref {
	pid_t pid;	/* as we see it; 0: none */
	uint64_t start; /* clock ticks after boot */
};

int procref_of(pid_t pid, struct procref *ret, struct error *err);

/* Exists and is no zombie. */
bool procref_alive(const struct procref *ref);

/* A pidfd that is surely the process's; -ESRCH: it is gone or a zombie. */
int procref_open(const struct procref *ref, struct error *err);

/* -ESRCH: it is gone. */
int procref_signal(const struct procref *ref, int signal, struct error *err);
