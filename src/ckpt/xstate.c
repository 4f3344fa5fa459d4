#include "ckpt/xstate.h"

#include <cpuid.h>

#define XSAVE_LEAF 0xd

static uint64_t enabled_parts(void)
{
	unsigned int a = 0, b = 0, c = 0, d = 0;
	uint32_t low, high;

	if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE))
		return 0;
	__asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	return (uint64_t)high << 32 | low;
}

void xstate_look(struct xstate_layout *ret)
{
	struct xstate_layout layout = { .enabled = enabled_parts() };
	unsigned int a = 0, b = 0, c = 0, d = 0;

	if (layout.enabled && __get_cpuid_count(XSAVE_LEAF, 0, &a, &b, &c, &d))
		layout.size = b;
	for (unsigned int i = XSTATE_YMM; i < XSTATE_N_PARTS; i++) {
		unsigned int size = 0, offset = 0;

		if (!layout.size || !__get_cpuid_count(XSAVE_LEAF, i, &size, &offset, &c, &d))
			continue;
		layout.parts[i].offset = offset;
		layout.parts[i].size = size;
	}
	*ret = layout;
}
