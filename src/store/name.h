/*
 * name: how images are called: [DOMAIN/]PATH[:TAG][@sha256:HEX].
 *
 * The first part is a domain if it has a dot or a colon or is "localhost";
 * otherwise the name is a short one. Full names always have a domain, and a
 * tag or a digest: "docker.io/library/busybox:latest".
 */
#pragma once

#include <stdbool.h>

#include "base/strv.h"

struct error;

struct name {
	char *repository; /* with the domain if there is one */
	char *tag;	  /* "" if none was given */
	char *digest;	  /* "sha256:HEX", "" if none was given */
	bool has_domain;
};

#define NAME_INIT                                                                                  \
	{                                                                                          \
		.repository = NULL                                                                 \
	}

/*
 * -EINVAL: not a name. Docker Hub's old and short spellings become full:
 * "docker.io/busybox" is "docker.io/library/busybox".
 */
int name_parse(const char *text, struct name *ret_name, struct error *err);
void name_done(struct name *name);

/* "REPOSITORY:TAG", or "REPOSITORY@DIGEST" where there is one. Tag "latest" when none was given. */
int name_format(const struct name *name, char **ret_text, struct error *err);

/* The full name for something made here: a short name goes below "localhost/". */
int name_make_local(const char *text, char **ret_text, struct error *err);

/*
 * Full names that a typed one may mean, best first, for looking up what is here:
 * itself if it has a domain; else localhost/, then the alias or the registries
 * that registries.conf searches, then docker.io/library.
 */
int name_candidates(const char *text, struct strv *ret_names, struct error *err);

/*
 * The same for fetching it: no localhost/. Fails in words when registries.conf leaves
 * nowhere to look.
 */
int name_sources(const char *text, struct strv *ret_names, struct error *err);

/* "docker.io/library/busybox:latest" into its two halves; `tag` is borrowed, NULL if none. */
const char *name_split_tag(const char *full, size_t *ret_repository_len);

#define cleanup_name __attribute__((cleanup(name_done)))
