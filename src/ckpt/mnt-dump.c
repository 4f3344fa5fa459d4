#include "ckpt/mnt.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "ckpt/dump-priv.h"

int mnt_collect(struct dump *dump, struct error *err)
{
	struct dump_task *root = &dump->tasks[0];
	int r;

	r = mountinfo_read_at(root->proc, "mountinfo", &dump->mounts, err);
	if (r < 0)
		return err_wrap(err, r, "task %d", root->host_pid);
	dump->root_fd = dump->ns[DUMP_NS_MNT].other
				? openat(root->proc, "root", O_PATH | O_DIRECTORY | O_CLOEXEC)
				: open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dump->root_fd < 0)
		return err_sys(err, "open the root of task %d", root->host_pid);
	return 0;
}

int mnt_write(struct dump *dump, struct error *err)
{
	if (!dump->ns[DUMP_NS_MNT].other)
		return 0;
	return err_set(err, -EOPNOTSUPP, "the tree has a mount namespace of its own");
}

void mnt_done(struct dump *dump)
{
	cleanup_fd_p(&dump->root_fd);
	dump->root_fd = -EBADF;
	mountinfo_table_done(&dump->mounts);
}
