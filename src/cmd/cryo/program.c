#include "cmd/cryo/program.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/log.h"

static int open_folder(const char *path, int *ret_fd, struct error *err)
{
	int fd = open(path ? path : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return err_sys(err, "open folder '%s'", path ? path : ".");
	*ret_fd = fd;
	return 0;
}

static int begin_log(struct program *program, const struct common_options *common,
		     struct error *err)
{
	int level = common->verbosity;

	if (level < LOG_LEVEL_NONE)
		level = LOG_LEVEL_NONE;
	if (level > LOG_LEVEL_DEBUG)
		level = LOG_LEVEL_DEBUG;
	log_set_level((enum log_level)level);
	if (!common->log_file)
		return 0;
	if (strcmp(common->log_file, "-") == 0) {
		log_set_fd(STDOUT_FILENO);
		return 0;
	}
	program->log_fd = openat(program->work_dir, common->log_file,
				 O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
	if (program->log_fd < 0)
		return err_sys(err, "create log file '%s'", common->log_file);
	log_set_fd(program->log_fd);
	return 0;
}

static int begin(struct program *program, const struct common_options *common, struct error *err)
{
	int r = open_folder(common->images_dir, &program->images_dir, err);

	if (r < 0)
		return r;
	r = open_folder(common->work_dir ? common->work_dir : common->images_dir,
			&program->work_dir, err);
	if (r < 0)
		return r;
	return begin_log(program, common, err);
}

int program_begin(struct program *program, const struct command *cmd, void *values,
		  struct common_options *common, int *argc, char **argv)
{
	struct error err = ERROR_INIT;
	bool help = false;
	int r;

	r = opts_parse(cmd->options, cmd->stop_at_argument, values, *argc, argv, argc, &help, &err);
	if (r < 0)
		return program_misuse(program, cmd, &err);
	if (help) {
		opts_print_help(program->name, cmd);
		return program_finish(program);
	}
	if (begin(program, common, &err) < 0)
		return program_fail(program, &err);
	return PROGRAM_GO_ON;
}

int program_fail(const struct program *program, const struct error *err)
{
	const char *text = err->text[0] ? err->text : strerror(-err->code);

	(void)fflush(stdout); /* what was achieved comes before what was not */
	(void)fprintf(stderr, "%s: %s\n", program->name, text);
	if (err->hint[0])
		(void)fprintf(stderr, "hint: %s\n", err->hint);
	if (program->log_fd >= 0) {
		log_err("%s", text);
		if (err->hint[0])
			log_err("hint: %s", err->hint);
	}
	return EXIT_FAILED;
}

int program_misuse(const struct program *program, const struct command *cmd,
		   const struct error *err)
{
	(void)program_fail(program, err);
	(void)fprintf(stderr, "See '%s %s --help'\n", program->name, cmd->name);
	return EXIT_FAILED;
}

int program_finish(const struct program *program)
{
	struct error err = ERROR_INIT;

	if (fflush(stdout) == 0)
		return 0;
	(void)err_sys(&err, "write to standard output");
	return program_fail(program, &err);
}

void program_done(struct program *program)
{
	cleanup_fd_p(&program->images_dir);
	cleanup_fd_p(&program->work_dir);
	log_set_fd(STDERR_FILENO);
	cleanup_fd_p(&program->log_fd);
}
