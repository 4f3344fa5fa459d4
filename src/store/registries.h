/*
 * registries: what containers-registries.conf(5) says about short names.
 *
 * /etc/containers/registries.conf ($CONTAINERS_REGISTRIES_CONF instead) and
 * then /etc/containers/registries.conf.d/NAME.conf in order of their names. Read are
 * unqualified-search-registries (the last one given counts) and [aliases].
 * Mirrors, blocked and insecure registries are skopeo's business, which reads
 * the same files.
 */
#pragma once

#include "base/strv.h"

struct error;

struct registries {
	struct strv search;
	struct strv aliases; /* short name, full name, short name, ... */
	char *path;	     /* of the main file, for messages */
};

#define REGISTRIES_INIT                                                                            \
	{                                                                                          \
		.path = NULL                                                                       \
	}

/* Absent files are fine. -EBADMSG: a line that can't be read, with file and line. */
int registries_load(struct registries *ret_registries, struct error *err);

/* One file's text; `name` is for messages. Adds to what `registries` holds. */
int registries_parse(const char *name, const char *text, struct registries *registries,
		     struct error *err);

/* The full name an alias gives, or NULL. Borrowed. */
const char *registries_alias(const struct registries *registries, const char *short_name);

void registries_done(struct registries *registries);

#define cleanup_registries __attribute__((cleanup(registries_done)))
