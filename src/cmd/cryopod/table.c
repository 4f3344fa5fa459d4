#include "cmd/cryopod/table.h"

#include <stdio.h>
#include <string.h>

void table_add(struct table *table, const char *cell)
{
	strv_add(&table->cells, cell);
}

static size_t width_of(const struct table *table, size_t column)
{
	size_t width = 0;

	for (size_t i = column; i < table->cells.n; i += table->columns) {
		size_t len = strlen(table->cells.items[i]);

		if (len > width)
			width = len;
	}
	return width;
}

void table_print(const struct table *table)
{
	for (size_t i = 0; i < table->cells.n; i++) {
		size_t column = i % table->columns;

		if (column + 1 == table->columns)
			printf("%s\n", table->cells.items[i]);
		else
			printf("%-*s  ", (int)width_of(table, column), table->cells.items[i]);
	}
}
