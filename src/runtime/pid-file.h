/*
 * pid-file: the process id, whole or not at all, for whoever waits for the file.
 */
#pragma once

#include <sys/types.h>

struct error;

/* `path` NULL: nothing is wanted. */
int pid_file_write(const char *path, pid_t pid, struct error *err);
