#include "base/opts.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/err.h"

struct parse {
	const struct opt *options;
	char *values;
	int argc;
	char **argv;
	int at; /* next word */
};

static const struct opt *find_long(const struct opt *options, const char *name, size_t len)
{
	for (const struct opt *o = options; o->kind != OPT_KIND_END; o++)
		if (o->name && strlen(o->name) == len && memcmp(o->name, name, len) == 0)
			return o;
	return NULL;
}

static const struct opt *find_short(const struct opt *options, char c)
{
	for (const struct opt *o = options; o->kind != OPT_KIND_END; o++)
		if (o->short_name && o->short_name == c)
			return o;
	return NULL;
}

static bool takes_value(const struct opt *o)
{
	return o->kind == OPT_KIND_STRING || o->kind == OPT_KIND_INT || o->kind == OPT_KIND_LIST;
}

static int bad_value(const struct opt *o, const char *value, const char *why, struct error *err)
{
	return err_set(err, -EINVAL, "invalid argument \"%s\" for \"--%s\" flag: %s", value,
		       o->name, why);
}

static int parse_int(const struct opt *o, const char *value, int *ret, struct error *err)
{
	char *end = NULL;
	long n;

	errno = 0;
	n = strtol(value, &end, 10);
	if (errno || end == value || *end || n < INT_MIN || n > INT_MAX)
		return bad_value(o, value, "not a number", err);
	*ret = (int)n;
	return 0;
}

static int parse_bool(const struct opt *o, const char *value, bool *ret, struct error *err)
{
	if (strcmp(value, "true") == 0 || strcmp(value, "1") == 0)
		*ret = true;
	else if (strcmp(value, "false") == 0 || strcmp(value, "0") == 0)
		*ret = false;
	else
		return bad_value(o, value, "not true or false", err);
	return 0;
}

/* value NULL: none was given, which the kind allows */
static int store(struct parse *p, const struct opt *o, const char *value, struct error *err)
{
	void *field = p->values + o->offset;

	switch (o->kind) {
	case OPT_KIND_FLAG:
		if (value)
			return parse_bool(o, value, field, err);
		*(bool *)field = true;
		return 0;
	case OPT_KIND_STRING:
		*(const char **)field = value;
		return 0;
	case OPT_KIND_OPTIONAL:
		*(const char **)field = value ? value : "";
		return 0;
	case OPT_KIND_INT:
		return parse_int(o, value, field, err);
	case OPT_KIND_COUNT:
		if (value)
			return parse_int(o, value, field, err);
		(*(int *)field)++;
		return 0;
	case OPT_KIND_LIST:
		strv_add(field, value);
		return strv_ok(field) ? 0 : err_oom(err);
	case OPT_KIND_END:
		break;
	}
	return err_set(err, -EINVAL, "option table: bad kind");
}

static int parse_long(struct parse *p, const char *word, struct error *err)
{
	const char *equals = strchr(word, '=');
	size_t len = equals ? (size_t)(equals - word) : strlen(word);
	const struct opt *o = find_long(p->options, word, len);

	if (!o)
		return err_set(err, -EINVAL, "unknown flag: --%.*s", (int)len, word);
	if (equals)
		return store(p, o, equals + 1, err);
	if (!takes_value(o))
		return store(p, o, NULL, err);
	if (p->at >= p->argc)
		return err_set(err, -EINVAL, "flag needs an argument: --%s", o->name);
	return store(p, o, p->argv[p->at++], err);
}

static int parse_shorts(struct parse *p, const char *word, struct error *err)
{
	for (const char *c = word; *c; c++) {
		const struct opt *o = find_short(p->options, *c);
		const char *rest = c + 1;
		int r;

		if (!o)
			return err_set(err, -EINVAL, "unknown shorthand flag: '%c' in -%s", *c,
				       word);
		if (*rest == '=' || (*rest && takes_value(o)) ||
		    (o->kind == OPT_KIND_COUNT && *rest >= '0' && *rest <= '9'))
			return store(p, o, rest + (*rest == '='), err);
		if (!takes_value(o)) {
			r = store(p, o, NULL, err);
			if (r < 0)
				return r;
			continue;
		}
		if (p->at >= p->argc)
			return err_set(err, -EINVAL, "flag needs an argument: '%c' in -%s", *c,
				       word);
		return store(p, o, p->argv[p->at++], err);
	}
	return 0;
}

int opts_parse(const struct opt *options, bool stop_at_argument, void *values, int argc,
	       char **argv, int *ret_n, bool *ret_help, struct error *err)
{
	struct parse p = { .options = options, .values = values, .argc = argc, .argv = argv };
	bool only_arguments = false;
	bool help = false;
	int n = 0;
	int r;

	while (p.at < argc) {
		char *word = argv[p.at++];

		if (only_arguments || word[0] != '-' || word[1] == '\0') {
			argv[n++] = word;
			only_arguments |= stop_at_argument;
			continue;
		}
		if (strcmp(word, "--") == 0) {
			only_arguments = true;
			continue;
		}
		if (strcmp(word, "--help") == 0 ||
		    (strcmp(word, "-h") == 0 && !find_short(options, 'h'))) {
			help = true;
			continue;
		}
		r = word[1] == '-' ? parse_long(&p, word + 2, err)
				   : parse_shorts(&p, word + 1, err);
		if (r < 0)
			return r;
	}
	if (n < argc)
		argv[n] = NULL; /* where n == argc the caller's own NULL stands */
	*ret_n = n;
	*ret_help = help;
	return 0;
}

void opts_print_help(const char *program, const struct command *cmd)
{
	printf("%s\n\nUsage:\n  %s %s%s%s%s\n", cmd->brief, program, cmd->name,
	       cmd->options && cmd->options->kind != OPT_KIND_END ? " [options]" : "",
	       cmd->args ? " " : "", cmd->args ? cmd->args : "");
	if (cmd->options && cmd->options->kind != OPT_KIND_END)
		opts_print_options(cmd->options);
}

void opts_print_options(const struct opt *options)
{
	printf("\nOptions:\n");
	for (const struct opt *o = options; o->kind != OPT_KIND_END; o++) {
		char left[80];

		if (!o->help)
			continue;
		(void)snprintf(left, sizeof(left), "%c%c%s --%s%s%s", o->short_name ? '-' : ' ',
			       o->short_name ? o->short_name : ' ', o->short_name ? "," : " ",
			       o->name, o->arg ? "=" : "", o->arg ? o->arg : "");
		printf("  %-34s %s\n", left, o->help);
	}
}

const struct command *opts_find_command(const struct command *const *commands, const char *name)
{
	for (; *commands; commands++)
		if (strcmp((*commands)->name, name) == 0)
			return *commands;
	return NULL;
}
