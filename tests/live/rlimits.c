/* Every resource limit, soft and hard. */
#include "live.h"

#include <sys/resource.h>

int main(void)
{
	struct rlimit before[RLIM_NLIMITS], now;

	for (int i = 0; i < RLIM_NLIMITS; i++) {
		(void)SYS(getrlimit((__rlimit_resource_t)i, &before[i]));
		/* Soft limits can move down without privilege; each by another amount. */
		if (i == RLIMIT_NOFILE)
			before[i].rlim_cur = 333;
		else if (i == RLIMIT_CORE)
			before[i].rlim_cur = before[i].rlim_max = 12345678;
		else if (i == RLIMIT_STACK)
			before[i].rlim_cur = 7000000;
		else if (i == RLIMIT_MSGQUEUE)
			before[i].rlim_cur = before[i].rlim_cur / 2;
		else if (i == RLIMIT_FSIZE)
			before[i].rlim_cur = (rlim_t)1 << 40;
		if (before[i].rlim_cur > before[i].rlim_max)
			before[i].rlim_cur = before[i].rlim_max;
		(void)SYS(setrlimit((__rlimit_resource_t)i, &before[i]));
	}
	live_freeze();
	for (int i = 0; i < RLIM_NLIMITS; i++) {
		(void)SYS(getrlimit((__rlimit_resource_t)i, &now));
		CHECK(now.rlim_cur == before[i].rlim_cur && now.rlim_max == before[i].rlim_max,
		      "limit %d is %lu/%lu, was %lu/%lu", i, now.rlim_cur, now.rlim_max,
		      before[i].rlim_cur, before[i].rlim_max);
	}
	live_pass();
}
