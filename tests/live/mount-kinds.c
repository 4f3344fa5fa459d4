/* File systems of the kernel's: proc, sysfs, devpts, mqueue, with their options. */
#include "mounts.h"

static struct picture before, after;

static void make(const char *type, const char *path, const char *options)
{
	if (mkdir(path, 0755) < 0 && errno != EEXIST)
		live_fail("mkdir %s: %s", path, strerror(errno));
	(void)SYS(mount(type, path, type, MS_NOSUID | MS_NOEXEC, options));
}

int main(void)
{
	struct stat st;

	make("proc", "/tmp/proc", "hidepid=2");
	make("devpts", "/tmp/pts", "newinstance,ptmxmode=666,mode=620,gid=5");
	make("mqueue", "/tmp/mqueue", NULL);
	mount_bind("/proc/sys", "/tmp/sys", 0);
	(void)SYS(mount(NULL, "/tmp/sys", NULL,
			MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NOEXEC | MS_NODEV, NULL));
	picture_take(&before, "/proc/self/mountinfo");
	live_freeze();
	picture_take(&after, "/proc/self/mountinfo");
	picture_compare(&before, &after);
	CHECK(strstr(after.text, "/tmp/sys /sys proc"), "the bind is gone");
	(void)SYS(stat("/tmp/pts/ptmx", &st));
	CHECK((st.st_mode & 0777) == 0666, "ptmx has mode %o", st.st_mode & 0777);
	CHECK(access("/tmp/proc/1/stat", F_OK) == 0, "proc is not ours");
	CHECK(access("/tmp/sys/kernel/hostname", F_OK) == 0, "no settings in the bind of proc");
	live_pass();
}
