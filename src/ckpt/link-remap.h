/*
 * link-remap: open files that have names, but none that can be told.
 *
 * The dump gives such a file one more name, link_remap.N, beside the one it was
 * opened by (--link-remap). It stays until the tree is restored; a dump that
 * fails, or lets the tree run on, takes it away again.
 */
#pragma once

#include <stdbool.h>

struct dump;
struct dump_fd;
struct error;
struct restore;

/* The record that says so is written; `path` is the name it was opened by. */
int link_remap_dump(struct dump *dump, const struct dump_fd *fd, const char *path,
		    struct error *err);
/* Forgets the names, or (`undo`) removes them. */
void link_remaps_done(struct dump *dump, bool undo);

/* The tree is built: the names it came by are not needed any more. */
void link_remaps_remove(const struct restore *r);
