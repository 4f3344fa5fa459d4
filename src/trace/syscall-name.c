#include "trace/syscall-name.h"

#include <stddef.h>

/* Made from the kernel's headers by build-syscall-names. */
static const char *const names[] = {
#include "syscall-names.inc"
};

const char *syscall_name(uint32_t nr)
{
	if (nr >= sizeof(names) / sizeof(names[0]) || !names[nr])
		return "syscall";
	return names[nr];
}
