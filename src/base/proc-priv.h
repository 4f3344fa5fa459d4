/*
 * proc-priv: how the proc units read their files.
 */
#pragma once

#include <stddef.h>

struct error;

#define PROC_PATH_MAX 96
#define PROC_TEXT_SMALL ((size_t)1 << 20)
#define PROC_TEXT_LARGE ((size_t)1 << 30)

/* file_read_at() for a task's file: a task that is gone is -ESRCH, told as such. */
int proc_read(const char *path, size_t max, char **ret_text, size_t *ret_len, struct error *err);

/* file_read_record_at() in the same way. */
int proc_read_record(const char *path, size_t max, char **ret_text, size_t *ret_len,
		     struct error *err);
