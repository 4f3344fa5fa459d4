#include "runtime/self.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "runtime/mount-fd.h"

#define SELF "/proc/self/exe"

int self_protect(char *const *argv, struct error *err)
{
	cleanup_fd int copy = -EBADF;
	struct statvfs fs;
	int r;

	/* The kernel names a program executed by descriptor after its number. */
	(void)prctl(PR_SET_NAME, "cryorun", 0, 0, 0); /* only a name */
	if (statvfs(SELF, &fs) < 0)
		return err_sys(err, "stat '%s'", SELF);
	if (fs.f_flag & ST_RDONLY)
		return 0;
	copy = mount_fd_copy(AT_FDCWD, SELF, false, err);
	if (copy < 0)
		return copy;
	r = mount_fd_change(copy, MOUNT_ATTR_RDONLY, 0, 0, false, err);
	if (r < 0)
		return r;
	(void)execveat(copy, "", argv, environ, AT_EMPTY_PATH);
	return err_sys(err, "execute '%s' from a read-only mount", SELF);
}
