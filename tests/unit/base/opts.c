#include "../cmocka-all.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/opts.h"

struct values {
	bool all;
	bool interactive;
	bool tty;
	const char *name;
	const char *mode;
	int time;
	int verbosity;
	struct strv env;
};

static const struct opt options[] = {
	OPT_FLAG('a', "all", struct values, all, "all of them"),
	OPT_FLAG('i', "interactive", struct values, interactive, "keep stdin open"),
	OPT_FLAG('t', "tty", struct values, tty, "allocate a terminal"),
	OPT_STRING('n', "name", struct values, name, "NAME", "name it"),
	OPT_OPTIONAL(0, "mode", struct values, mode, "MODE", "how"),
	OPT_INT(0, "time", struct values, time, "SECONDS", "how long"),
	OPT_COUNT('v', "verbosity", struct values, verbosity, "say more"),
	OPT_LIST('e', "env", struct values, env, "KEY=VALUE", "set a variable"),
	OPT_END,
};

#define MAX_WORDS 16

struct result {
	struct values values;
	char *argv[MAX_WORDS];
	int n;
	bool help;
	struct error err;
};

/* `line` is split at its spaces, in place */
static int parse(struct result *result, bool stop_at_argument, char *line)
{
	int argc = 0;

	for (char *w = strtok_r(line, " ", &line); w; w = strtok_r(NULL, " ", &line))
		result->argv[argc++] = w;
	return opts_parse(options, stop_at_argument, &result->values, argc, result->argv,
			  &result->n, &result->help, &result->err);
}

static void every_spelling_of_a_value(void **state UNUSED)
{
	char line[] = "one --name=x -n y --time 5 -e A=1 -eB=2 --env=C=3 -e=D=4 two";
	struct result r = { .n = 0 };

	assert_int_equal(parse(&r, false, line), 0);
	assert_string_equal(r.values.name, "y");
	assert_int_equal(r.values.time, 5);
	assert_int_equal(r.values.env.n, 4);
	assert_string_equal(r.values.env.items[1], "B=2");
	assert_string_equal(r.values.env.items[3], "D=4");
	assert_int_equal(r.n, 2);
	assert_string_equal(r.argv[1], "two");
	strv_done(&r.values.env);
}

static void flags_cluster_and_take_booleans(void **state UNUSED)
{
	char line[] = "-ait --all=false -vvv";
	struct result r = { .n = 0 };

	assert_int_equal(parse(&r, false, line), 0);
	assert_true(r.values.interactive);
	assert_true(r.values.tty);
	assert_false(r.values.all);
	assert_int_equal(r.values.verbosity, 3);
}

static void counts_take_numbers(void **state UNUSED)
{
	char line[] = "-v4 --mode";
	struct result r = { .n = 0 };

	assert_int_equal(parse(&r, false, line), 0);
	assert_int_equal(r.values.verbosity, 4);
	assert_string_equal(r.values.mode, "");
}

static void the_commands_own_options_are_left_alone(void **state UNUSED)
{
	char line[] = "-i image sh -c --all";
	struct result r = { .n = 0 };

	assert_int_equal(parse(&r, true, line), 0);
	assert_int_equal(r.n, 4);
	assert_string_equal(r.argv[2], "-c");
	assert_false(r.values.all);
}

static void two_dashes_end_the_options(void **state UNUSED)
{
	char line[] = "-a -- -i -";
	struct result r = { .n = 0 };

	assert_int_equal(parse(&r, false, line), 0);
	assert_int_equal(r.n, 2);
	assert_null(r.argv[2]);
	assert_string_equal(r.argv[0], "-i");
	assert_false(r.values.interactive);
}

static void help_is_no_error(void **state UNUSED)
{
	char line[] = "--help";
	struct result r = { .n = 0 };

	assert_int_equal(parse(&r, false, line), 0);
	assert_true(r.help);
}

static void mistakes_are_named(void **state UNUSED)
{
	static const struct {
		const char *line;
		const char *text;
	} rows[] = {
		{ "--bogus", "unknown flag: --bogus" },
		{ "-ax", "unknown shorthand flag: 'x' in -ax" },
		{ "--name", "flag needs an argument: --name" },
		{ "-n", "flag needs an argument: 'n' in -n" },
		{ "--time=soon", "invalid argument \"soon\" for \"--time\" flag: not a number" },
		{ "--all=maybe",
		  "invalid argument \"maybe\" for \"--all\" flag: not true or false" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct result r = { .n = 0 };
		char line[64];

		(void)snprintf(line, sizeof(line), "%s", rows[i].line);
		assert_int_equal(parse(&r, false, line), -EINVAL);
		assert_string_equal(r.err.text, rows[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_spelling_of_a_value),
		cmocka_unit_test(flags_cluster_and_take_booleans),
		cmocka_unit_test(counts_take_numbers),
		cmocka_unit_test(the_commands_own_options_are_left_alone),
		cmocka_unit_test(two_dashes_end_the_options),
		cmocka_unit_test(help_is_no_error),
		cmocka_unit_test(mistakes_are_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
