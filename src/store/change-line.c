#include "store/change-line.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/json.h"
#include "base/strv.h"

/* Applies the value of one instruction. */
typedef int change_fn(json_t *config, const char *key, const char *value, struct error *err);

static int set(json_t *object, const char *key, json_t *value, struct error *err)
{
	return json_object_set_new(object, key, value) < 0 ? err_oom(err) : 0;
}

/* The object below the key, made if absent. NULL: out of memory. */
static json_t *child(json_t *config, const char *key)
{
	if (!json_object_get(config, key))
		(void)json_object_set_new(config, key, json_object());
	return json_object_get(config, key);
}

static int change_text(json_t *config, const char *key, const char *value, struct error *err)
{
	return set(config, key, json_string(value), err);
}

/* A JSON array of strings, or NULL. */
static json_t *parse_words(const char *value)
{
	json_t *words = NULL;
	size_t i;
	json_t *word;

	if (value[0] != '[' || json_parse("change", value, strlen(value), &words, NULL) < 0)
		return NULL;
	json_array_foreach(words, i, word)
	{
		if (!json_is_string(word)) {
			json_decref(words);
			return NULL;
		}
	}
	return words;
}

/* ["a", "b"] as it is; anything else is a line for the shell. */
static int change_command(json_t *config, const char *key, const char *value, struct error *err)
{
	json_t *words = parse_words(value);

	if (!words)
		words = json_pack("[s, s, s]", "/bin/sh", "-c", value);
	return set(config, key, words, err);
}

/* Splits at blanks; quotes and backslashes as a shell has them. */
static int split_words(const char *text, struct strv *words, struct error *err)
{
	cleanup_buf struct buf word = BUF_INIT;
	bool open = false;
	char quote = 0;

	for (; *text; text++) {
		if (*text == '\\' && quote != '\'' && text[1]) {
			buf_add(&word, ++text, 1);
			open = true;
		} else if (quote ? *text == quote : (*text == '"' || *text == '\'')) {
			quote = quote ? 0 : *text;
			open = true;
		} else if (!quote && isspace((unsigned char)*text)) {
			if (open)
				strv_add(words, buf_str(&word));
			buf_done(&word);
			open = false;
		} else {
			buf_add(&word, text, 1);
			open = true;
		}
	}
	if (quote)
		return err_set(err, -EINVAL, "a quote without its end");
	if (open)
		strv_add(words, buf_str(&word));
	return strv_ok(words) && buf_ok(&word) ? 0 : err_oom(err);
}

static int split_pairs(const char *value, struct strv *pairs, struct error *err)
{
	int r = split_words(value, pairs, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < pairs->n; i++)
		if (!strchr(pairs->items[i], '=') || pairs->items[i][0] == '=')
			return err_set(err, -EINVAL, "'%s' is not KEY=VALUE", pairs->items[i]);
	return 0;
}

/* "A=b": an earlier value of A goes. */
static int add_env(json_t *env, const char *pair, struct error *err)
{
	size_t name_len = strcspn(pair, "=") + 1;
	json_t *old;
	size_t i;

	json_array_foreach(env, i, old)
	{
		if (strncmp(json_string_value(old), pair, name_len) != 0)
			continue;
		(void)json_array_remove(env, i);
		break;
	}
	return json_array_append_new(env, json_string(pair)) < 0 ? err_oom(err) : 0;
}

static int change_env(json_t *config, const char *key, const char *value, struct error *err)
{
	cleanup_strv struct strv pairs = STRV_INIT;
	json_t *env;
	int r;

	r = split_pairs(value, &pairs, err);
	if (r < 0)
		return r;
	if (!json_object_get(config, key))
		(void)json_object_set_new(config, key, json_array());
	env = json_object_get(config, key);
	if (!env)
		return err_oom(err);
	for (size_t i = 0; r == 0 && i < pairs.n; i++)
		r = add_env(env, pairs.items[i], err);
	return r;
}

