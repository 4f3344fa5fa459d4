/*
 * mounts: a picture of the mount table that does not change over a restore.
 *
 * One line a mount: where, what part of what, flags, propagation. Peer groups
 * are numbered as they are met, for the kernel's own numbers are new ones.
 */
#pragma once

#include <sys/mount.h>

#include "live.h"

#define PICTURE_MAX 65536

struct picture {
	char text[PICTURE_MAX];
	size_t len;
	unsigned int groups[256];
	size_t n_groups;
};

static inline size_t picture_group(struct picture *p, unsigned int group)
{
	size_t i = 0;

	while (i < p->n_groups && p->groups[i] != group)
		i++;
	CHECK(i < 256, "too many peer groups");
	if (i == p->n_groups)
		p->groups[p->n_groups++] = group;
	return i;
}

struct picture_row {
	int id, parent;
	size_t depth;
	unsigned int shared, master;
	bool unbindable;
	char place[1024], rest[1024];
};

/* By place; of those at one place the lower first. */
static inline int picture_order(const void *a, const void *b)
{
	const struct picture_row *x = a, *y = b;
	int order = strcmp(x->place, y->place);

	return order ? order : (int)x->depth - (int)y->depth;
}

static inline size_t picture_depth(const struct picture_row *rows, size_t n, size_t at)
{
	size_t depth = 0;

	for (bool more = true; more;) {
		more = false;
		for (size_t i = 0; i < n && !more; i++) {
			if (i != at && rows[i].id == rows[at].parent) {
				at = i;
				depth++;
				more = true;
			}
		}
	}
	return depth;
}

static inline unsigned int picture_number(const char *line, const char *key)
{
	const char *at = strstr(line, key);

	return at ? (unsigned int)atoi(at + strlen(key)) : 0;
}

/* Of the root mount only its place is told, for what it is made of is the runner's. */
static inline void picture_take(struct picture *p, const char *path)
{
	static struct picture_row rows[256];
	FILE *file = fopen(path, "re");
	char line[4096];
	size_t n = 0;

	memset(p, 0, sizeof(*p));
	CHECK(file, "%s: %s", path, strerror(errno));
	while (fgets(line, sizeof(line), file)) {
		char root[512], options[256], type[64];
		char *dash = strstr(line, " - ");
		struct picture_row *row = &rows[n];

		CHECK(n < 256 && dash, "mountinfo: %s", line);
		CHECK(sscanf(line, "%d %d %*s %511s %1023s %255s", &row->id, &row->parent, root,
			     row->place, options) == 5,
		      "mountinfo: %s", line);
		CHECK(sscanf(dash, " - %63s", type) == 1, "mountinfo: %s", line);
		*dash = 0;
		row->shared = picture_number(line, " shared:");
		row->master = picture_number(line, " master:");
		row->unbindable = strstr(line, " unbindable");
		if (!strcmp(row->place, "/")) {
			*root = 0;
			row->shared = row->master = 0;
		}
		(void)snprintf(row->rest, sizeof(row->rest), "%s %s %s", root, type, options);
		n++;
	}
	(void)fclose(file);
	for (size_t i = 0; i < n; i++)
		rows[i].depth = picture_depth(rows, n, i);
	qsort(rows, n, sizeof(*rows), picture_order);
	for (size_t i = 0; i < n && p->len < PICTURE_MAX; i++) {
		char shared[32] = "", master[32] = "";

		if (rows[i].shared)
			(void)snprintf(shared, sizeof(shared), " shared:%zu",
				       picture_group(p, rows[i].shared));
		if (rows[i].master)
			(void)snprintf(master, sizeof(master), " master:%zu",
				       picture_group(p, rows[i].master));
		p->len += (size_t)snprintf(p->text + p->len, PICTURE_MAX - p->len,
					   "%s %s%s%s%s depth:%zu\n", rows[i].place, rows[i].rest,
					   shared, master, rows[i].unbindable ? " unbindable" : "",
					   rows[i].depth);
	}
	CHECK(p->len < PICTURE_MAX, "too many mounts");
}

/* Tells the first line that differs. */
static inline void picture_compare(const struct picture *was, const struct picture *is)
{
	const char *a = was->text, *b = is->text;

	while (*a || *b) {
		int la = (int)strcspn(a, "\n"), lb = (int)strcspn(b, "\n");

		CHECK(la == lb && !strncmp(a, b, (size_t)la), "mount '%.*s' is '%.*s'",
		      la > 200 ? 200 : la, a, lb > 200 ? 200 : lb, b);
		a += la + (a[la] == '\n');
		b += lb + (b[lb] == '\n');
	}
}

static inline void put_file(const char *path, const char *text)
{
	int fd = SYS(open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644));

	CHECK(write(fd, text, strlen(text)) == (ssize_t)strlen(text), "write %s", path);
	(void)close(fd);
}

static inline void check_content(const char *path, const char *text)
{
	char got[256] = "";
	int fd = open(path, O_RDONLY);

	CHECK(fd >= 0, "%s: %s", path, strerror(errno));
	CHECK(read(fd, got, sizeof(got) - 1) >= 0 && !strcmp(got, text), "%s is '%s'", path, got);
	(void)close(fd);
}

static inline void mount_tmpfs(const char *path, unsigned long flags, const char *options)
{
	if (mkdir(path, 0755) < 0 && errno != EEXIST)
		live_fail("mkdir %s: %s", path, strerror(errno));
	(void)SYS(mount("live", path, "tmpfs", flags, options));
}

static inline void mount_bind(const char *from, const char *to, unsigned long flags)
{
	if (mkdir(to, 0755) < 0 && errno != EEXIST)
		live_fail("mkdir %s: %s", to, strerror(errno));
	(void)SYS(mount(from, to, NULL, MS_BIND | flags, NULL));
}
