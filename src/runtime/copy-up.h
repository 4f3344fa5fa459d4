/*
 * copy-up: what a tmpfs covers, copied into it (mount option "tmpcopyup").
 */
#pragma once

struct error;

/* Copies the contents of one folder into another, with owners, modes, times and extended
 * attributes. Symlinks are copied, never followed. */
int copy_up(int from, int to, struct error *err);
