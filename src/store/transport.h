/*
 * transport: images from elsewhere into the store, through skopeo.
 *
 * Sources as Podman writes them: a short or full name (a registry),
 * docker://REF, docker-archive:FILE[:REF], oci-archive:FILE[:REF], oci:DIR[:REF],
 * dir:DIR. skopeo copies into a folder of its own below the store; from there
 * blobs are verified, layers unpacked, and only then the index names the image.
 */
#pragma once

#include <stdbool.h>

#include "base/strv.h"

struct error;
struct store;

struct pull_options {
	bool quiet;		/* no progress, whatever standard error is */
	int progress_fd;	/* where progress lines go; -EBADF: nowhere */
	const char *tls_verify; /* "true", "false", or NULL: as registries.conf says */
	const char *creds;	/* "USER:PASSWORD" */
	const char *authfile;
	const char *cert_dir;
	const char *os;
	const char *arch;
	const char *variant;
	const char *signature_policy; /* file */
};

#define PULL_OPTIONS_INIT                                                                          \
	{                                                                                          \
		.progress_fd = -EBADF                                                              \
	}

/* Returns the ids of what was pulled (one, or several of an archive) in *ret_ids. */
int image_pull(struct store *store, const char *source, const struct pull_options *options,
	       struct strv *ret_ids, struct error *err);

/* A docker-archive or oci-archive, recognised by what is in it. *ret_names: names it gave. */
int image_load(struct store *store, const char *file, const struct pull_options *options,
	       struct strv *ret_names, struct error *err);
