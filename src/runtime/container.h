/*
 * container: what is remembered of one container in its folder, ROOT/ID.
 *
 *	state.json   who and where it is (replaced as a whole)
 *	config.json  the configuration it was created from
 *	descriptors.json  what its standard input, output and error are (streams.h)
 *	exec.fifo    exists until `start`: its init waits for a reader
 *
 * The folder itself is the lock (flock(2)): whoever changes the container
 * holds it; those who only look don't. The order of creation is such that
 * container_open() and `delete --force` can deal with what a crash leaves
 * at any point: the folder comes first, groups are written down before they
 * are made, the init dies by itself while it is not written down.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/json.h"
#include "runtime/cgroup.h"
#include "runtime/procref.h"

struct error;
struct runtime;

#define CONTAINER_STATE "state.json"
#define CONTAINER_CONFIG "config.json"
#define CONTAINER_FIFO "exec.fifo"

enum container_status {
	CONTAINER_CREATING,
	CONTAINER_CREATED,
	CONTAINER_RUNNING,
	CONTAINER_PAUSED,
	CONTAINER_STOPPED,
};

struct container {
	struct arena arena;
	const char *id;
	int root; /* descriptor of the folder of all containers */
	int dir;  /* of this one; carries the lock */
	bool locked;
	bool complete; /* state.json was there */
	const char *oci_version;
	const char *bundle;
	const char *rootfs;
	const char *created; /* RFC 3339 */
	uid_t owner;
	struct procref init;
	struct cgroup cgroup;
	json_t *annotations; /* or NULL */
};

#define CONTAINER_INIT                                                                             \
	{                                                                                          \
		.root = -EBADF, .dir = -EBADF                                                      \
	}

/* Makes the folder of a new container and locks it. -EEXIST: the name is taken. */
int container_make(const struct runtime *rt, const char *id, struct container *ret,
		   struct error *err);

/*
 * Opens one that exists, and locks it if asked (waiting). -ENOENT: there is none. A folder
 * without state.json (a creation cut short) is opened too, with `complete` false.
 */
int container_open(const struct runtime *rt, const char *id, bool lock, struct container *ret,
		   struct error *err);

int container_save(const struct container *c, struct error *err);
enum container_status container_status(const struct container *c);
const char *container_status_name(enum container_status status);

/* The object that `state` prints and hooks get. `status` as given. */
int container_state_json(const struct container *c, enum container_status status, json_t **ret,
			 struct error *err);

/* Removes the folder. Needs the lock. */
int container_remove(const struct container *c, struct error *err);

/* Letters, digits, "_+-." */
int container_check_id(const char *id, struct error *err);

void container_unlock(struct container *c);
void container_done(struct container *c);

#define cleanup_container __attribute__((cleanup(container_done)))
