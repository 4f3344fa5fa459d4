/*
 * replay DIR: gives each file of a corpus to the fuzzer, whole, and cut after
 * each of its first bytes. TAP: a line for each file.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

#define CUTS 512

static int replay(const char *dir, const char *name)
{
	char path[4096];
	uint8_t *data = NULL, *exact;
	size_t size = 0, n;
	FILE *file;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	file = fopen(path, "re");
	if (!file)
		return -1;
	do {
		uint8_t *more = realloc(data, size + 65536);

		if (!more)
			break;
		data = more;
		n = fread(data + size, 1, 65536, file);
		size += n;
	} while (n > 0);
	(void)fclose(file);
	for (size_t cut = 0; cut <= size;
	     cut = cut < CUTS && cut < size ? cut + 1 : size + (cut == size)) {
		/* On the heap with its exact size: a sanitizer sees the first byte too far. */
		exact = malloc(cut ? cut : 1);
		if (!exact)
			break;
		memcpy(exact, data, cut);
		(void)LLVMFuzzerTestOneInput(exact, cut);
		free(exact);
	}
	free(data);
	return 0;
}

int main(int argc, char **argv)
{
	struct dirent *entry;
	DIR *dir = argc == 2 ? opendir(argv[1]) : NULL;
	int n = 0, bad = 0;

	if (!dir) {
		(void)fprintf(stderr, "usage: %s CORPUS\n", argv[0]);
		return 2;
	}
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		n++;
		if (replay(argv[1], entry->d_name) < 0) {
			(void)printf("not ok %d - %s\n", n, entry->d_name);
			bad = 1;
		} else {
			(void)printf("ok %d - %s\n", n, entry->d_name);
		}
	}
	(void)closedir(dir);
	return bad || n == 0;
}
