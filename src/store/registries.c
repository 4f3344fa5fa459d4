#include "store/registries.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/file.h"

#define MAIN_FILE "/etc/containers/registries.conf"
#define FOLDER "/etc/containers/registries.conf.d"
#define FILE_MAX (1 << 20)

/*
 * The part of TOML these files use: tables, keys, strings, arrays of strings.
 * Values of other kinds belong to keys we don't read and are passed over.
 */
struct reader {
	const char *file;
	const char *at;
	unsigned int line;
};

enum table { TABLE_ROOT, TABLE_ALIASES, TABLE_OTHER };

static int complain(const struct reader *r, const char *what, struct error *err)
{
	return err_set(err, -EBADMSG, "'%s' line %u: %s", r->file, r->line, what);
}

static void skip_blanks(struct reader *r)
{
	r->at += strspn(r->at, " \t\r");
}

static void skip_comment(struct reader *r)
{
	skip_blanks(r);
	if (*r->at == '#')
		r->at += strcspn(r->at, "\n");
}

/* Blanks, comments and ends of lines. */
static void skip_space(struct reader *r)
{
	for (;;) {
		skip_comment(r);
		if (*r->at != '\n')
			return;
		r->at++;
		r->line++;
	}
}

static int read_escape(struct reader *r, struct buf *out, struct error *err)
{
	static const char codes[] = "btnfr\"\\";
	static const char values[] = "\b\t\n\f\r\"\\";
	const char *found = *r->at ? strchr(codes, *r->at) : NULL;

	if (!found)
		return complain(r, "an escape that is not known here", err);
	buf_add(out, &values[found - codes], 1);
	r->at++;
	return 0;
}

static int read_string(struct reader *r, struct buf *out, struct error *err)
{
	char quote = *r->at++;

	while (*r->at && *r->at != quote && *r->at != '\n') {
		if (quote == '"' && *r->at == '\\') {
			int code;

			r->at++;
			code = read_escape(r, out, err);
			if (code < 0)
				return code;
			continue;
		}
		buf_add(out, r->at++, 1);
	}
	if (*r->at != quote)
		return complain(r, "a string without its end", err);
	r->at++;
	return buf_ok(out) ? 0 : err_oom(err);
}

static bool is_quote(char c)
{
	return c == '"' || c == '\'';
}

/* A bare or quoted key, dots included. */
static int read_key(struct reader *r, struct buf *out, struct error *err)
{
	size_t len;

	if (is_quote(*r->at))
		return read_string(r, out, err);
	len = strcspn(r->at, " \t\r\n=]#");
	if (len == 0)
		return complain(r, "a key was expected", err);
	buf_add(out, r->at, len);
	r->at += len;
	return buf_ok(out) ? 0 : err_oom(err);
}

static int read_array(struct reader *r, struct strv *out, struct error *err)
{
	r->at++;
	for (;;) {
		cleanup_buf struct buf item = BUF_INIT;
		int code;

		skip_space(r);
		if (*r->at == ']') {
			r->at++;
			return strv_ok(out) ? 0 : err_oom(err);
		}
		if (!is_quote(*r->at))
			return complain(r, "a list of strings was expected", err);
		code = read_string(r, &item, err);
		if (code < 0)
			return code;
		strv_add(out, buf_str(&item));
		skip_space(r);
		if (*r->at == ',')
			r->at++;
		else if (*r->at != ']')
			return complain(r, "',' or ']' was expected", err);
	}
}

/* A value we don't want: to its end, over brackets and strings. */
static int skip_value(struct reader *r, struct error *err)
{
	unsigned int depth = 0;

	for (;;) {
		skip_blanks(r);
		if (is_quote(*r->at)) {
			cleanup_buf struct buf unused = BUF_INIT;
			int code = read_string(r, &unused, err);

			if (code < 0)
				return code;
			continue;
		}
		if (depth > 0)
			skip_space(r);
		if (!*r->at)
			return depth ? complain(r, "a list without its end", err) : 0;
		if (depth == 0 && (*r->at == '\n' || *r->at == '#'))
			return 0;
		if (*r->at == '[' || *r->at == '{')
			depth++;
		else if ((*r->at == ']' || *r->at == '}') && depth > 0)
			depth--;
		if (!is_quote(*r->at))
			r->at++;
	}
}

static int read_table(struct reader *r, enum table *ret, struct error *err)
{
	cleanup_buf struct buf name = BUF_INIT;
	bool array = r->at[1] == '[';
	int code;

	r->at += array ? 2 : 1;
	skip_blanks(r);
	code = read_key(r, &name, err);
	if (code < 0)
		return code;
	skip_blanks(r);
	if (strncmp(r->at, array ? "]]" : "]", array ? 2 : 1) != 0)
		return complain(r, "']' was expected", err);
	r->at += array ? 2 : 1;
	*ret = !array && strcmp(buf_str(&name), "aliases") == 0 ? TABLE_ALIASES : TABLE_OTHER;
	return 0;
}

