#include "runtime/caps.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cap-names.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "runtime/spec.h"

int caps_limit_bounding(uint64_t keep, struct error *err)
{
	for (unsigned long cap = 0; cap < 64; cap++) {
		int has = prctl(PR_CAPBSET_READ, cap, 0, 0, 0);

		if (has < 0)
			return 0; /* beyond the last one this kernel knows */
		if (has == 0 || (keep & (UINT64_C(1) << cap)))
			continue;
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0)
			return err_sys(err, "drop %s from the bounding set",
				       cap_name((int)cap) ? cap_name((int)cap) : "a capability");
	}
	return 0;
}

static int set_ambient(uint64_t ambient, struct error *err)
{
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
		return err_sys(err, "clear ambient capabilities");
	for (unsigned long cap = 0; cap < 64; cap++) {
		if (!(ambient & (UINT64_C(1) << cap)))
			continue;
		/* Asks for it in permitted and inheritable; elsewhere it's not ours to give. */
		if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0) < 0 && errno != EPERM)
			return err_sys(err, "raise ambient capability %s",
				       cap_name((int)cap) ? cap_name((int)cap) : "");
	}
	return 0;
}

/* What this process may have at all: asking for more would fail as a whole. */
static int current_permitted(uint64_t *ret, struct error *err)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { { 0 } };

	if (syscall(SYS_capget, &header, data) < 0)
		return err_sys(err, "read capabilities");
	*ret = (uint64_t)data[1].permitted << 32 | data[0].permitted;
	return 0;
}

int caps_apply(const struct spec_capabilities *caps, struct error *err)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];
	uint64_t have = 0;
	uint64_t permitted;
	uint64_t effective;
	uint64_t inheritable;
	int r;

	r = current_permitted(&have, err);
	if (r < 0)
		return r;
	permitted = caps->permitted & have;
	effective = caps->effective & permitted;
	inheritable = caps->inheritable & caps->bounding;
	for (int i = 0; i < 2; i++)
		data[i] = (struct __user_cap_data_struct){
			.effective = (uint32_t)(effective >> (32 * i)),
			.permitted = (uint32_t)(permitted >> (32 * i)),
			.inheritable = (uint32_t)(inheritable >> (32 * i)),
		};
	if (syscall(SYS_capset, &header, data) < 0)
		return err_sys(err, "set capabilities");
	return set_ambient(caps->ambient, err);
}
