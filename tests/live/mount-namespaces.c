/* A child in a mount namespace of its own, with files open in it, and mounts that are peers of
 * ours. */
#include "mounts.h"

#include <sys/mount.h>

static struct picture before, after;

static void child(void)
{
	static struct picture mine, now;
	int fd, ghost;
	char text[32] = "";

	(void)SYS(unshare(CLONE_NEWNS));
	(void)SYS(mount(NULL, "/tmp/down", NULL, MS_SLAVE, NULL));
	mount_tmpfs("/tmp/own", 0, NULL);
	put_file("/tmp/own/file", "the child's");
	fd = SYS(open("/tmp/own/file", O_RDWR));
	ghost = SYS(open("/tmp/own/gone", O_RDWR | O_CREAT, 0600));
	CHECK(write(ghost, "ghost", 5) == 5, "write");
	(void)SYS(unlink("/tmp/own/gone"));
	(void)SYS(chdir("/tmp/own"));
	picture_take(&mine, "/proc/self/mountinfo");
	put_file("/ready", "");
	live_wait();
	while (access("/go", F_OK) < 0) /* the parent has compared, too */
		live_pause_ms(2);
	picture_take(&now, "/proc/self/mountinfo");
	picture_compare(&mine, &now);
	CHECK(read(fd, text, sizeof(text)) == 11 && !strcmp(text, "the child's"), "file is '%s'",
	      text);
	CHECK(pread(ghost, text, 5, 0) == 5 && !strncmp(text, "ghost", 5), "ghost is '%s'", text);
	check_content("file", "the child's");
	check_content("/tmp/own/file", "the child's");
	CHECK(access("/tmp/parent/file", F_OK) < 0, "the parent's mount is here");
	/* Of the peer both see it, of the slave only we do. */
	(void)SYS(mount("live", "/tmp/both/child", "tmpfs", 0, NULL));
	put_file("/tmp/both/child/file", "x");
	(void)SYS(mount("live", "/tmp/down/child", "tmpfs", 0, NULL));
	put_file("/tmp/down/child/file", "x");
	put_file("/mounted", "");
}

int main(void)
{
	pid_t pid;

	mount_tmpfs("/tmp/both", 0, NULL);
	(void)SYS(mkdir("/tmp/both/child", 0755));
	(void)SYS(mount(NULL, "/tmp/both", NULL, MS_SHARED, NULL));
	mount_tmpfs("/tmp/down", 0, NULL);
	(void)SYS(mkdir("/tmp/down/child", 0755));
	(void)SYS(mkdir("/tmp/down/parent", 0755));
	(void)SYS(mount(NULL, "/tmp/down", NULL, MS_SHARED, NULL));
	pid = live_fork(child);
	while (access("/ready", F_OK) < 0)
		live_pause_ms(2);
	mount_tmpfs("/tmp/parent", 0, NULL);
	put_file("/tmp/parent/file", "the parent's");
	picture_take(&before, "/proc/self/mountinfo");
	live_freeze();
	picture_take(&after, "/proc/self/mountinfo");
	picture_compare(&before, &after);
	check_content("/tmp/parent/file", "the parent's");
	CHECK(access("/tmp/own/file", F_OK) < 0, "the child's mount is here");
	put_file("/go", "");
	while (access("/mounted", F_OK) < 0) {
		CHECK(!kill(pid, 0), "the child is gone");
		live_pause_ms(2);
	}
	live_reap(pid);
	CHECK(access("/tmp/both/child/file", F_OK) == 0,
	      "what the child mounted on a peer is not here");
	CHECK(access("/tmp/down/child/file", F_OK) < 0,
	      "what the child mounted on its slave is here");
	live_pass();
}
