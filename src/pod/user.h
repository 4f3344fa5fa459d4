/*
 * user: who "-u name:group" is inside a root file system.
 */
#pragma once

#include <stdint.h>
#include <sys/types.h>

struct error;

#define USER_GROUPS_MAX 256

struct user {
	uint32_t uid;
	uint32_t gid;
	uint32_t groups[USER_GROUPS_MAX]; /* further groups, from etc/group */
	size_t n_groups;
	char home[256];
	char name[64]; /* "" when passwd does not know the uid */
};

/*
 * `word`: "", "name", "uid", each with ":group" or ":gid". Names are looked up
 * in etc/passwd and etc/group beneath `rootfd`, never outside. -ENOENT: no
 * such name there.
 */
int user_find(int rootfd, const char *word, struct user *ret, struct error *err);
