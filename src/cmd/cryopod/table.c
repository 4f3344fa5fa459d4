#include "cmd/cryopod/table.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"

#define MIN_WIDTH 10
#define GAP 2

void table_add(struct table *table, const char *cell)
{
	strv_add(&table->cells, cell);
}

/* Characters, not bytes: the later bytes of a UTF-8 character take no room. */
static size_t width_of(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		if (((unsigned char)*text & 0xc0) != 0x80)
			n++;
	return n;
}

/* Widths of all columns; NULL when out of memory. */
static size_t *find_widths(const struct table *table)
{
	size_t *widths = calloc(table->columns, sizeof(*widths));

	for (size_t i = 0; widths && i < table->cells.n; i++) {
		size_t *width = &widths[i % table->columns];
		size_t w = width_of(table->cells.items[i]);

		if (w < MIN_WIDTH)
			w = MIN_WIDTH;
		if (w > *width)
			*width = w;
	}
	return widths;
}

void table_print(const struct table *table)
{
	cleanup_free size_t *widths = find_widths(table);

	for (size_t i = 0; i < table->cells.n; i++) {
		const char *cell = table->cells.items[i];
		size_t column = i % table->columns;
		size_t width = width_of(cell);

		if (column + 1 == table->columns)
			printf("%s\n", cell);
		else /* out of memory: the columns are not aligned, but all is there */
			printf("%s%*s", cell,
			       (int)((widths ? widths[column] : width) - width + GAP), "");
	}
}
