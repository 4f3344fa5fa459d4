/*
 * container: one remembered container, as the database holds it.
 *
 * `config` never changes after create (but for a rename); all that changes is
 * in `state`. A record that was read may be behind the world: conmon writes
 * the exit code of a process that ended to a file of its own. The functions of
 * pod/refresh.h bring it up to date.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct error;

#define ID_LEN 64

enum status {
	STATUS_CREATED,	    /* remembered; nothing else exists */
	STATUS_INITIALIZED, /* the OCI container exists, its process waits for start */
	STATUS_RUNNING,
	STATUS_PAUSED,
	STATUS_EXITED,
	STATUS_REMOVING, /* its removal began; only removing it again is possible */
};
#define STATUS_MAX STATUS_REMOVING

/* A process of this boot; a pid alone may have been given to another since. */
struct process {
	pid_t host_pid; /* 0: none */
	uint64_t start_ticks;
};

struct container_state {
	enum status status;
	struct process init; /* the container's first process */
	/* Who waits for it. While it is not alive: who is about to start it. */
	struct process conmon;
	uint64_t started_ns; /* 0: never */
	uint64_t finished_ns;
	int exit_code;
	bool mounted;	    /* `mount` asked for the root, beside what running needs */
	bool needs_cleanup; /* mounts, runtime state or sockets may be left */
	bool checkpointed;
	uint64_t checkpointed_ns;
	char *checkpoint_path; /* NULL: none */
	char *checkpoint_log;
	bool restored;
	uint64_t restored_ns;
	char *restore_log;
	char *boot_id; /* the boot in which the processes above live */
};

struct container {
	char id[ID_LEN + 1];
	char *name;
	uint64_t created_ns;
	json_t *config; /* see pod/config.h */
	struct container_state state;
};

#define CONTAINER_INIT                                                                             \
	{                                                                                          \
		.name = NULL                                                                       \
	}

void container_done(struct container *c);
#define cleanup_container __attribute__((cleanup(container_done)))

/* Podman's word: "created", "initialized", "running", "paused", "exited", "removing". */
const char *status_name(enum status status);

/* Replaces a string of the state; NULL empties it. */
int state_set_string(char **field, const char *value, struct error *err);

static inline bool container_is_running(const struct container *c)
{
	return c->state.status == STATUS_RUNNING;
}

/* It has a process now, running or not. */
static inline bool container_is_alive(const struct container *c)
{
	return c->state.status == STATUS_RUNNING || c->state.status == STATUS_PAUSED ||
	       c->state.status == STATUS_INITIALIZED;
}

/* A string of the config, or NULL; borrowed. */
const char *container_config_string(const struct container *c, const char *key);
bool container_config_bool(const struct container *c, const char *key);

/* The process that has that pid now. -ESRCH: nobody. */
int process_look(pid_t host_pid, struct process *ret);

/* It is still the same process, and not a zombie. */
bool process_is_alive(const struct process *process);
