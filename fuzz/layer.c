/*
 * layer: a layer's tar, plain or compressed, unpacked into a fresh folder.
 *
 * Whatever it holds, nothing appears beside the folder. Devices, owners and
 * opaque folders need root; without it the entries that want them are refused.
 */
#include "fuzz.h"

#include <assert.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/file.h"
#include "store/unpack.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char path[] = "/dev/shm/cryopod-fuzz-layer.XXXXXX";
	struct unpack unpack = { .max_bytes = 1 << 20,
				 .max_entries = 1000,
				 .compression = TAR_LAYER };
	struct unpacked unpacked;
	struct error err = ERROR_INIT;
	cleanup_fd int tar = memfd_create("tar", MFD_CLOEXEC);
	cleanup_fd int dir = -EBADF;
	cleanup_fd int into = -EBADF;

	assert(tar >= 0 && mkdtemp(path));
	assert(write(tar, data, size) == (ssize_t)size && lseek(tar, 0, SEEK_SET) == 0);
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert(dir >= 0 && mkdirat(dir, "into", 0700) == 0);
	into = openat(dir, "into", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	unpack.into = into;
	if (unpack_tar(&unpack, tar, &unpacked, &err) < 0)
		assert(err.code < 0 && err.text[0]);
	else
		assert(unpacked.size <= unpack.max_bytes);
	assert(fchmod(into, 0700) == 0);
	assert(file_remove_tree_at(dir, "into", NULL) == 0);
	/* fails if anything else is in it */
	assert(rmdir(path) == 0);
	return 0;
}