static int change_label(json_t *config, const char *key, const char *value, struct error *err)
{
	cleanup_strv struct strv pairs = STRV_INIT;
	json_t *labels;
	int r;

	r = split_pairs(value, &pairs, err);
	if (r < 0)
		return r;
	labels = child(config, key);
	if (!labels)
		return err_oom(err);
	for (size_t i = 0; r == 0 && i < pairs.n; i++) {
		char *equals = strchr(pairs.items[i], '=');

		*equals = '\0';
		r = set(labels, pairs.items[i], json_string(equals + 1), err);
	}
	return r;
}

static int add_to_set(json_t *config, const char *key, const char *item, struct error *err)
{
	json_t *items = child(config, key);

	return items ? set(items, item, json_object(), err) : err_oom(err);
}

/* "80", "80/tcp", "53/udp" */
static int add_port(json_t *config, const char *key, const char *port, struct error *err)
{
	char text[32];
	char *end;
	unsigned long number;

	errno = 0;
	number = strtoul(port, &end, 10);
	if (errno || end == port || number == 0 || number > 65535 || !isdigit((unsigned char)*port))
		return err_set(err, -EINVAL, "'%s' is not a port", port);
	if (*end && strcmp(end, "/tcp") != 0 && strcmp(end, "/udp") != 0 &&
	    strcmp(end, "/sctp") != 0)
		return err_set(err, -EINVAL, "'%s' is not a port", port);
	(void)snprintf(text, sizeof(text), "%lu%s", number, *end ? end : "/tcp");
	return add_to_set(config, key, text, err);
}

static int change_ports(json_t *config, const char *key, const char *value, struct error *err)
{
	cleanup_strv struct strv words = STRV_INIT;
	int r;

	r = split_words(value, &words, err);
	for (size_t i = 0; r == 0 && i < words.n; i++)
		r = add_port(config, key, words.items[i], err);
	return r;
}

static int change_volumes(json_t *config, const char *key, const char *value, struct error *err)
{
	cleanup_json json_t *list = parse_words(value);
	cleanup_strv struct strv words = STRV_INIT;
	json_t *item;
	size_t i;
	int r = 0;

	if (!list)
		r = split_words(value, &words, err);
	json_array_foreach(list, i, item)
	{
		strv_add(&words, json_string_value(item));
	}
	for (i = 0; r == 0 && i < words.n; i++)
		r = add_to_set(config, key, words.items[i], err);
	return r;
}

static const struct {
	const char *instruction;
	const char *key;
	change_fn *apply;
} changes[] = {
	{ "CMD", "Cmd", change_command },
	{ "ENTRYPOINT", "Entrypoint", change_command },
	{ "ENV", "Env", change_env },
	{ "EXPOSE", "ExposedPorts", change_ports },
	{ "LABEL", "Labels", change_label },
	{ "STOPSIGNAL", "StopSignal", change_text },
	{ "USER", "User", change_text },
	{ "VOLUME", "Volumes", change_volumes },
	{ "WORKDIR", "WorkingDir", change_text },
};

int change_line_apply(const char *line, json_t *config, struct error *err)
{
	const char *word = line + strspn(line, " \t");
	size_t len = strcspn(word, " \t=");
	const char *value = word + len;

	value += strspn(value, " \t");
	if (*value == '=')
		value++;
	value += strspn(value, " \t");
	if (len == 0 || !*value)
		return err_set(err, -EINVAL,
			       "invalid change \"%s\" - must be formatted as KEY VALUE", line);
	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		int r;

		if (strlen(changes[i].instruction) != len ||
		    strncasecmp(changes[i].instruction, word, len) != 0)
			continue;
		r = changes[i].apply(config, changes[i].key, value, err);
		return r < 0 ? err_wrap(err, r, "invalid change \"%s\"", line) : 0;
	}
	return err_set(err, -EINVAL, "invalid change \"%s\" - invalid instruction %.*s", line,
		       (int)len, word);
}
