/*
 * show: image files as JSON.
 */
#include <stdio.h>

#include "base/err.h"
#include "cmd/cryo/commands.h"
#include "cmd/cryo/program.h"
#include "img/show.h"

struct show_options {
	struct common_options common;
	bool sizes_only;
};

static const struct opt show_option_table[] = {
	COMMON_OPTIONS(struct show_options, common),
	OPT_FLAG(0, "nopl", struct show_options, sizes_only,
		 "of raw bytes show only how many there are"),
	OPT_END,
};

static int run_show(const struct command *cmd, int argc, char **argv, void *program)
{
	struct show_options o = { .common = COMMON_OPTIONS_INIT };
	struct program *p = program;
	struct error err = ERROR_INIT;
	struct jsonw json;
	int r = program_begin(p, cmd, &o, &o.common, &argc, argv);

	if (r != PROGRAM_GO_ON)
		return r;
	if (argc > 1) {
		(void)err_set(&err, -EINVAL, "'%s show' takes one file or folder", p->name);
		return program_misuse(p, cmd, &err);
	}
	jsonw_init(&json, stdout);
	if (show_path(p->images_dir, argc ? argv[0] : ".", o.sizes_only, &json, &err) < 0)
		return program_fail(p, &err);
	return program_finish(p);
}

const struct command command_show = {
	.name = "show",
	.args = "[FILE|DIR]",
	.brief = "Show image files as JSON",
	.options = show_option_table,
	.run = run_show,
};
