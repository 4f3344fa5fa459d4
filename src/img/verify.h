/*
 * verify: is a folder of images whole?
 *
 * Every image is decoded to its end, then what images say of each other is
 * followed: tasks to their cores, memory, descriptors and folders, descriptors
 * to files, mappings to files and segments, pagemaps to pages. Nothing is
 * restored and no process is touched; whether a host has the files that are
 * named is not looked at.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct error;

struct verify_summary {
	size_t images;
	size_t tasks;
	size_t threads;
	uint64_t pages; /* in pages files */
};

/*
 * Each finding is told to `found` (its text begins with the image's name).
 * Returns how many there were, or a negative errno when the look itself
 * failed.
 */
int verify_folder(int dirfd, void (*found)(void *arg, const struct error *finding), void *arg,
		  struct verify_summary *ret_summary, struct error *err);
