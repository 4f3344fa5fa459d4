/*
 * create: from a command line to a remembered container.
 *
 * Metadata only: nothing is mounted, started or copied.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/strv.h"
#include "pod/container.h"

struct error;
struct image;
struct pod;

/* Options of create and run. Strings are borrowed from the command line. */
struct create_options {
	const char *name;
	bool replace;
	bool rm;
	const char *cidfile;
	bool interactive;
	bool terminal;
	const char *entrypoint; /* NULL: the image's */
	const char *hostname;
	const char *user;
	const char *workdir;
	struct strv env;
	struct strv env_files;
	struct strv labels;
	struct strv volumes;
	struct strv mounts;
	struct strv tmpfs;
	const char *network;
	const char *pid;
	const char *ipc;
	const char *uts;
	const char *cgroupns;
	bool privileged;
	bool read_only;
	struct strv cap_add;
	struct strv cap_drop;
	struct strv security_opts;
	struct strv ulimits;
	struct strv add_hosts;
	const char *shm_size;
	const char *memory;
	const char *cpus;
	const char *pids_limit;
	const char *stop_signal;
	const char *stop_timeout;
	const char *umask;
	const char *log_driver;
	const char *pull;  /* "missing" (NULL), "always", "newer", "never" */
	const char *image; /* as typed */
	char *const *command;
	size_t n_command;
	char *const *typed; /* the whole command line, NULL-terminated */
};

void create_options_done(struct create_options *o);

/*
 * -EEXIST: the name is in use. -ENOENT: no such image. -EOPNOTSUPP: something
 * asked for that is not there yet.
 */
int container_create(struct pod *pod, const struct create_options *o, struct container *ret,
		     struct error *err);

/* A new name: "adjective_noun". */
int name_generate(char *ret, size_t size, struct error *err);

/* 64 random hex digits and a zero byte. */
int id_generate(char *ret, struct error *err);

/* 0, or -EINVAL with Podman's words. */
int name_check(const char *name, struct error *err);
