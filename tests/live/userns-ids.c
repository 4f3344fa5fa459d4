/* In a user namespace: ids of a task, of files in a tmpfs, of a deleted file, all as seen inside.
 */
#include "live.h"

#include <grp.h>
#include <sys/mount.h>

static void check_owner(const char *path, int fd, uid_t uid, gid_t gid)
{
	struct stat st;

	if (fd >= 0)
		(void)SYS(fstat(fd, &st));
	else
		(void)SYS(lstat(path, &st));
	CHECK(st.st_uid == uid && st.st_gid == gid, "%s belongs to %u:%u", path, st.st_uid,
	      st.st_gid);
}

static void child(void)
{
	gid_t groups[3] = { 5, 1000, 60000 }, got[8];
	uid_t r, e, s;

	(void)SYS(setgroups(3, groups));
	(void)SYS(setresgid(1001, 1002, 1003));
	(void)SYS(setresuid(2001, 2002, 2003));
	live_wait();
	(void)SYS(getresuid(&r, &e, &s));
	CHECK(r == 2001 && e == 2002 && s == 2003, "uids are %d %d %d", r, e, s);
	(void)SYS(getresgid(&r, &e, &s));
	CHECK(r == 1001 && e == 1002 && s == 1003, "gids are %d %d %d", r, e, s);
	CHECK(getgroups(8, got) == 3 && got[0] == 5 && got[1] == 1000 && got[2] == 60000,
	      "groups are %d %d %d", got[0], got[1], got[2]);
}

int main(void)
{
	char map[64];
	int ghost;
	pid_t pid;

	(void)SYS(mkdir("/tmp/fs", 0755));
	(void)SYS(mount("live", "/tmp/fs", "tmpfs", 0, "uid=7,gid=8,mode=755"));
	(void)close(SYS(open("/tmp/fs/file", O_CREAT | O_WRONLY, 0640)));
	(void)SYS(chown("/tmp/fs/file", 33, 44));
	(void)SYS(symlink("nowhere", "/tmp/fs/link"));
	(void)SYS(lchown("/tmp/fs/link", 65535, 0));
	ghost = SYS(open("/tmp/gone", O_CREAT | O_RDWR, 0600));
	(void)SYS(fchown(ghost, 55, 66));
	(void)SYS(unlink("/tmp/gone"));
	pid = live_fork(child);
	while (strncmp(live_proc(pid, "status", "Uid:"), "\t2001\t2002\t2003", 15) != 0)
		live_pause_ms(2);
	live_copy(map, sizeof(map), live_proc(getpid(), "uid_map", ""));
	live_freeze();
	CHECK(!strcmp(map, live_proc(getpid(), "uid_map", "")), "uid_map is '%s'",
	      live_proc(getpid(), "uid_map", ""));
	CHECK(geteuid() == 0 && getegid() == 0, "we are %d:%d", geteuid(), getegid());
	check_owner("/tmp/fs", -1, 7, 8);
	check_owner("/tmp/fs/file", -1, 33, 44);
	check_owner("/tmp/fs/link", -1, 65535, 0);
	check_owner("ghost", ghost, 55, 66);
	/* The file system is ours: nobody else's root could do that. */
	(void)SYS(mount(NULL, "/tmp/fs", NULL, MS_REMOUNT, "size=1m"));
	live_reap(pid);
	live_pass();
}
