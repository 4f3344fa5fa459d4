/* The five capability sets and the secure bits. */
#include "live.h"

#include <linux/capability.h>
#include <linux/securebits.h>

static void status(char *ret, size_t size)
{
	static const char *const keys[] = { "CapInh:", "CapPrm:", "CapEff:",
					    "CapBnd:", "CapAmb:", "NoNewPrivs:" };

	ret[0] = '\0';
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		size_t used = strlen(ret);

		(void)snprintf(ret + used, size - used, "%s%s ", keys[i],
			       live_proc(getpid(), "status", keys[i]));
	}
}

int main(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct caps[2];
	char before[512], after[512];
	int bits = SECBIT_NOROOT | SECBIT_NO_SETUID_FIXUP | SECBIT_KEEP_CAPS;

	(void)SYS(prctl(PR_CAPBSET_DROP, CAP_SYS_MODULE));
	(void)SYS(prctl(PR_CAPBSET_DROP, CAP_SYSLOG));
	(void)SYS(prctl(PR_SET_SECUREBITS, bits));
	(void)SYS((int)syscall(SYS_capget, &header, caps));
	caps[0].permitted &= ~(1U << CAP_SYS_TIME);
	caps[0].effective = caps[0].permitted & ~(1U << CAP_NET_RAW);
	caps[0].inheritable = 1U << CAP_CHOWN | 1U << CAP_KILL;
	(void)SYS((int)syscall(SYS_capset, &header, caps));
	(void)SYS(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_KILL, 0, 0));
	status(before, sizeof(before));
	live_freeze();
	status(after, sizeof(after));
	CHECK(strcmp(before, after) == 0, "were: %s are: %s", before, after);
	CHECK(prctl(PR_GET_SECUREBITS) == bits, "secure bits are %#x",
	      (unsigned int)prctl(PR_GET_SECUREBITS));
	live_pass();
}
