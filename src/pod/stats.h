/*
 * stats: the record a checkpoint or restore leaves about itself.
 *
 * The file is CRIU's: two magic numbers, a length, one protobuf message. Only
 * its whole numbers are wanted, so it is read here, field by field.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

struct error;

enum stats_kind { STATS_DUMP, STATS_RESTORE };

/*
 * The file's fields under Podman's names, those that are zero left out.
 * -ENOENT: no such file. -EBADMSG: damaged.
 */
int stats_read(const char *path, enum stats_kind kind, json_t **ret, struct error *err);

/* The same from bytes. */
int stats_parse(const void *data, size_t len, enum stats_kind kind, json_t **ret,
		struct error *err);
