#include "pod/user.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/path.h"

#define TABLE_MAX (4 << 20)

/* Absent is an empty table: many images have none. */
static int read_table(int rootfd, const char *path, char **ret, struct error *err)
{
	cleanup_fd int fd = path_open_in_root(rootfd, path, O_RDONLY, 0, err);
	size_t len = 0;
	int r;

	if (fd == -ENOENT || fd == -ENOTDIR) {
		*ret = strdup("");
		return *ret ? 0 : err_oom(err);
	}
	if (fd < 0)
		return fd;
	r = fd_slurp(fd, TABLE_MAX, ret, &len);
	return r < 0 ? err_set(err, r, "read '%s': %s", path, strerror(-r)) : 0;
}

static bool parse_id(const char *text, uint32_t *ret)
{
	char *end = NULL;
	unsigned long n;

	if (text[0] < '0' || text[0] > '9')
		return false;
	errno = 0;
	n = strtoul(text, &end, 10);
	if (errno || *end || n >= UINT32_MAX)
		return false;
	*ret = (uint32_t)n;
	return true;
}

#define MAX_COLUMNS 7

/* Splits the next line at its colons, in place; 0: no more. */
static size_t next_row(char **at, char *columns[MAX_COLUMNS])
{
	size_t n = 0;
	char *line = *at;
	char *end;

	if (*line == '\0')
		return 0;
	end = line + strcspn(line, "\n");
	*at = *end ? end + 1 : end;
	*end = '\0';
	for (;;) {
		columns[n++] = line;
		if (n == MAX_COLUMNS || !strchr(line, ':'))
			return n;
		line = strchr(line, ':');
		*line++ = '\0';
	}
}

/* By name, or by number when `word` is one. 1: found. */
static int find_passwd(char *table, const char *word, bool numeric, uint32_t uid, struct user *u)
{
	char *columns[MAX_COLUMNS];
	uint32_t row_uid;
	uint32_t row_gid;
	size_t n;

	while ((n = next_row(&table, columns)) > 0) {
		if (n < 6 || !parse_id(columns[2], &row_uid) || !parse_id(columns[3], &row_gid))
			continue;
		if (numeric ? row_uid != uid : strcmp(columns[0], word) != 0)
			continue;
		u->uid = row_uid;
		u->gid = row_gid;
		(void)snprintf(u->home, sizeof(u->home), "%s", columns[5][0] ? columns[5] : "/");
		(void)snprintf(u->name, sizeof(u->name), "%s", columns[0]);
		return 1;
	}
	return 0;
}

static bool list_has(const char *list, const char *name)
{
	size_t len = strlen(name);

	for (; *list; list += list[0] == ',') {
		size_t word = strcspn(list, ",");

		if (word == len && memcmp(list, name, len) == 0)
			return true;
		list += word;
	}
	return false;
}

/* The named group (NULL: only the memberships of the user). 1: found. */
static int read_groups(char *table, const char *group, struct user *u)
{
	char *columns[MAX_COLUMNS];
	uint32_t gid;
	int found = 0;
	size_t n;

	while ((n = next_row(&table, columns)) > 0) {
		if (n < 3 || !parse_id(columns[2], &gid))
			continue;
		if (group && strcmp(columns[0], group) == 0) {
			u->gid = gid;
			found = 1;
		}
		/* An explicit group replaces all memberships, as with Podman. */
		if (!group && n > 3 && u->name[0] && list_has(columns[3], u->name) &&
		    gid != u->gid && u->n_groups < USER_GROUPS_MAX)
			u->groups[u->n_groups++] = gid;
	}
	return found;
}

int user_find(int rootfd, const char *word, struct user *ret, struct error *err)
{
	cleanup_free char *passwd = NULL;
	cleanup_free char *groups = NULL;
	struct user u = { .home = "/" };
	const char *colon = strchr(word, ':');
	const char *group = colon && colon[1] ? colon + 1 : NULL;
	char name[128];
	uint32_t number = 0;
	bool numeric;
	int r = read_table(rootfd, "etc/passwd", &passwd, err);

	if (r == 0)
		r = read_table(rootfd, "etc/group", &groups, err);
	if (r < 0)
		return r;
	(void)snprintf(name, sizeof(name), "%.*s", colon ? (int)(colon - word) : (int)strlen(word),
		       word);
	numeric = name[0] == '\0' || parse_id(name, &number);
	if (!find_passwd(passwd, name, numeric, number, &u)) {
		if (!numeric)
			return err_set(err, -ENOENT,
				       "unable to find user %s: no matching entries in passwd file",
				       name);
		u.uid = number;
		if (number == 0)
			(void)snprintf(u.home, sizeof(u.home), "/root");
	}
	if (group && parse_id(group, &number))
		u.gid = number;
	else if (!read_groups(groups, group, &u) && group)
		return err_set(err, -ENOENT,
			       "unable to find group %s: no matching entries in group file", group);
	*ret = u;
	return 0;
}
