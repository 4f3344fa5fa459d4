/*
 * file-ids: which descriptors are the same open file description.
 *
 * kcmp(2) compares two descriptors and orders them, so that descriptions go
 * into a tree: the look-up is logarithmic, and kcmp is only asked where
 * device, inode and mode are equal anyway.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

struct dump_file_ids;
struct error;

int file_ids_new(struct dump_file_ids **ret, struct error *err);
void file_ids_free(struct dump_file_ids *ids);

/*
 * 1: that description was not seen before, *ret_id is its new number; 0: it is
 * the description with that number.
 */
int file_ids_get(struct dump_file_ids *ids, pid_t host_pid, int number, const struct stat *st,
		 uint32_t *ret_id, struct error *err);

/*
 * The same for a descriptor of ours, which stays open: what lies in a queue. Its
 * record is written by the first task that turns out to have it, for whom
 * file_ids_get() answers 1; *ret_dumped tells.
 */
int file_ids_get_passed(struct dump_file_ids *ids, int fd, const struct stat *st, uint32_t *ret_id,
			const bool **ret_dumped, struct error *err);

/* A number for a record that stands for no description of its own. */
uint32_t file_ids_next(struct dump_file_ids *ids);

/* The same for files that are no descriptors (exe, cwd, mappings): one number for each
 * file, mount and way of opening. */
int file_ids_get_plain(struct dump_file_ids *ids, const struct stat *st, int mnt_id, uint32_t flags,
		       uint32_t *ret_id, struct error *err);
