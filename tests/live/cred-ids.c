/* Real, effective, saved and file-system ids, each another one; supplementary groups; keep-caps. */
#include "live.h"

#include <grp.h>
#include <sys/fsuid.h>

int main(void)
{
	gid_t groups[5] = { 5, 1000, 70000, 4000000000U, 12 }, got[16];
	uid_t r, e, s;
	int n;

	(void)SYS(setgroups(5, groups));
	(void)SYS(setresgid(1001, 1002, 1003));
	(void)SYS(prctl(PR_SET_KEEPCAPS, 0));
	(void)SYS(setresuid(2001, 2002, 2003));
	(void)setfsuid(2003);
	(void)setfsgid(1003);
	/* Changing ids made us undumpable; a test must be readable by its own /proc. */
	live_freeze();
	(void)SYS(getresuid(&r, &e, &s));
	CHECK(r == 2001 && e == 2002 && s == 2003, "uids are %d %d %d", r, e, s);
	(void)SYS(getresgid(&r, &e, &s));
	CHECK(r == 1001 && e == 1002 && s == 1003, "gids are %d %d %d", r, e, s);
	CHECK(setfsuid((uid_t)-1) == 2003, "file-system uid is %d", setfsuid((uid_t)-1));
	CHECK(setfsgid((gid_t)-1) == 1003, "file-system gid is %d", setfsgid((gid_t)-1));
	n = SYS(getgroups(16, got));
	CHECK(n == 5, "%d groups", n);
	for (int i = 0; i < 5; i++) {
		bool found = false;

		for (int k = 0; k < n; k++)
			found |= got[k] == groups[i];
		CHECK(found, "group %u is lost", groups[i]);
	}
	CHECK(setuid(0) < 0 && errno == EPERM, "root can be had again");
	live_pass();
}
