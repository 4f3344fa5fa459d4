/*
 * ipc: an IPC namespace: its settings, and what is in it.
 */
#pragma once

#include <stdint.h>

struct dump;
struct error;
struct restore;
struct tape;

/* Before the freeze, in the namespace: what reading its settings needs is opened (settings.h). */
int ipc_open_ahead(struct dump *dump, uint32_t ns_id, struct error *err);

/* The caller is in that namespace; `id` is its number in the images. */
int ipc_write(struct dump *dump, uint32_t id, struct error *err);

/* R's tape: the new namespace it is in becomes the one with that number. */
int ipc_tape(struct restore *r, uint32_t id, struct error *err);

/* R's tape, in its namespaces: a setting of /proc/sys. */
int ipc_tape_setting(struct restore *r, struct tape *tape, const char *name, const char *value,
		     struct error *err);
