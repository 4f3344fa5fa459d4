/*
 * injection: what the tests of injection have in common.
 */
#pragma once

#include <stdint.h>
#include <sys/types.h>

struct freeze;
struct victim;

/* The caller's to free. */
char *maps_of(pid_t pid);
/* Other processes' leavings may take a moment to go. */
void wait_until_maps_are(pid_t pid, const char *want);

void freeze_it(struct freeze *f, pid_t pid);
/* One whole injection that must not fail; returns the number of stops. */
unsigned int inject(struct victim *v);
/* The same over and over in a forked child, which exits with 1 if one fails. */
void injecting_child(pid_t pid, unsigned int rounds);

void spin_us(uint64_t us);
