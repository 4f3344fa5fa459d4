/*
 * namespaces: what the tree's own namespaces hold, apart from mounts.
 */
#pragma once

struct dump;
struct error;

/* Before the freeze: refuses those that can't be saved. */
int namespaces_check(struct dump *dump, struct error *err);

/* Before the freeze: what takes long to open is opened. */
int namespaces_open_ahead(struct dump *dump, struct error *err);

/* Frozen; before the tasks, whose mappings may be of what is there. */
int namespaces_write_ipc(struct dump *dump, struct error *err);

/* uts, time and net; frozen. */
int namespaces_write(struct dump *dump, struct error *err);
