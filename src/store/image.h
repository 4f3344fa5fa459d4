/*
 * image: one image of the store, looked up and read.
 *
 * An image is known by its id, the SHA-256 of its config blob (as Podman
 * has it), and may have any number of names. A `struct image` is a copy: it
 * stays as it is when the store changes.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/strv.h"

struct error;
struct store;

#define IMAGE_ID_SIZE 65 /* 64 hex digits and the zero byte */

/* What a container inherits from its image; empty strings for what it does not say. */
struct image_config {
	char *user;
	char *workdir;
	char *stop_signal;
	struct strv env; /* "KEY=value" */
	struct strv entrypoint;
	struct strv cmd;
	struct strv labels;	   /* "key=value" */
	struct strv volumes;	   /* paths */
	struct strv exposed_ports; /* "80/tcp" */
};

struct image {
	char id[IMAGE_ID_SIZE];
	char *digest;		 /* "sha256:HEX" of the manifest, as its registry knows it */
	struct strv names;	 /* "docker.io/library/busybox:latest" */
	struct strv digests;	 /* "docker.io/library/busybox@sha256:HEX" */
	struct strv annotations; /* of the manifest, "key=value" */
	struct strv diff_ids;	 /* "sha256:HEX", lowest first */
	struct strv layers; /* unpacked folders, absolute, TOPMOST first: overlay's lower folders */
	uint64_t size;	    /* bytes, layers unpacked */
	int64_t created;    /* seconds since 1970 */
	char *architecture;
	char *os;
	char *author;
	char *comment;
	char *config_json; /* the config blob as it is */
	struct image_config config;
};

/*
 * By what people type: a full or short name with or without tag, NAME@sha256:HEX,
 * a full id, or the beginning of one. -ENOENT ("NAME: image not known"),
 * -ENOTUNIQ when the beginning of an id fits several.
 */
int image_find(struct store *store, const char *name, struct image **ret_image, struct error *err);

/* NULL is allowed. */
void image_free(struct image *image);

/* The name to show for it: the first one, or "" if it has none. Borrowed. */
const char *image_name(const struct image *image);

/* One line of `images`, from the index alone. */
struct image_row {
	char id[IMAGE_ID_SIZE];
	char digest[72]; /* "sha256:HEX" */
	struct strv names;
	uint64_t size;
	int64_t created;
};

struct image_list {
	struct image_row *rows;
	size_t n;
};

#define IMAGE_LIST_INIT                                                                            \
	{                                                                                          \
		.rows = NULL                                                                       \
	}

/* All images, newest first. */
int image_list(struct store *store, struct image_list *ret_list, struct error *err);
void image_list_done(struct image_list *list);

static inline void image_free_p(struct image **image)
{
	image_free(*image);
}

#define cleanup_image __attribute__((cleanup(image_free_p)))
#define cleanup_image_list __attribute__((cleanup(image_list_done)))
