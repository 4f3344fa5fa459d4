#include "img/verify.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "img/image.h"
#include "img/pb/inventory.pb-c.h"
#include "img/pb/ipc-msg.pb-c.h"
#include "img/verify-priv.h"

#define IMAGES_V1_1 2 /* first magic words; the newest there is */

void verify_found(struct verify *verify, const char *fmt, ...)
{
	struct error finding = { .code = -EBADMSG };
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(finding.text, sizeof(finding.text), fmt, args);
	va_end(args);
	verify->n_found++;
	verify->found(verify->arg, &finding);
}

static void found_error(struct verify *verify, const struct error *err)
{
	verify->n_found++;
	verify->found(verify->arg, err);
}

/* ---- tables of ids ---- */

void id_table_add(struct verify *verify, struct id_table *table, uint64_t id, uint32_t what)
{
	if (table->n == table->room) {
		size_t more = table->room ? table->room * 2 : 64;
		void *grown = reallocarray(table->rows, more, sizeof(*table->rows));

		if (!grown) {
			verify->failed = -ENOMEM;
			return;
		}
		table->rows = grown;
		table->room = more;
	}
	table->rows[table->n++] = (struct id_row){ .id = id, .what = what };
}

static int compare_rows(const void *left, const void *right)
{
	const struct id_row *a = left;
	const struct id_row *b = right;

	return a->id < b->id ? -1 : a->id > b->id;
}

void id_table_seal(struct id_table *table)
{
	if (table->n)
		qsort(table->rows, table->n, sizeof(*table->rows), compare_rows);
}

const struct id_row *id_table_find(const struct id_table *table, uint64_t id)
{
	const struct id_row key = { .id = id };

	if (!table->n)
		return NULL;
	return bsearch(&key, table->rows, table->n, sizeof(key), compare_rows);
}

void id_table_done(struct id_table *table)
{
	free(table->rows);
	*table = (struct id_table){ .rows = NULL };
}

/* ---- reading what is known to be readable ---- */

bool verify_is_damaged(const struct verify *verify, enum img_kind kind, uint64_t id)
{
	const struct folder_file *file = folder_find(&verify->folder, kind, id);

	return file && verify->damaged[file - verify->folder.files];
}

bool verify_read(struct verify *verify, enum img_kind kind, uint64_t id, struct arena *arena,
		 void *ret_messages, size_t *ret_n)
{
	struct error err = ERROR_INIT;

	if (!folder_find(&verify->folder, kind, id) || verify_is_damaged(verify, kind, id))
		return false;
	if (image_read_all(verify->dirfd, kind, id, arena, ret_messages, ret_n, &err) == 0)
		return true;
	found_error(verify, &err); /* it was readable a moment ago */
	return false;
}

void *verify_need(struct verify *verify, enum img_kind kind, uint64_t id, struct arena *arena,
		  const char *who)
{
	char name[IMG_NAME_MAX];
	void **messages = NULL;
	size_t n = 0;

	img_kind_file_name(kind, id, name);
	if (!folder_find(&verify->folder, kind, id)) {
		verify_found(verify, "%s: is missing, and %s needs it", name, who);
		return NULL;
	}
	if (!verify_read(verify, kind, id, arena, &messages, &n))
		return NULL;
	if (n == 0) {
		verify_found(verify, "%s: has no record, and %s needs one", name, who);
		return NULL;
	}
	return messages[0];
}

/* ---- each image for itself ---- */

static int read_messages(struct image *image, const IpcMsgEntry *queue, struct error *err)
{
	for (uint32_t i = 0; i < queue->qnum; i++) {
		cleanup_arena struct arena arena = ARENA_INIT;
		IpcMsg *msg = NULL;
		int r;

		arena_init(&arena, ARENA_LIMIT);
		r = image_read_nested(image, &ipc_msg__descriptor, &arena, &msg, err);
		if (r == 0)
			r = image_skip_raw(image, ((uint64_t)msg->msize + 7) / 8 * 8, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int read_to_end(const struct verify *verify, const struct folder_file *file,
		       struct error *err)
{
	cleanup_image struct image image = IMAGE_INIT;
	const struct img_kind_info *info = img_kind_info(file->kind);
	int r = image_open(&image, verify->dirfd, file->kind, file->id, err);

	if (r < 0 || !info->record)
		return r;
	do {
		cleanup_arena struct arena arena = ARENA_INIT;
		ProtobufCMessage *record = NULL;

		arena_init(&arena, ARENA_LIMIT);
		r = image_read(&image, &arena, &record, err);
		if (r > 0 && info->extra == IMG_EXTRA_MESSAGES &&
		    read_messages(&image, (const IpcMsgEntry *)record, err) < 0)
			return err->code;
	} while (r > 0);
	return r;
}

static void verify_structure(struct verify *verify)
{
	for (size_t i = 0; i < verify->folder.n_files; i++) {
		struct error err = ERROR_INIT;

		verify->summary.images++;
		if (read_to_end(verify, &verify->folder.files[i], &err) == 0)
			continue;
		verify->damaged[i] = true;
		found_error(verify, &err);
	}
}

static void verify_inventory(struct verify *verify)
{
	cleanup_arena struct arena arena = ARENA_INIT;
	const InventoryEntry *inventory;

	arena_init(&arena, ARENA_LIMIT);
	inventory = verify_need(verify, IMG_KIND_INVENTORY, 0, &arena, "every restore");
	if (inventory && (inventory->img_version < 1 || inventory->img_version > IMAGES_V1_1))
		verify_found(verify, "inventory.img: images of version %u are not known",
			     inventory->img_version);
}

static void verify_done(struct verify *verify)
{
	folder_done(&verify->folder);
	free(verify->damaged);
	id_table_done(&verify->files);
	id_table_done(&verify->pipes);
	id_table_done(&verify->memfds);
	id_table_done(&verify->terminals);
	id_table_done(&verify->filters);
	id_table_done(&verify->cgroup_sets);
	id_table_done(&verify->mounts);
	id_table_done(&verify->pages);
}

#define cleanup_verify __attribute__((cleanup(verify_done)))

int verify_folder(int dirfd, void (*found)(void *arg, const struct error *finding), void *arg,
		  struct verify_summary *ret_summary, struct error *err)
{
	cleanup_verify struct verify verify = { .dirfd = dirfd, .found = found, .arg = arg };
	struct stat st;
	int r = folder_list(&verify.folder, dirfd, err);

	if (r < 0)
		return r;
	if (!verify.folder.n_files)
		return err_set(err, -ENOENT, "no image files in the folder");
	verify.damaged = calloc(verify.folder.n_files, sizeof(*verify.damaged));
	if (!verify.damaged)
		return err_oom(err);
	verify.has_parent = fstatat(dirfd, "parent", &st, AT_SYMLINK_NOFOLLOW) == 0;
	verify_structure(&verify);
	verify_inventory(&verify);
	verify_files(&verify);
	verify_tasks(&verify);
	verify_segments(&verify);
	if (verify.failed)
		return err_oom(err);
	*ret_summary = verify.summary;
	return verify.n_found;
}
