#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/file.h"
#include "ckpt/dump-priv.h"
#include "ckpt/userns.h"
#include "img/pb/userns.pb-c.h"

#define OVERFLOW_ID 65534
#define MAP_TEXT_MAX 65536

/* "FIRST LOWER-FIRST COUNT" a line; the second as our own namespace numbers it. */
static int read_map(struct dump *dump, const char *name, UidGidExtent ***ret, size_t *ret_n,
		    struct error *err)
{
	cleanup_free char *text = NULL;
	size_t lines = 1;
	char path[64];
	size_t len;
	int r;

	(void)snprintf(path, sizeof(path), "/proc/%d/%s", dump->opts->pid, name); /* always fits */
	r = file_read_at(AT_FDCWD, path, MAP_TEXT_MAX, &text, &len, err);
	if (r < 0)
		return r;
	for (const char *p = text; *p; p++)
		lines += *p == '\n';
	*ret = arena_new_array(&dump->arena, UidGidExtent *, lines);
	if (!*ret)
		return err_oom(err);
	for (const char *p = text; *p;) {
		const char *end = strchrnul(p, '\n');
		UidGidExtent *e = arena_new(&dump->arena, UidGidExtent);

		if (!e)
			return err_oom(err);
		uid_gid_extent__init(e);
		if (sscanf(p, "%u %u %u", &e->first, &e->lower_first, &e->count) != 3)
			return err_set(err, -EBADMSG, "'%s': '%.*s'", path, (int)(end - p), p);
		(*ret)[(*ret_n)++] = e;
		p = *end ? end + 1 : end;
	}
	return 0;
}

int userns_collect(struct dump *dump, struct error *err)
{
	UsernsEntry *entry;
	int r;

	if (!dump->ns[DUMP_NS_USER].other)
		return 0;
	entry = arena_new(&dump->arena, UsernsEntry);
	if (!entry)
		return err_oom(err);
	userns_entry__init(entry);
	r = read_map(dump, "uid_map", &entry->uid_map, &entry->n_uid_map, err);
	if (r == 0)
		r = read_map(dump, "gid_map", &entry->gid_map, &entry->n_gid_map, err);
	if (r == 0 && (!entry->n_uid_map || !entry->n_gid_map))
		r = err_set(err, -EOPNOTSUPP,
			    "task %d: its user namespace has no users or no groups (uid_map, "
			    "gid_map)",
			    dump->opts->pid);
	dump->userns = entry;
	return r;
}

int userns_write(struct dump *dump, struct error *err)
{
	return dump->userns ? dump_image_one(dump, IMG_KIND_USERNS, dump->ns[DUMP_NS_USER].root_id,
					     &dump->userns->base, err)
			    : 0;
}

static bool find(UidGidExtent *const *map, size_t n, uint32_t id, uint32_t *ret)
{
	for (size_t i = 0; i < n; i++) {
		if (id >= map[i]->lower_first && id - map[i]->lower_first < map[i]->count) {
			*ret = map[i]->first + (id - map[i]->lower_first);
			return true;
		}
	}
	return false;
}

uint32_t userns_uid(const struct dump *dump, uid_t uid)
{
	uint32_t id = OVERFLOW_ID;

	if (!dump->userns)
		return uid;
	(void)find(dump->userns->uid_map, dump->userns->n_uid_map, uid, &id);
	return id;
}

uint32_t userns_gid(const struct dump *dump, gid_t gid)
{
	uint32_t id = OVERFLOW_ID;

	if (!dump->userns)
		return gid;
	(void)find(dump->userns->gid_map, dump->userns->n_gid_map, gid, &id);
	return id;
}

int userns_creds(const struct dump *dump, pid_t host_tid, CredsEntry *creds, struct error *err)
{
	const UsernsEntry *ns = dump->userns;
	uint32_t *const uids[] = { &creds->uid, &creds->euid, &creds->suid, &creds->fsuid };
	uint32_t *const gids[] = { &creds->gid, &creds->egid, &creds->sgid, &creds->fsgid };

	for (size_t i = 0; ns && i < ARRAY_SIZE(uids); i++) {
		if (!find(ns->uid_map, ns->n_uid_map, *uids[i], uids[i]))
			return err_set(err, -EOPNOTSUPP,
				       "task %d: its user %u has no number in its user namespace",
				       host_tid, *uids[i]);
		if (!find(ns->gid_map, ns->n_gid_map, *gids[i], gids[i]))
			return err_set(err, -EOPNOTSUPP,
				       "task %d: its group %u has no number in its user namespace",
				       host_tid, *gids[i]);
	}
	for (size_t i = 0; ns && i < creds->n_groups; i++) {
		if (!find(ns->gid_map, ns->n_gid_map, creds->groups[i], &creds->groups[i]))
			return err_set(err, -EOPNOTSUPP,
				       "task %d: its supplementary group %u has no number in its "
				       "user namespace",
				       host_tid, creds->groups[i]);
	}
	return 0;
}

/* The kernel shows them as the first namespace numbers them. */
int userns_mount_options(struct dump *dump, char **options, struct error *err)
{
	cleanup_buf struct buf out = BUF_INIT;

	if (!dump->userns)
		return 0;
	for (const char *p = *options; *p;) {
		size_t len = strcspn(p, ",");
		bool user = strncmp(p, "uid=", 4) == 0;

		if (out.len)
			buf_add(&out, ",", 1);
		if (user || strncmp(p, "gid=", 4) == 0) {
			uint32_t id = (uint32_t)strtoul(p + 4, NULL, 10);

			buf_addf(&out, "%.4s%u", p,
				 user ? userns_uid(dump, id) : userns_gid(dump, id));
		} else {
			buf_add(&out, p, len);
		}
		p += len + (p[len] == ',');
	}
	*options = arena_strdup(&dump->arena, buf_str(&out));
	return buf_ok(&out) && *options ? 0 : err_oom(err);
}
