#include "cmd/cryo/words.h"

#include <ctype.h>
#include <fcntl.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/file.h"
#include "base/opts.h"

#define CONFIG_MAX ((size_t)1 << 20)

static const struct opt *find_long(const struct command *const *commands, const char *name,
				   size_t len)
{
	for (; *commands; commands++)
		for (const struct opt *o = (*commands)->options; o && o->kind != OPT_KIND_END; o++)
			if (o->name && strlen(o->name) == len && memcmp(o->name, name, len) == 0)
				return o;
	return NULL;
}

static const struct opt *find_short(const struct command *const *commands, char c)
{
	for (; *commands; commands++)
		for (const struct opt *o = (*commands)->options; o && o->kind != OPT_KIND_END; o++)
			if (o->short_name && o->short_name == c)
				return o;
	return NULL;
}

/* Whether the word after this option is its value. */
static bool value_follows(const struct command *const *commands, const char *word)
{
	const struct opt *o;

	if (word[1] == '-')
		o = strchr(word, '=') ? NULL : find_long(commands, word + 2, strlen(word + 2));
	else
		o = word[2] ? NULL : find_short(commands, word[1]);
	return o &&
	       (o->kind == OPT_KIND_STRING || o->kind == OPT_KIND_INT || o->kind == OPT_KIND_LIST);
}

/* Adds an option word in the form that opts_parse() knows. */
static void add_option(struct words *words, const struct command *const *commands, const char *word)
{
	const struct opt *o;

	if (strncmp(word, "-verbosity", 10) == 0) {
		strv_addf(&words->rest, "-%s", word);
		return;
	}
	if (strncmp(word, "--no-", 5) == 0 &&
	    !find_long(commands, word + 2, strcspn(word + 2, "="))) {
		o = find_long(commands, word + 5, strlen(word + 5));
		if (o && o->kind == OPT_KIND_FLAG) {
			strv_addf(&words->rest, "--%s=false", word + 5);
			return;
		}
	}
	strv_add(&words->rest, word);
}

/* One value of a config file: bare, or in double quotes with \" and \\ inside. */
static int add_config_value(struct words *words, const char *name, const char *at, size_t line,
			    struct error *err)
{
	cleanup_buf struct buf value = BUF_INIT;
	bool quoted = *at == '"';

	if (quoted)
		at++;
	for (; *at && (quoted ? *at != '"' : !isspace((unsigned char)*at)); at++) {
		if (quoted && *at == '\\' && at[1])
			at++;
		buf_add(&value, at, 1);
	}
	if (quoted && *at != '"')
		return err_set(err, -EINVAL, "line %zu: the quote is not closed", line);
	at += quoted;
	at += strspn(at, " \t\r");
	if (*at && *at != '#')
		return err_set(err, -EINVAL, "line %zu: more than one value for '%s'", line, name);
	if (!buf_ok(&value))
		return err_oom(err);
	strv_addf(&words->rest, "--%s=%s", name, buf_str(&value));
	return 0;
}

static int add_config_line(struct words *words, const struct command *const *commands, char *text,
			   size_t line, struct error *err)
{
	char *name = text + strspn(text, " \t\r");
	char *end = name + strcspn(name, " \t\r#");
	char *value = end + strspn(end, " \t\r");
	cleanup_buf struct buf option = BUF_INIT;

	if (end == name)
		return 0;
	if (*value && *value != '#' && *end != '#') {
		*end = '\0';
		return add_config_value(words, name, value, line, err);
	}
	*end = '\0';
	buf_addf(&option, "--%s", name);
	if (!buf_ok(&option))
		return err_oom(err);
	add_option(words, commands, buf_str(&option));
	return 0;
}

static int add_config(struct words *words, const struct command *const *commands, const char *path,
		      struct error *err)
{
	cleanup_free char *text = NULL;
	char *at;
	size_t len = 0;
	size_t line = 0;
	int r;

	r = file_read_at(AT_FDCWD, path, CONFIG_MAX, &text, &len, err);
	if (r < 0)
		return r;
	for (at = text; at;) {
		char *next = strchr(at, '\n');

		if (next)
			*next++ = '\0';
		r = add_config_line(words, commands, at, ++line, err);
		if (r < 0)
			return err_wrap(err, r, "config file '%s'", path);
		at = next;
	}
	return 0;
}

/* Config files come first, so that the command line has the last word. */
static int add_configs(struct words *words, const struct command *const *commands, int argc,
		       char **argv, struct error *err)
{
	for (int i = 0; i < argc; i++) {
		const char *path = NULL;
		int r;

		if (strcmp(argv[i], "--") == 0)
			break;
		if (strncmp(argv[i], "--config=", 9) == 0)
			path = argv[i] + 9;
		else if (strcmp(argv[i], "--config") == 0 && i + 1 < argc)
			path = argv[++i];
		if (!path)
			continue;
		r = add_config(words, commands, path, err);
		if (r < 0)
			return r;
	}
	return 0;
}

int words_read(struct words *words, const struct command *const *commands, int argc, char **argv,
	       struct error *err)
{
	int i;
	int r = add_configs(words, commands, argc, argv, err);

	if (r < 0)
		return r;
	for (i = 0; i < argc && strcmp(argv[i], "--") != 0; i++) {
		if (argv[i][0] == '-' && argv[i][1]) {
			bool with_next = value_follows(commands, argv[i]) && i + 1 < argc;

			add_option(words, commands, argv[i]);
			if (with_next)
				strv_add(&words->rest, argv[++i]);
		} else if (!words->command) {
			words->command = argv[i];
		} else {
			strv_add(&words->rest, argv[i]);
		}
	}
	for (; i < argc; i++) /* "--" and what follows it */
		strv_add(&words->rest, argv[i]);
	return strv_ok(&words->rest) ? 0 : err_oom(err);
}

void words_done(struct words *words)
{
	strv_done(&words->rest);
}
