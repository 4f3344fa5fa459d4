/*
 * verify: is a folder of images whole?
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "cmd/cryo/commands.h"
#include "cmd/cryo/program.h"
#include "img/verify.h"

#define PAGE_KIB 4

struct verify_options {
	struct common_options common;
};

static const struct opt verify_option_table[] = {
	COMMON_OPTIONS(struct verify_options, common),
	OPT_END,
};

static void print_finding(void *arg UNUSED, const struct error *finding)
{
	printf("%s\n", finding->text);
}

static int run_verify(const struct command *cmd, int argc, char **argv, void *program)
{
	struct verify_options o = { .common = COMMON_OPTIONS_INIT };
	struct verify_summary summary = { 0 };
	struct error err = ERROR_INIT;
	struct program *p = program;
	cleanup_fd int fd = -EBADF;
	int n;
	int r = program_begin(p, cmd, &o, &o.common, &argc, argv);

	if (r != PROGRAM_GO_ON)
		return r;
	if (argc > 1) {
		(void)err_set(&err, -EINVAL, "'%s verify' takes one folder", p->name);
		return program_misuse(p, cmd, &err);
	}
	fd = openat(p->images_dir, argc ? argv[0] : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) {
		(void)err_sys(&err, "open folder '%s'", argc ? argv[0] : ".");
		return program_fail(p, &err);
	}
	n = verify_folder(fd, print_finding, NULL, &summary, &err);
	if (n < 0)
		return program_fail(p, &err);
	if (n > 0) {
		(void)err_set(&err, -EBADMSG, "the images are damaged: %d finding%s", n,
			      n > 1 ? "s" : "");
		return program_fail(p, &err);
	}
	printf("whole: %zu images, %zu tasks, %zu threads, %" PRIu64 " KiB of pages\n",
	       summary.images, summary.tasks, summary.threads, summary.pages * PAGE_KIB);
	return program_finish(p);
}

const struct command command_verify = {
	.name = "verify",
	.args = "[DIR]",
	.brief = "Check that a folder of images is whole",
	.options = verify_option_table,
	.run = run_verify,
};
