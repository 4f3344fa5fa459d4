#include "runtime/pid-file.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"

int pid_file_write(const char *path, pid_t pid, struct error *err)
{
	char text[16];

	if (!path || !*path)
		return 0;
	(void)snprintf(text, sizeof(text), "%d", pid);
	return file_replace_at(AT_FDCWD, path, text, strlen(text), 0644, err);
}
