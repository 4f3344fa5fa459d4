/*
 * archive-list: which images a file made by `docker save` or `podman save` holds.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/strv.h"

struct error;

enum archive_kind {
	ARCHIVE_DOCKER, /* manifest.json */
	ARCHIVE_OCI,	/* an OCI layout: index.json */
};

struct archive_list {
	enum archive_kind kind;
	bool compressed; /* as a whole */
	struct archive_image {
		struct strv names; /* as the archive has them */
	} * images;
	size_t n;
};

#define ARCHIVE_LIST_INIT                                                                          \
	{                                                                                          \
		.images = NULL                                                                     \
	}

/* -EBADMSG: neither the one nor the other. */
int archive_list_read(const char *file, struct archive_list *ret_list, struct error *err);
void archive_list_done(struct archive_list *list);

#define cleanup_archive_list __attribute__((cleanup(archive_list_done)))
