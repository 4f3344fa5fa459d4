/*
 * words: the command line as CRIU takes it, put into the order and the forms
 * that option tables understand.
 *
 *	cryo -v4 -D DIR dump -t 7      the command may stand anywhere
 *	cryo dump -verbosity=0         CRIU's getopt lets this pass, and scripts do it
 *	cryo dump --no-file-locks      takes back a flag
 *	cryo dump --config FILE        lines "option" or "option value", dashes left out
 */
#pragma once

#include "base/strv.h"

struct command;
struct error;

struct words {
	const char *command; /* borrowed; NULL: there is none */
	struct strv rest;    /* all others; what a config file says comes first */
};

#define WORDS_INIT                                                                                 \
	{                                                                                          \
		.command = NULL                                                                    \
	}

/* argv without the program's own name; `commands` tell which options take a value. */
int words_read(struct words *words, const struct command *const *commands, int argc, char **argv,
	       struct error *err);
void words_done(struct words *words);

#define cleanup_words __attribute__((cleanup(words_done)))
