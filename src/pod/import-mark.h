/*
 * import-mark: containers' folders that an import is filling.
 *
 * They have no record yet, so nobody would find them if we were killed. The mark
 * says what they are, their lock whether somebody is still at it; the next import removes
 * those that nobody is.
 */
#pragma once

struct error;
struct pod;

/* `folder`: the container's, whose lock is ours. */
int import_mark(int folder, struct error *err);
int import_unmark(const char *folder);

/* Removes what dead imports have left. Best effort. */
void import_sweep(struct pod *pod);
