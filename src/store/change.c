#include "store/change.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/log.h"
#include "store/find.h"
#include "store/image.h"
#include "store/index.h"
#include "store/name.h"
#include "store/store-priv.h"

/* The store held exclusively, with its index: how every change begins. */
struct change {
	struct work work; /* its end removes what was collected, after the lock is released */
	struct lock lock;
	struct index index;
};

#define CHANGE_INIT                                                                                \
	{                                                                                          \
		.work = WORK_INIT, .lock = LOCK_INIT, .index = INDEX_INIT                          \
	}

static void change_done(struct change *c)
{
	index_done(&c->index);
	lock_release(&c->lock);
	work_end(&c->work);
}

#define cleanup_change __attribute__((cleanup(change_done)))

static int change_begin(struct store *store, struct change *c, struct error *err)
{
	int r;

	r = work_begin(store, &c->work, err);
	if (r == 0)
		r = store_lock(store, &c->lock, err);
	return r < 0 ? r : index_load(store, &c->index, err);
}

/* Writes the index, and removes what it does not need any more. */
static int change_finish(struct change *c, struct error *err)
{
	struct error why = ERROR_INIT;
	int r;

	r = index_save(c->work.store, &c->index, err);
	if (r < 0)
		return r;
	if (store_collect(&c->work, &c->index, &why) < 0)
		log_warn("%s; nothing was removed", why.text);
	return 0;
}

/* --- names ---------------------------------------------------------------------- */

int image_tag(struct store *store, const char *image, const char *name, struct error *err)
{
	cleanup_change struct change c = CHANGE_INIT;
	const struct index_entry *found = NULL;
	cleanup_free char *full = NULL;
	struct index_entry entry;
	int r;

	r = name_make_local(name, &full, err);
	if (r == 0)
		r = change_begin(store, &c, err);
	if (r == 0)
		r = find_entry(&c.index, image, &found, NULL, err);
	if (r < 0)
		return r;
	assert(found);
	entry = *found;
	entry.name = full;
	r = index_put(&c.index, &entry, err);
	return r < 0 ? r : change_finish(&c, err);
}

/* The image's own name that is meant. -ENOENT: it has no such name. */
static int find_own_name(const struct index *index, const char *id, const char *typed,
			 char **ret_name, struct error *err)
{
	const struct index_entry *found = NULL;
	bool by_name = false;
	int r;

	r = find_entry(index, typed, &found, &by_name, NULL);
	if (r < 0 || !by_name || strcmp(found->id, id) != 0 || !found->name)
		return err_set(err, -ENOENT, "%s: tag not known", typed);
	*ret_name = strdup(found->name);
	return *ret_name ? 0 : err_oom(err);
}

static int unname(struct index *index, const char *id, const char *typed, struct error *err)
{
	cleanup_free char *name = NULL;
	int r;

	r = find_own_name(index, id, typed, &name, err);
	return r < 0 ? r : index_unname(index, name, err);
}

/* Some name of the image, or NULL; borrowed from the index. */
static const char *any_name(const struct index *index, const char *id)
{
	for (size_t i = 0; i < index->n; i++)
		if (strcmp(index->entries[i].id, id) == 0 && index->entries[i].name)
			return index->entries[i].name;
	return NULL;
}

/* Takes all names of the image away; they are added to `taken` if that is not NULL. */
static int unname_all(struct index *index, const char *id, struct strv *taken, struct error *err)
{
	const char *name;
	int r = 0;

	while (r == 0 && (name = any_name(index, id))) {
		cleanup_free char *copy = strdup(name); /* the index changes under the name */

		if (!copy)
			return err_oom(err);
		if (taken)
			strv_add(taken, copy);
		r = index_unname(index, copy, err);
	}
	return r;
}

int image_untag(struct store *store, const char *image, char *const *names, size_t n_names,
		struct error *err)
{
	cleanup_change struct change c = CHANGE_INIT;
	const struct index_entry *found = NULL;
	char id[IMAGE_ID_SIZE];
	int r;

