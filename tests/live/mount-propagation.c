/* Peers, slaves, slaves that are shared, unbindable mounts: and that they still propagate. */
#include "mounts.h"

static struct picture before, after;

static void check_arrives(const char *where, bool wanted)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "%s/new/file", where);
	CHECK((access(path, F_OK) == 0) == wanted, "%s %s", path,
	      wanted ? "did not arrive" : "arrived");
}

int main(void)
{
	mount_tmpfs("/tmp/top", 0, NULL);
	(void)SYS(mount(NULL, "/tmp/top", NULL, MS_PRIVATE, NULL));
	(void)SYS(mkdir("/tmp/top/part", 0755));
	mount_tmpfs("/tmp/m", 0, NULL);
	(void)SYS(mkdir("/tmp/m/new", 0755));
	(void)SYS(mkdir("/tmp/m/part", 0755));
	(void)SYS(mkdir("/tmp/m/part/new", 0755));
	(void)SYS(mount(NULL, "/tmp/m", NULL, MS_SHARED, NULL));
	mount_bind("/tmp/m", "/tmp/peer", 0);
	mount_bind("/tmp/m", "/tmp/slave", 0);
	(void)SYS(mount(NULL, "/tmp/slave", NULL, MS_SLAVE, NULL));
	mount_bind("/tmp/slave", "/tmp/both", 0);
	(void)SYS(mount(NULL, "/tmp/both", NULL, MS_SHARED, NULL));
	mount_bind("/tmp/both", "/tmp/below", 0);
	(void)SYS(mount(NULL, "/tmp/below", NULL, MS_SLAVE, NULL));
	mount_bind("/tmp/m/part", "/tmp/part", 0);
	mount_bind("/tmp/m", "/tmp/alone", 0);
	(void)SYS(mount(NULL, "/tmp/alone", NULL, MS_PRIVATE, NULL));
	mount_bind("/tmp/m", "/tmp/unbindable", 0);
	(void)SYS(mount(NULL, "/tmp/unbindable", NULL, MS_UNBINDABLE, NULL));

	picture_take(&before, "/proc/self/mountinfo");
	live_freeze();
	picture_take(&after, "/proc/self/mountinfo");
	picture_compare(&before, &after);

	(void)SYS(mount("live", "/tmp/peer/new", "tmpfs", 0, NULL));
	put_file("/tmp/peer/new/file", "x");
	check_arrives("/tmp/m", true);
	check_arrives("/tmp/slave", true);
	check_arrives("/tmp/both", true);
	check_arrives("/tmp/below", true);
	check_arrives("/tmp/alone", false);
	check_arrives("/tmp/unbindable", false);
	(void)SYS(umount2("/tmp/m/new", 0));
	check_arrives("/tmp/peer", false);
	check_arrives("/tmp/below", false);
	(void)SYS(mount("live", "/tmp/both/new", "tmpfs", 0, NULL));
	put_file("/tmp/both/new/file", "x");
	check_arrives("/tmp/below", true);
	check_arrives("/tmp/m", false);
	(void)SYS(mount("live", "/tmp/part/new", "tmpfs", 0, NULL));
	put_file("/tmp/part/new/file", "x");
	check_arrives("/tmp/m/part", true);
	check_arrives("/tmp/below/part", true);
	live_pass();
}
