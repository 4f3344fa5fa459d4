/*
 * pod: what a command works in: the folders, the database, the image store.
 *
 *	ROOT/cryopod.db                       what is remembered
 *	ROOT/containers/ID/userdata/          the OCI bundle: config.json, ctr.log, checkpoint/, ...
 *	ROOT/containers/ID/{upper,work,merged}   the copy-on-write root (store/overlay.h)
 *	ROOT/containers/ID/lock               held by the one command that changes it
 *	ROOT/volumes/NAME/_data               named volumes
 *	RUNROOT/runtime/                      the OCI runtime's own state
 *	TMPDIR/exits/ID                       exit codes, written by conmon
 */
#pragma once

#include "base/strv.h"

struct db;
struct error;
struct store;

struct pod_settings {
	const char *root;
	const char *runroot;
	const char *tmpdir;		  /* NULL: RUNROOT */
	const char *runtime;		  /* name or path as typed; NULL: cryorun */
	const struct strv *runtime_flags; /* without their dashes; may be NULL */
	const char *conmon;		  /* NULL: from PATH */
};

struct pod {
	struct pod_settings settings; /* its strings are borrowed */
	char *root;		      /* absolute */
	char *runroot;
	char *exits;
	char *self;    /* path of this program: conmon starts it when a container ends */
	char *boot_id; /* which boot this is */
	struct db *db;
	struct store *store; /* NULL until pod_store() */
};

#define POD_INIT                                                                                   \
	{                                                                                          \
		.root = NULL                                                                       \
	}

/* Makes what is missing of the folders. -EPERM: not root. */
int pod_open(const struct pod_settings *settings, struct pod *ret, struct error *err);
void pod_done(struct pod *pod);

/* The image store, opened at its first use; borrowed. */
int pod_store(struct pod *pod, struct store **ret, struct error *err);

/* ROOT/containers/ID/NAME; NAME may be "". The caller's. */
int pod_path(const struct pod *pod, const char *id, const char *name, char **ret,
	     struct error *err);

/*
 * The file to execute for a runtime's or conmon's name: a path is taken as it
 * is, a name is looked for beside this program, then in PATH. -ENOENT.
 */
int pod_find_program(const struct pod *pod, const char *name, char **ret, struct error *err);

#define cleanup_pod __attribute__((cleanup(pod_done)))
