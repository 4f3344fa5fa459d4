#include "cmd/cryopod/table.h"

#include <stdio.h>

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

static size_t column_width(const struct table *table, size_t column)
{
	size_t width = MIN_WIDTH;

	for (size_t i = column; i < table->cells.n; i += table->columns) {
		size_t w = width_of(table->cells.items[i]);

		if (w > width)
			width = w;
	}
	return width;
}

void table_print(const struct table *table)
{
	for (size_t i = 0; i < table->cells.n; i++) {
		const char *cell = table->cells.items[i];
		size_t column = i % table->columns;

		if (column + 1 == table->columns)
			printf("%s\n", cell);
		else
			printf("%s%*s", cell,
			       (int)(column_width(table, column) - width_of(cell) + GAP), "");
	}
}
