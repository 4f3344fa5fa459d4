/*
 * The store as a whole: import, find, tag, remove; damage and its repair.
 */
#include "../cmocka-all.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/file.h"
#include "store/change.h"
#include "store/image.h"
#include "store/import.h"
#include "store/store.h"
#include "tar-maker.h"

struct fixture {
	char root[64];
	int fd;
	struct store *store;
	struct error err;
	char id[IMAGE_ID_SIZE];
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	strcpy(f->root, "/tmp/cryopod-test-store-XXXXXX");
	if (!mkdtemp(f->root))
		return -1;
	f->fd = open(f->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (store_open(f->root, &f->store, &f->err) < 0)
		return -1;
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	store_close(f->store);
	(void)close(f->fd);
	if (file_remove_tree_at(AT_FDCWD, f->root, NULL) < 0)
		return -1;
	free(f);
	return 0;
}

static int import(struct fixture *f, const char *name, const char *content, const char *change)
{
	struct import_options options = { .name = name };
	struct tar_maker tar;
	int fd;
	int r;

	tar_begin(&tar, TAR_PLAIN);
	tar_file(&tar, "file", content);
	fd = tar_end(&tar);
	if (change)
		strv_add(&options.changes, change);
	r = image_import(f->store, "-", fd, &options, f->id, &f->err);
	strv_done(&options.changes);
	(void)close(fd);
	return r;
}

static size_t count_in(struct fixture *f, const char *name)
{
	int fd = openat(f->fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fdopendir(fd);
	struct dirent *entry;
	size_t n = 0;

	assert_non_null(dir);
	while ((entry = readdir(dir)))
		n += entry->d_name[0] != '.';
	(void)closedir(dir);
	return n;
}

static void assert_empty(struct fixture *f)
{
	assert_int_equal(count_in(f, "images/blobs/sha256"), 0);
	assert_int_equal(count_in(f, "images/tmp"), 0);
	assert_int_equal(count_in(f, "layers"), 0);
}

static void test_what_an_image_says(void **state)
{
	struct fixture *f = *state;
	struct image *image = NULL;
	struct stat st;
	char path[256];

	assert_int_equal(import(f, "box", "hello", "CMD [\"/bin/sh\"]"), 0);
	assert_int_equal(image_find(f->store, "box", &image, &f->err), 0);
	assert_string_equal(image->id, f->id);
	assert_string_equal(image_name(image), "localhost/box:latest");
	assert_int_equal(image->size, 5);
	assert_int_equal(image->config.cmd.n, 1);
	assert_string_equal(image->config.cmd.items[0], "/bin/sh");
	assert_string_equal(image->config.user, "");
	assert_string_equal(image->os, "linux");
	assert_int_equal(image->layers.n, 1);
	(void)snprintf(path, sizeof(path), "%s/file", image->layers.items[0]);
	assert_int_equal(stat(path, &st), 0);
	image_free(image);
}

static void test_removal_takes_everything(void **state)
{
	struct fixture *f = *state;
	cleanup_image_removal struct image_removal removal = IMAGE_REMOVAL_INIT;

	assert_int_equal(import(f, "box", "hello", NULL), 0);
	assert_int_equal(image_remove(f->store, "box", false, NULL, &removal, &f->err), 0);
	assert_string_equal(removal.untagged.items[0], "localhost/box:latest");
	assert_string_equal(removal.deleted.items[0], f->id);
	assert_empty(f);
}

static int one_user(void *arg, const char *image_id, struct strv *ret, struct error *err)
{
	(void)arg;
	(void)image_id;
	(void)err;
	strv_add(ret, "container");
	return 0;
}

static int remove_user(void *arg, const struct strv *containers, struct error *err)
{
	(void)err;
	*(size_t *)arg += containers->n;
	return 0;
}

static void test_users_keep_an_image(void **state)
{
	struct fixture *f = *state;
	cleanup_image_removal struct image_removal removal = IMAGE_REMOVAL_INIT;
	size_t removed = 0;
	struct image_users users = { .list = one_user, .remove = remove_user, .arg = &removed };

	assert_int_equal(import(f, "box", "hello", NULL), 0);
	assert_int_equal(image_remove(f->store, "box", false, &users, &removal, &f->err), -EBUSY);
	assert_int_equal(removed, 0);
	assert_int_equal(image_remove(f->store, "box", true, &users, &removal, &f->err), 0);
	assert_int_equal(removed, 1);
	assert_empty(f);
}

static void test_a_failed_import_leaves_nothing(void **state)
{
	struct fixture *f = *state;
	struct import_options options = { .name = "box" };
	struct tar_maker tar;
	int fd;

	tar_begin(&tar, TAR_GZIP);
	tar_file(&tar, "good", "x");
	tar_file(&tar, "../evil", "x");
	fd = tar_end(&tar);
	assert_int_equal(image_import(f->store, "-", fd, &options, f->id, &f->err), -EBADMSG);
	assert_non_null(strstr(f->err.text, "entry '../evil': path leads out of the layer"));
	assert_empty(f);
	(void)close(fd);
}

/* The file is a blob that the index needs: its content changes. */
static void damage(struct fixture *f, const char *hex)
{
	char path[256];

	(void)snprintf(path, sizeof(path), "images/blobs/sha256/%s", hex);
	assert_int_equal(file_write_atomic_at(f->fd, path, "{}", 2, 0600, NULL), 0);
}

static void test_a_damaged_config_is_told(void **state)
{
	struct fixture *f = *state;
	struct image *image = NULL;

	assert_int_equal(setenv("SOURCE_DATE_EPOCH", "1", 1), 0);
	assert_int_equal(import(f, "box", "hello", NULL), 0);
	damage(f, f->id);
	assert_int_equal(image_find(f->store, "box", &image, &f->err), -EBADMSG);
	assert_non_null(strstr(f->err.text, "is damaged"));
	assert_null(image);
	/* made again, it is whole again */
	assert_int_equal(import(f, "box", "hello", NULL), 0);
	assert_int_equal(image_find(f->store, "box", &image, &f->err), 0);
	image_free(image);
	(void)unsetenv("SOURCE_DATE_EPOCH");
}

static void test_a_missing_layer_is_told_and_comes_back(void **state)
{
	struct fixture *f = *state;
	struct image *image = NULL;

	assert_int_equal(setenv("SOURCE_DATE_EPOCH", "1", 1), 0);
	assert_int_equal(import(f, "box", "hello", NULL), 0);
	assert_int_equal(file_remove_tree_at(f->fd, "layers", NULL), 0);
	store_close(f->store);
	assert_int_equal(store_open(f->root, &f->store, &f->err), 0);
	assert_int_equal(image_find(f->store, "box", &image, &f->err), -EBADMSG);
	assert_non_null(strstr(f->err.text, "is missing from the store"));
	assert_non_null(strstr(f->err.hint, "again"));
	assert_int_equal(import(f, "box", "hello", NULL), 0);
	assert_int_equal(image_find(f->store, "box", &image, &f->err), 0);
	image_free(image);
	(void)unsetenv("SOURCE_DATE_EPOCH");
}

/* While one image can't be read, nothing of the others may be taken for garbage. */
static void test_damage_keeps_the_collector_away(void **state)
{
	struct fixture *f = *state;
	cleanup_image_removal struct image_removal removal = IMAGE_REMOVAL_INIT;
	struct image *image = NULL;
	char bad[IMAGE_ID_SIZE];

	assert_int_equal(import(f, "bad", "one", NULL), 0);
	memcpy(bad, f->id, sizeof(bad));
	assert_int_equal(import(f, "good", "two", NULL), 0);
	assert_int_equal(import(f, "gone", "three", NULL), 0);
	damage(f, bad);
	assert_int_equal(image_remove(f->store, "gone", false, NULL, &removal, &f->err), 0);
	assert_int_equal(image_find(f->store, "good", &image, &f->err), 0);
	assert_int_equal(count_in(f, "layers"), 3);
	image_free(image);
	/* the damaged one can still be removed, and then all is collected */
	assert_int_equal(image_remove(f->store, "bad", false, NULL, &removal, &f->err), 0);
	assert_int_equal(count_in(f, "layers"), 1);
	assert_int_equal(count_in(f, "images/blobs/sha256"), 3);
}

static void test_a_holder_keeps_changes_away(void **state)
{
	struct fixture *f = *state;
	struct lock hold = LOCK_INIT;
	struct lock other = LOCK_INIT;
	struct lock exclusive = LOCK_INIT;

	assert_int_equal(store_hold(f->store, &hold, &f->err), 0);
	assert_int_equal(store_hold(f->store, &other, &f->err), 0);
	assert_int_equal(lock_try(f->fd, "images/lock", LOCK_MODE_EXCLUSIVE, &exclusive, &f->err),
			 -EBUSY);
	lock_release(&hold);
	lock_release(&other);
	assert_int_equal(lock_try(f->fd, "images/lock", LOCK_MODE_EXCLUSIVE, &exclusive, &f->err),
			 0);
	lock_release(&exclusive);
}

static void test_other_peoples_entries_stay(void **state)
{
	static const char index[] =
		"{\"schemaVersion\": 2, \"manifests\": [{\"mediaType\": \"application/vnd.oci.image."
		"manifest.v1+json\", \"digest\": \"sha256:"
		"44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a\", \"size\": 2}]}";
	struct fixture *f = *state;
	struct image_list list = IMAGE_LIST_INIT;
	char *text = NULL;

	/* the blob of "{}": names nothing, and is needed */
	damage(f, "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a");
	assert_int_equal(
		file_write_atomic_at(f->fd, "images/index.json", index, strlen(index), 0600, NULL),
		0);
	assert_int_equal(import(f, "box", "hello", NULL), 0);
	assert_int_equal(image_list(f->store, &list, &f->err), 0);
	assert_int_equal(list.n, 1);
	image_list_done(&list);
	assert_int_equal(file_read_at(f->fd, "images/index.json", 65536, &text, NULL, NULL), 0);
	assert_non_null(strstr(text, "44136fa355b3678a"));
	free(text);
	assert_int_equal(count_in(f, "images/blobs/sha256"), 4);
}

static void test_a_relative_root_becomes_absolute(void **state)
{
	struct fixture *f = *state;
	struct store *store = NULL;
	int before = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char wanted[128];

	(void)snprintf(wanted, sizeof(wanted), "%s/below", f->root);
	assert_int_equal(chdir(f->root), 0);
	assert_int_equal(store_open("below", &store, &f->err), 0);
	assert_string_equal(store_root(store), wanted);
	store_close(store);
	assert_int_equal(fchdir(before), 0);
	(void)close(before);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_what_an_image_says),
		TEST(test_removal_takes_everything),
		TEST(test_users_keep_an_image),
		TEST(test_a_failed_import_leaves_nothing),
		TEST(test_a_damaged_config_is_told),
		TEST(test_a_missing_layer_is_told_and_comes_back),
		TEST(test_damage_keeps_the_collector_away),
		TEST(test_a_holder_keeps_changes_away),
		TEST(test_other_peoples_entries_stay),
		TEST(test_a_relative_root_becomes_absolute),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
