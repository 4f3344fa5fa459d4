#include "base/mountinfo.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/file.h"

#define MOUNTINFO_MAX ((size_t)64 << 20)

static bool is_octal(char c)
{
	return c >= '0' && c <= '7';
}

/* Space, tab, newline and backslash are written as \ooo (fs/seq_file.c). */
static char *unescape(struct arena *arena, const char *s, size_t len)
{
	char *out = arena_alloc(arena, len + 1);
	size_t n = 0;

	if (!out)
		return NULL;
	for (size_t i = 0; i < len; i++) {
		if (s[i] == '\\' && i + 3 < len && is_octal(s[i + 1]) && is_octal(s[i + 2]) &&
		    is_octal(s[i + 3])) {
			out[n++] = (char)((s[i + 1] - '0') * 64 + (s[i + 2] - '0') * 8 + s[i + 3] -
					  '0');
			i += 3;
		} else {
			out[n++] = s[i];
		}
	}
	out[n] = '\0';
	return out;
}

struct line {
	const char *p;
	const char *end;
};

/* Fields are separated by exactly one space, so one may be empty (a source can). */
static bool next_field(struct line *line, const char **ret, size_t *ret_len)
{
	const char *space;

	if (line->p > line->end)
		return false;
	space = memchr(line->p, ' ', (size_t)(line->end - line->p));
	if (!space)
		space = line->end;
	*ret = line->p;
	*ret_len = (size_t)(space - line->p);
	line->p = space + 1;
	return true;
}

static bool next_string(struct line *line, struct arena *arena, const char **ret)
{
	const char *s;
	size_t len;

	if (!next_field(line, &s, &len))
		return false;
	*ret = unescape(arena, s, len);
	return *ret != NULL;
}

static bool parse_uint(const char *s, size_t len, char stop, unsigned int *ret, size_t *ret_used)
{
	uint64_t value = 0;
	size_t i = 0;

	while (i < len && s[i] >= '0' && s[i] <= '9') {
		value = value * 10 + (unsigned int)(s[i] - '0');
		if (value > UINT32_MAX)
			return false;
		i++;
	}
	if (!i || (stop ? i >= len || s[i] != stop : i != len))
		return false;
	*ret = (unsigned int)value;
	*ret_used = i;
	return true;
}

static bool next_uint(struct line *line, unsigned int *ret)
{
	const char *s;
	size_t len;
	size_t used;

	return next_field(line, &s, &len) && parse_uint(s, len, '\0', ret, &used);
}

static bool next_dev(struct line *line, struct mountinfo *mount)
{
	const char *s;
	size_t len;
	size_t used;

	return next_field(line, &s, &len) && parse_uint(s, len, ':', &mount->dev_major, &used) &&
	       parse_uint(s + used + 1, len - used - 1, '\0', &mount->dev_minor, &used);
}

static bool tag(const char *s, size_t len, const char *name, unsigned int *ret)
{
	size_t n = strlen(name);
	size_t used;

	return len > n && !strncmp(s, name, n) && parse_uint(s + n, len - n, '\0', ret, &used);
}

/* Optional fields end with a lone "-"; unknown ones are allowed (proc(5)). */
static bool next_tags(struct line *line, struct mountinfo *mount)
{
	const char *s;
	size_t len;

	while (next_field(line, &s, &len)) {
		if (len == 1 && s[0] == '-')
			return true;
		if (tag(s, len, "shared:", &mount->shared) ||
		    tag(s, len, "master:", &mount->master) ||
		    tag(s, len, "propagate_from:", &mount->propagate_from))
			continue;
		if (len == 10 && !strncmp(s, "unbindable", 10))
			mount->unbindable = true;
	}
	return false;
}

static bool parse_line(struct line line, struct arena *arena, struct mountinfo *mount)
{
	unsigned int id;
	unsigned int parent_id;

	if (!next_uint(&line, &id) || !next_uint(&line, &parent_id) || !next_dev(&line, mount) ||
	    !next_string(&line, arena, &mount->root) ||
	    !next_string(&line, arena, &mount->mountpoint) ||
	    !next_string(&line, arena, &mount->options) || !next_tags(&line, mount) ||
	    !next_string(&line, arena, &mount->fstype) ||
	    !next_string(&line, arena, &mount->source) ||
	    !next_string(&line, arena, &mount->super_options))
		return false;
	if (id > INT32_MAX || parent_id > INT32_MAX)
		return false;
	mount->id = (int)id;
	mount->parent_id = (int)parent_id;
	return true;
}

int mountinfo_parse(const char *text, struct mountinfo_table *ret, struct error *err)
{
	cleanup_mountinfo struct mountinfo_table table = MOUNTINFO_TABLE_INIT;
	size_t lines = 0;
	const char *next;

	for (const char *p = text; *p; p++)
		lines += *p == '\n';
	table.mounts = arena_new_array(&table.arena, struct mountinfo, lines + 1);
	if (!table.mounts)
		return err_oom(err);

	for (const char *p = text; *p; p = next) {
		const char *end = strchrnul(p, '\n');

		next = *end ? end + 1 : end;
		if (!parse_line((struct line){ p, end }, &table.arena, &table.mounts[table.n])) {
			if (!arena_ok(&table.arena))
				return err_oom(err);
			return err_set(err, -EBADMSG, "mountinfo line %zu: '%.*s'", table.n + 1,
				       (int)(end - p > 200 ? 200 : end - p), p);
		}
		table.n++;
	}

	*ret = table;
	table = (struct mountinfo_table)MOUNTINFO_TABLE_INIT;
	return 0;
}

int mountinfo_read_at(int proc_dir, const char *name, struct mountinfo_table *ret,
		      struct error *err)
{
	cleanup_free char *text = NULL;
	size_t len;
	int r;

	r = file_read_at(proc_dir, name, MOUNTINFO_MAX, &text, &len, err);
	if (r < 0)
		return r;
	return mountinfo_parse(text, ret, err);
}

const struct mountinfo *mountinfo_by_id(const struct mountinfo_table *table, int id)
{
	for (size_t i = 0; i < table->n; i++) {
		if (table->mounts[i].id == id)
			return &table->mounts[i];
	}
	return NULL;
}

void mountinfo_table_done(struct mountinfo_table *table)
{
	arena_done(&table->arena);
	table->mounts = NULL;
	table->n = 0;
}
