/*
 * table: columns as wide as their widest cell and two blanks, as Podman prints
 * them: at least twelve characters, the last one not padded.
 */
#pragma once

#include <stddef.h>

#include "base/strv.h"

struct table {
	size_t columns;
	struct strv cells; /* row after row */
};

void table_add(struct table *table, const char *cell);

/* To standard output. */
void table_print(const struct table *table);

static inline void table_done(struct table *table)
{
	strv_done(&table->cells);
}

#define cleanup_table __attribute__((cleanup(table_done)))
