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

/* Sorted by place; mounts at one place keep their order, the lower first. */
static inline void picture_sort(char **lines, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		for (size_t j = i; j > 0; j--) {
			size_t a = strcspn(lines[j - 1], " "), b = strcspn(lines[j], " ");
			int order = strncmp(lines[j - 1], lines[j], a < b ? a : b);
			char *line = lines[j];

			if (order < 0 || (order == 0 && a <= b))
				break;
			lines[j] = lines[j - 1];
			lines[j - 1] = line;
		}
	}
}

struct picture_row {
	int id, parent;
	char line[2048];
};

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

/* `skip`: of the root mount only its place is told, for what it is made of is the runner's. */
static inline void picture_take(struct picture *p, const char *path)
{
	static struct picture_row rows[256];
	char *lines[256];
	FILE *file = fopen(path, "re");
	char line[4096];
	size_t n = 0;

	memset(p, 0, sizeof(*p));
	CHECK(file, "%s: %s", path, strerror(errno));
	while (fgets(line, sizeof(line), file)) {
		char root[1024], place[1024], options[256], rest[1024], type[64];
		char *dash = strstr(line, " - ");
		struct picture_row *row = &rows[n];

		CHECK(n < 256 && dash, "mountinfo: %s", line);
		*rest = 0;
		CHECK(sscanf(line, "%d %d %*s %1023s %1023s %255s", &row->id, &row->parent, root,
			     place, options) == 5,
		      "mountinfo: %s", line);
		CHECK(sscanf(dash, " - %63s", type) == 1, "mountinfo: %s", line);
		*dash = 0;
		if (strstr(line, " shared:"))
			(void)snprintf(
				rest + strlen(rest), 64, " shared:%zu",
				picture_group(p, (unsigned int)atoi(strstr(line, " shared:") + 8)));
		if (strstr(line, " master:"))
			(void)snprintf(
				rest + strlen(rest), 64, " master:%zu",
				picture_group(p, (unsigned int)atoi(strstr(line, " master:") + 8)));
		if (strstr(line, " unbindable"))
			(void)strcat(rest, " unbindable");
		if (!strcmp(place, "/"))
			*root = *rest = 0;
		(void)snprintf(row->line, sizeof(row->line), "%.1000s %.500s %.200s %.60s%.200s",
			       place, root, type, options, rest);
		n++;
	}
	(void)fclose(file);
	for (size_t i = 0; i < n; i++) {
		size_t len = strlen(rows[i].line);

		(void)snprintf(rows[i].line + len, sizeof(rows[i].line) - len, " depth:%zu",
			       picture_depth(rows, n, i));
		lines[i] = rows[i].line;
	}
	picture_sort(lines, n);
	for (size_t i = 0; i < n; i++)
		p->len +=
			(size_t)snprintf(p->text + p->len, PICTURE_MAX - p->len, "%s\n", lines[i]);
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