	r = change_begin(store, &c, err);
	if (r == 0)
		r = find_entry(&c.index, image, &found, NULL, err);
	if (r < 0)
		return r;
	assert(found);
	(void)snprintf(id, sizeof(id), "%s", found->id);
	for (size_t i = 0; r == 0 && i < n_names; i++)
		r = unname(&c.index, id, names[i], err);
	if (r == 0 && n_names == 0)
		r = unname_all(&c.index, id, NULL, err);
	return r < 0 ? r : change_finish(&c, err);
}

/* --- removal ---------------------------------------------------------------------- */

struct removing {
	struct change *change;
	bool force;
	bool by_name;
	char id[IMAGE_ID_SIZE];
	char *name; /* the one found by, if by_name */
	struct image_removal *removal;
};

static size_t count_names(const struct index *index, const char *id)
{
	size_t n = 0;

	for (size_t i = 0; i < index->n; i++)
		if (strcmp(index->entries[i].id, id) == 0 && index->entries[i].name)
			n++;
	return n;
}

static void join_names(const struct index *index, const char *id, char *text, size_t size)
{
	size_t len = 0;

	text[0] = '\0';
	for (size_t i = 0; i < index->n && len < size; i++)
		if (strcmp(index->entries[i].id, id) == 0 && index->entries[i].name)
			len += (size_t)snprintf(text + len, size - len, "%s%s", len > 0 ? " " : "",
						index->entries[i].name);
}

/* The last name, or the id: the image itself goes, if nobody uses it. */
static int remove_whole(struct removing *r, const struct image_users *users, struct error *err)
{
	cleanup_strv struct strv containers = STRV_INIT;
	int code = 0;

	if (users && users->list)
		code = users->list(users->arg, r->id, &containers, err);
	if (code < 0)
		return code;
	if (containers.n > 0 && !r->force)
		return err_set(err, -EBUSY,
			       "image used by %s: image is in use by a container: consider listing "
			       "external containers and force-removing image",
			       containers.items[0]);
	if (containers.n > 0) {
		code = users->remove(users->arg, &containers, err);
		if (code < 0)
			return code;
	}
	code = unname_all(&r->change->index, r->id, &r->removal->untagged, err);
	if (code == 0)
		code = index_drop(&r->change->index, r->id, err);
	strv_add(&r->removal->deleted, r->id);
	return code;
}

static int remove_found(struct removing *r, const struct image_users *users, struct error *err)
{
	size_t n_names = count_names(&r->change->index, r->id);

	if (r->by_name && n_names > 1) {
		strv_add(&r->removal->untagged, r->name);
		return index_unname(&r->change->index, r->name, err);
	}
	if (!r->by_name && n_names > 1 && !r->force) {
		char names[1024];

		join_names(&r->change->index, r->id, names, sizeof(names));
		return err_set(err, -EBUSY,
			       "unable to delete image \"%s\" by ID with more than one tag (%s): "
			       "please force removal",
			       r->id, names);
	}
	return remove_whole(r, users, err);
}

int image_remove(struct store *store, const char *name, bool force, const struct image_users *users,
		 struct image_removal *ret_removal, struct error *err)
{
	cleanup_change struct change c = CHANGE_INIT;
	const struct index_entry *found = NULL;
	cleanup_free char *own_name = NULL;
	struct removing removing = { .change = &c, .force = force, .removal = ret_removal };
	int r;

	r = change_begin(store, &c, err);
	if (r == 0)
		r = find_entry(&c.index, name, &found, &removing.by_name, err);
	if (r < 0)
		return r;
	assert(found);
	(void)snprintf(removing.id, sizeof(removing.id), "%s", found->id);
	if (found->name) {
		own_name = strdup(found->name);
		if (!own_name)
			return err_oom(err);
	}
	removing.name = own_name;
	r = remove_found(&removing, users, err);
	if (r == 0)
		r = change_finish(&c, err);
	if (r < 0)
		return r;
	return strv_ok(&ret_removal->untagged) && strv_ok(&ret_removal->deleted) ? 0 : err_oom(err);
}

void image_removal_done(struct image_removal *removal)
{
	strv_done(&removal->untagged);
	strv_done(&removal->deleted);
}
