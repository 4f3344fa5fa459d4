/*
 * every-image DIR: writes an image of every kind with all fields filled, for
 * other programs to read.
 */
#include <fcntl.h>
#include <stdio.h>

#include "../unit/img/sample.h"
#include "base/cleanup.h"
#include "base/err.h"

int main(int argc, char **argv)
{
	struct error err = ERROR_INIT;
	cleanup_fd int dir = argc == 2 ? open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

	if (dir < 0) {
		(void)fprintf(stderr, "usage: every-image DIR\n");
		return 2;
	}
	for (unsigned int kind = 0; kind < IMG_KIND_N; kind++) {
		const struct img_kind_info *info = img_kind_info((enum img_kind)kind);

		if (!info->record || info->ours)
			continue;
		if (sample_image(dir, (enum img_kind)kind, 1, &err) < 0) {
			(void)fprintf(stderr, "every-image: %s\n", err.text);
			return 1;
		}
	}
	return 0;
}
