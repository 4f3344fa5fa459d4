/* Mounts made inside: flags, binds of parts, mounts on mounts, mounts over mounts, with their
 * files. */
#include "mounts.h"

static struct picture before, after;

int main(void)
{
	mount_tmpfs("/tmp/a", MS_NOSUID | MS_NODEV | MS_NOATIME, "size=1m,mode=750");
	(void)SYS(mkdir("/tmp/a/sub", 0700));
	put_file("/tmp/a/sub/file", "in a/sub");
	put_file("/tmp/a/under", "under another mount");
	mount_tmpfs("/tmp/a/inner", MS_NOEXEC | MS_STRICTATIME, "nr_inodes=100");
	put_file("/tmp/a/inner/file", "in a/inner");
	mount_bind("/tmp/a/sub", "/tmp/part", 0);
	(void)SYS(mount(NULL, "/tmp/part", NULL,
			MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV, NULL));
	put_file("/tmp/one", "");
	(void)SYS(mount("/tmp/a/sub/file", "/tmp/one", NULL, MS_BIND, NULL));
	mount_tmpfs("/tmp/over", 0, NULL);
	put_file("/tmp/over/low", "the lower one");
	(void)SYS(mkdir("/tmp/over/hidden", 0755));
	put_file("/tmp/over/hidden/file", "hidden by a mount");
	mount_tmpfs("/tmp/over/hidden", 0, NULL);
	mount_tmpfs("/tmp/over", MS_NODEV, NULL);
	put_file("/tmp/over/high", "the higher one");
	(void)SYS(mkdir("/tmp/c", 0755));
	(void)SYS(mkdir("/tmp/c/d", 0755));
	mount_tmpfs("/tmp/c/d", 0, NULL); /* hidden by what is mounted on its parent later */
	put_file("/tmp/c/d/file", "deep");
	mount_tmpfs("/tmp/c", 0, NULL);
	mount_tmpfs("/tmp/ro", 0, NULL);
	put_file("/tmp/ro/file", "read-only");
	(void)SYS(mount(NULL, "/tmp/ro", NULL, MS_REMOUNT | MS_RDONLY, NULL));

	picture_take(&before, "/proc/self/mountinfo");
	live_freeze();
	picture_take(&after, "/proc/self/mountinfo");
	picture_compare(&before, &after);

	check_content("/tmp/a/sub/file", "in a/sub");
	check_content("/tmp/part/file", "in a/sub");
	check_content("/tmp/one", "in a/sub");
	check_content("/tmp/a/inner/file", "in a/inner");
	check_content("/tmp/over/high", "the higher one");
	check_content("/tmp/ro/file", "read-only");
	CHECK(open("/tmp/part/new", O_CREAT | O_WRONLY, 0600) < 0 && errno == EROFS, "part: %s",
	      strerror(errno));
	CHECK(open("/tmp/ro/new", O_CREAT | O_WRONLY, 0600) < 0 && errno == EROFS, "ro: %s",
	      strerror(errno));
	(void)SYS(umount2("/tmp/over", 0));
	check_content("/tmp/over/low", "the lower one");
	(void)SYS(umount2("/tmp/over/hidden", 0));
	check_content("/tmp/over/hidden/file", "hidden by a mount");
	(void)SYS(umount2("/tmp/c", 0));
	check_content("/tmp/c/d/file", "deep");
	live_pass();
}
