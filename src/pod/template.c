#include "pod/template.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/err.h"

#define DEPTH_MAX 8
#define ACTION_MAX 512

struct render {
	struct buf *out;
	struct error *err;
	int depth;
};

/* Go's way to print a value. */
static void print_value(struct buf *out, const json_t *value)
{
	const char *key;
	const json_t *item;
	size_t i;
	bool first = true;

	switch (value ? json_typeof(value) : JSON_NULL) {
	case JSON_STRING:
		buf_adds(out, json_string_value(value));
		break;
	case JSON_INTEGER:
		buf_addf(out, "%lld", (long long)json_integer_value(value));
		break;
	case JSON_REAL:
		buf_addf(out, "%g", json_real_value(value));
		break;
	case JSON_TRUE:
		buf_adds(out, "true");
		break;
	case JSON_FALSE:
		buf_adds(out, "false");
		break;
	case JSON_NULL:
		buf_adds(out, "<nil>");
		break;
	case JSON_ARRAY:
		buf_adds(out, "[");
		json_array_foreach(value, i, item)
		{
			if (i > 0)
				buf_adds(out, " ");
			print_value(out, item);
		}
		buf_adds(out, "]");
		break;
	case JSON_OBJECT:
		buf_adds(out, "map[");
		json_object_foreach((json_t *)value, key, item)
		{
			buf_addf(out, "%s%s:", first ? "" : " ", key);
			print_value(out, item);
			first = false;
		}
		buf_adds(out, "]");
		break;
	}
}

static void print_json(struct buf *out, const json_t *value)
{
	char *text = value ? json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY) : strdup("null");

	if (text)
		buf_adds(out, text);
	else
		out->failed = true;
	free(text);
}

/* ".A.B" from `value`; "." is the value itself. */
static int look_up(const json_t *value, const char *path, const json_t **ret, struct error *err)
{
	const char *at = path;

	if (*at != '.')
		return err_set(err, -EINVAL, "template: '%s' is not supported", path);
	while (*at == '.' && at[1]) {
		size_t len = strcspn(at + 1, ".");
		char key[128];

		(void)snprintf(key, sizeof(key), "%.*s", (int)len, at + 1);
		value = json_object_get(value, key);
		if (!value)
			return err_set(err, -EINVAL, "template: can't evaluate field %s", key);
		at += 1 + len;
	}
	*ret = value;
	return 0;
}

/* Splits at blanks; quoted words keep theirs. Returns how many. */
static int split_words(char *action, char *words[], int max)
{
	int n = 0;

	while (n < max) {
		while (isspace((unsigned char)*action))
			action++;
		if (!*action)
			break;
		if (*action == '"') {
			words[n++] = action;
			action = strchr(action + 1, '"');
			if (!action)
				break;
			action++;
		} else {
			words[n++] = action;
			while (*action && !isspace((unsigned char)*action))
				action++;
		}
		if (*action)
			*action++ = '\0';
	}
	return n;
}

static int index_value(const json_t *value, char *word, const json_t **ret, struct error *err)
{
	size_t len = strlen(word);

	if (word[0] == '"' && len >= 2) {
		word[len - 1] = '\0';
		*ret = json_object_get(value, word + 1);
	} else {
		*ret = json_array_get(value, strtoul(word, NULL, 10));
	}
	return *ret ? 0 : err_set(err, -EINVAL, "template: index %s is not there", word);
}

