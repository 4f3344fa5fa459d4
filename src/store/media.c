#include "store/media.h"

#include <string.h>

bool media_is_docker(const char *type)
{
	return type && strncmp(type, "application/vnd.docker.", 23) == 0;
}

bool media_is_foreign_layer(const char *type)
{
	return type && (strstr(type, "nondistributable") || strstr(type, "rootfs.foreign"));
}
