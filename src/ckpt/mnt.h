/*
 * mnt: the mount table of the tree.
 */
#pragma once

struct dump;
struct error;

/* Before the freeze: what can be done then. */
int mnt_prepare(struct dump *dump, struct error *err);
/* Reads the table and opens the root; frozen. */
int mnt_collect(struct dump *dump, struct error *err);
/* Nothing to write unless the tree has a mount namespace of its own. */
int mnt_write(struct dump *dump, struct error *err);
void mnt_done(struct dump *dump);
