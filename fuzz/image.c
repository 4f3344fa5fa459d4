/*
 * image: an image file of any kind, its records decoded and shown as JSON.
 */
#include "fuzz.h"

#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "img/show.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static FILE *null;
	static int fd = -1;
	struct error err = ERROR_INIT;
	struct jsonw json;
	char path[32];

	if (fd < 0) {
		null = fopen("/dev/null", "we");
		fd = memfd_create("image", MFD_CLOEXEC);
		assert(null && fd >= 0);
	}
	if (ftruncate(fd, 0) < 0 || pwrite(fd, data, size, 0) != (ssize_t)size)
		return 0;
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	jsonw_init(&json, null);
	if (show_path(AT_FDCWD, path, false, &json, &err) < 0)
		assert(err.code < 0 && err.text[0]);
	return 0;
}
