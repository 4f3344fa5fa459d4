/*
 * each: what most commands do: the same to one container after the other.
 *
 * Names are resolved before anything is done: one that is unknown stops all.
 * After that a failure is told and the others still get their turn; the exit
 * code is then 125 (or the command's own).
 */
#pragma once

#include <stdbool.h>

#include "base/strv.h"

struct command;
struct error;
struct held;
struct pod;
struct program;

struct each {
	bool all;
	bool latest;
	bool ignore;		/* unknown names are passed over */
	unsigned int statuses;	/* with --all: only these (bits of 1 << STATUS_...); 0: any */
	const char *none_given; /* the complaint; NULL: Podman's usual one */
	const char *both_given; /* --latest or --all beside names; NULL: the usual one */
	const char *not_found;	/* "no such container or image": the text before the name */
	/* 0: the word typed (with -a and -l: the id) is printed; 1: nothing is. */
	int (*act)(struct pod *pod, struct held *held, void *arg, struct error *err);
	void *arg;
	int (*exit_code)(int code); /* for a failure; NULL: 125 */
};

/* Returns the exit code of the command. */
int each_container(const struct program *program, const struct each *each, int argc, char **argv);

/* The options of a command that has no others, and the command: all there is to say about it is
 * which containers --all means, and what is done to one. */
struct each_options {
	bool all;
	bool latest;
};
int each_simply(const struct program *program, const struct command *cmd, unsigned int statuses,
		int (*act)(struct pod *pod, struct held *held, struct error *err), int argc,
		char **argv);

/* Do --all, --latest and the names agree? */
int each_check(const struct each *each, int argc, struct error *err);

/*
 * The ids meant by names, --all or --latest, and the words to print for them.
 * For commands that do something else with them.
 */
int choose_containers(struct pod *pod, const struct each *each, int argc, char **argv,
		      struct strv *ids, struct strv *words, struct error *err);
