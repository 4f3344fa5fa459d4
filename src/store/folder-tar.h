/*
 * folder-tar: a folder on disk as the tar of a layer.
 */
#pragma once

struct error;
struct layer_writer;

/*
 * Owners, modes, times, extended attributes, hard links and holes are kept;
 * sockets, which no tar has, are left out; other file systems mounted below are
 * left out too. Entries come in the order of the disk.
 */
int folder_tar_write(const char *path, struct layer_writer *writer, struct error *err);
