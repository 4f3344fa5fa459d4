#include "cmd/cryorun/engine-log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "cmd/cryorun/program.h"

void engine_log_begin(struct program *program, const struct checkpoint_opts *opts, const char *name)
{
	const char *folder = opts->work_path && *opts->work_path     ? opts->work_path
			     : opts->image_path && *opts->image_path ? opts->image_path
								     : "checkpoint";
	char path[PATH_MAX];
	int n = snprintf(path, sizeof(path), "%s/%s", folder, name);

	if (n < 0 || (size_t)n >= sizeof(path))
		return;		   /* the folder's own opening tells why */
	(void)mkdir(folder, 0700); /* the same */
	program->engine_log_fd =
		open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (program->engine_log_fd < 0)
		return;
	log_set_fd(program->engine_log_fd);
	log_set_format(LOG_FORMAT_TEXT);
	log_set_level(LOG_LEVEL_DEBUG);
}

void engine_log_end(struct program *program, int result, const struct error *err)
{
	if (program->engine_log_fd < 0)
		return;
	if (result < 0)
		log_err("%s", err->text);
	program_reset_log(program);
	(void)close(program->engine_log_fd); /* a log: nobody waits for its last byte */
	program->engine_log_fd = -EBADF;
}