static int read_search(struct reader *r, struct registries *registries, struct error *err)
{
	cleanup_strv struct strv list = STRV_INIT;
	struct strv old;
	int code;

	if (*r->at != '[')
		return complain(r, "a list of strings was expected", err);
	code = read_array(r, &list, err);
	if (code < 0)
		return code;
	old = registries->search;
	registries->search = list;
	list = old;
	return 0;
}

static int read_alias(struct reader *r, const char *key, struct registries *registries,
		      struct error *err)
{
	cleanup_buf struct buf value = BUF_INIT;
	int code;

	if (!is_quote(*r->at))
		return complain(r, "a string was expected", err);
	code = read_string(r, &value, err);
	if (code < 0)
		return code;
	strv_add(&registries->aliases, key);
	strv_add(&registries->aliases, buf_str(&value));
	return strv_ok(&registries->aliases) ? 0 : err_oom(err);
}

static int read_pair(struct reader *r, enum table table, struct registries *registries,
		     struct error *err)
{
	cleanup_buf struct buf key = BUF_INIT;
	int code;

	code = read_key(r, &key, err);
	if (code < 0)
		return code;
	skip_blanks(r);
	if (*r->at != '=')
		return complain(r, "'=' was expected", err);
	r->at++;
	skip_blanks(r);
	if (table == TABLE_ALIASES)
		return read_alias(r, buf_str(&key), registries, err);
	if (table == TABLE_ROOT && strcmp(buf_str(&key), "unqualified-search-registries") == 0)
		return read_search(r, registries, err);
	return skip_value(r, err);
}

int registries_parse(const char *name, const char *text, struct registries *registries,
		     struct error *err)
{
	struct reader r = { .file = name, .at = text, .line = 1 };
	enum table table = TABLE_ROOT;
	int code;

	for (;;) {
		skip_space(&r);
		if (!*r.at)
			return 0;
		code = *r.at == '[' ? read_table(&r, &table, err)
				    : read_pair(&r, table, registries, err);
		if (code < 0)
			return code;
		skip_comment(&r);
		if (*r.at && *r.at != '\n')
			return complain(&r, "the end of the line was expected", err);
	}
}

static int load_file(const char *path, struct registries *registries, struct error *err)
{
	cleanup_free char *text = NULL;
	size_t len = 0;
	int r;

	r = file_read_at(AT_FDCWD, path, FILE_MAX, &text, &len, err);
	if (r == -ENOENT)
		return 0;
	return r < 0 ? r : registries_parse(path, text, registries, err);
}

static int is_conf(const struct dirent *entry)
{
	size_t len = strlen(entry->d_name);

	return len > 5 && strcmp(entry->d_name + len - 5, ".conf") == 0;
}

static int load_folder(struct registries *registries, struct error *err)
{
	struct dirent **entries = NULL;
	int n = scandir(FOLDER, &entries, is_conf, alphasort);
	int r = 0;

	if (n < 0)
		return errno == ENOENT ? 0 : err_sys(err, "read folder '%s'", FOLDER);
	for (int i = 0; i < n; i++) {
		char path[sizeof(FOLDER) + 1 + sizeof(entries[i]->d_name)];

		(void)snprintf(path, sizeof(path), "%s/%s", FOLDER, entries[i]->d_name);
		if (r == 0)
			r = load_file(path, registries, err);
		free(entries[i]);
	}
	free(entries);
	return r;
}

int registries_load(struct registries *ret_registries, struct error *err)
{
	cleanup_registries struct registries registries = REGISTRIES_INIT;
	const char *chosen = getenv("CONTAINERS_REGISTRIES_CONF");
	int r;

	registries.path = strdup(chosen && *chosen ? chosen : MAIN_FILE);
	if (!registries.path)
		return err_oom(err);
	r = load_file(registries.path, &registries, err);
	if (r == 0)
		r = load_folder(&registries, err);
	if (r < 0)
		return r;
	*ret_registries = registries;
	registries = (struct registries)REGISTRIES_INIT;
	return 0;
}

const char *registries_alias(const struct registries *registries, const char *short_name)
{
	const char *found = NULL;

	for (size_t i = 0; i + 1 < registries->aliases.n; i += 2)
		if (strcmp(registries->aliases.items[i], short_name) == 0)
			found = registries->aliases.items[i + 1]; /* a later file's counts */
	return found;
}

void registries_done(struct registries *registries)
{
	strv_done(&registries->search);
	strv_done(&registries->aliases);
	free(registries->path);
	registries->path = NULL;
}
