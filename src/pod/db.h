/*
 * db: what is remembered, in SQLite.
 *
 * One file, in WAL mode: readers never wait, writers wait for each other (up
 * to half a minute). A commit survives the death of every process at once; the
 * loss of power may cost the last commits, never the consistency (synchronous
 * NORMAL). Who changes a container's record holds that container's lock, so
 * read - decide - write needs no long transaction.
 *
 * Names are unique by a constraint, so two creates at once can't both win.
 */
#pragma once

#include <stdbool.h>

#include "base/strv.h"

struct container;
struct db;
struct error;

/* Opens it, and makes or upgrades the tables. The folder must exist. */
int db_open(const char *path, struct db **ret_db, struct error *err);
void db_close(struct db *db);

/* -EEXIST: the name (or id) is taken. */
int db_insert(struct db *db, const struct container *c, struct error *err);

/* -ENOENT: no such id. */
int db_load(struct db *db, const char *id, struct container *ret, struct error *err);

/* Writes the state only. -ENOENT: it was removed meanwhile. */
int db_save_state(struct db *db, const struct container *c, struct error *err);

/* Writes name and config. -EEXIST: the name is taken. */
int db_save_config(struct db *db, const struct container *c, struct error *err);

/* Its exit code is remembered for some minutes, for those who wait for it. */
int db_remove(struct db *db, const struct container *c, struct error *err);

/* -ENOENT: it was not removed lately. */
int db_exit_code(struct db *db, const char *id, int *ret_code, struct error *err);

/*
 * The id of the container that `word` means: its name, its id, or a beginning
 * of its id that no other has. -ENOENT, or -EEXIST when several begin so.
 */
int db_find(struct db *db, const char *word, char *ret_id, struct error *err);

/* The one created last. -ENOENT: there are none. */
int db_latest(struct db *db, char *ret_id, struct error *err);

/* All ids, oldest first, added to *ids. */
int db_ids(struct db *db, struct strv *ids, struct error *err);