/* What an action other than range stands for. */
static int run_action(struct render *r, char *action, const json_t *value)
{
	char *words[4];
	int n = split_words(action, words, 4);
	const json_t *found = NULL;
	int result;

	if (n == 0)
		return err_set(r->err, -EINVAL, "template: empty action");
	if (n == 1) {
		result = look_up(value, words[0], &found, r->err);
		if (result == 0)
			print_value(r->out, found);
		return result;
	}
	result = look_up(value, words[1], &found, r->err);
	if (result < 0)
		return result;
	if (n == 2 && strcmp(words[0], "json") == 0) {
		print_json(r->out, found);
	} else if (n == 2 && strcmp(words[0], "len") == 0) {
		buf_addf(r->out, "%zu",
			 json_is_array(found)	 ? json_array_size(found)
			 : json_is_string(found) ? json_string_length(found)
						 : json_object_size(found));
	} else if (n == 2 && strcmp(words[0], "println") == 0) {
		print_value(r->out, found);
		buf_adds(r->out, "\n");
	} else if (n == 3 && strcmp(words[0], "index") == 0) {
		result = index_value(found, words[2], &found, r->err);
		if (result == 0)
			print_value(r->out, found);
	} else {
		return err_set(r->err, -EINVAL, "template: '%s' with %d words is not supported",
			       words[0], n);
	}
	return result;
}

static int copy_action(const char *from, const char *end, char *ret, struct error *err)
{
	while (from < end && isspace((unsigned char)*from))
		from++;
	while (end > from && isspace((unsigned char)end[-1]))
		end--;
	if ((size_t)(end - from) >= ACTION_MAX)
		return err_set(err, -EINVAL, "template: an action is longer than %d bytes",
			       ACTION_MAX);
	memcpy(ret, from, (size_t)(end - from));
	ret[end - from] = '\0';
	return 0;
}

static void add_text(struct buf *out, const char *from, const char *end)
{
	for (; from < end; from++) {
		if (*from == '\\' && from + 1 < end && (from[1] == 'n' || from[1] == 't'))
			buf_adds(out, *++from == 'n' ? "\n" : "\t");
		else
			buf_add(out, from, 1);
	}
}

/* Renders up to the end, or to the {{end}} of the enclosing range; *at is behind it then. */
static int render(struct render *r, const char **at, const json_t *value, bool silent);

static int render_range(struct render *r, const char **at, const char *path, const json_t *value,
			bool silent)
{
	const json_t *list = NULL;
	const char *begin = *at;
	const json_t *item;
	size_t i;
	int result = silent ? 0 : look_up(value, path, &list, r->err);

	if (result < 0)
		return result;
	if (++r->depth > DEPTH_MAX)
		return err_set(r->err, -EINVAL, "template: more than %d ranges in each other",
			       DEPTH_MAX);
	json_array_foreach(list, i, item)
	{
		*at = begin;
		result = render(r, at, item, false);
		if (result < 0)
			return result;
	}
	if (json_array_size(list) == 0) {
		struct buf nowhere = BUF_INIT;
		struct render skip = { .out = &nowhere, .err = r->err, .depth = r->depth };

		result = render(&skip, at, NULL, true);
		buf_done(&nowhere);
	}
	r->depth--;
	return result;
}

static int render(struct render *r, const char **at, const json_t *value, bool silent)
{
	bool inner = r->depth > 0;
	char action[ACTION_MAX];

	for (;;) {
		const char *open = strstr(*at, "{{");
		const char *close;
		int result;

		if (!open) {
			add_text(r->out, *at, *at + strlen(*at));
			*at += strlen(*at);
			return inner ? err_set(r->err, -EINVAL, "template: a range has no end") : 0;
		}
		add_text(r->out, *at, open);
		close = strstr(open, "}}");
		if (!close)
			return err_set(r->err, -EINVAL, "template: '{{' without '}}'");
		result = copy_action(open + 2, close, action, r->err);
		if (result < 0)
			return result;
		*at = close + 2;
		if (strcmp(action, "end") == 0)
			return inner ? 0 : err_set(r->err, -EINVAL, "template: unexpected {{end}}");
		if (strncmp(action, "range ", 6) == 0)
			result = render_range(r, at, action + 6, value, silent);
		else if (!silent)
			result = run_action(r, action, value);
		if (result < 0)
			return result;
	}
}

int template_render(const char *template, const json_t *value, struct buf *out, struct error *err)
{
	struct render r = { .out = out, .err = err };
	int result = render(&r, &template, value, false);

	if (result == 0 && !buf_ok(out))
		return err_oom(err);
	return result;
}
