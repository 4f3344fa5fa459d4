#include "../cmocka-all.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/file.h"
#include "base/spawn.h"
#include "store/overlay.h"

#define N_LOWERS 120

/* dir/lower/N, dir/c: a container. A tmpfs, so that many layers cost nothing. */
struct fixture {
	char path[64];
	char container[80];
	struct strv lowers; /* topmost first */
	int fd;
	struct error err;
	struct buf changes;
};

static void put(struct fixture *f, const char *name, const char *content)
{
	char copy[256];
	char *slash;

	(void)snprintf(copy, sizeof(copy), "%s", name);
	slash = strrchr(copy, '/');
	*slash = '\0';
	assert_int_equal(file_make_dirs_at(f->fd, copy, 0755, NULL), 0);
	assert_int_equal(file_write_atomic_at(f->fd, name, content, strlen(content), 0644, NULL),
			 0);
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	strcpy(f->path, "/tmp/cryopod-test-overlay-XXXXXX");
	if (!mkdtemp(f->path) || mount("test", f->path, "tmpfs", 0, NULL) < 0)
		return -1;
	f->fd = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	(void)snprintf(f->container, sizeof(f->container), "%s/c", f->path);
	put(f, "lower/0/etc/motd", "base");
	put(f, "lower/0/etc/keep", "base");
	put(f, "lower/0/dir/a", "base");
	put(f, "lower/0/dir/sub/b", "base");
	put(f, "lower/0/hidden/x", "base");
	put(f, "lower/1/etc/motd", "top");
	put(f, "lower/1/dir/c", "top");
	strv_addf(&f->lowers, "%s/lower/1", f->path);
	strv_addf(&f->lowers, "%s/lower/0", f->path);
	if (mknodat(f->fd, "lower/1/hidden", S_IFCHR, 0) < 0)
		return -1;
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	if (overlay_remove(f->container, &f->err) < 0)
		return -1;
	strv_done(&f->lowers);
	buf_done(&f->changes);
	(void)close(f->fd);
	if (umount2(f->path, 0) < 0 || rmdir(f->path) < 0)
		return -1;
	free(f);
	return 0;
}

static int note(void *arg, enum overlay_change change, const char *path, struct error *err)
{
	(void)err;
	buf_addf(arg, "%c %s\n", change, path);
	return 0;
}

static void begin(struct fixture *f)
{
	assert_int_equal(overlay_create(f->container, &f->lowers, &f->err), 0);
	assert_int_equal(overlay_mount(f->container, &f->lowers, &f->err), 0);
}

static void run(struct fixture *f, const char *script)
{
	const char *argv[] = { "sh", "-c", script, NULL };
	struct spawn spawn = SPAWN_INIT;
	cleanup_spawn struct spawn_result result = SPAWN_RESULT_INIT;
	char merged[128];

	(void)snprintf(merged, sizeof(merged), "%s/merged", f->container);
	spawn.argv = (char *const *)argv;
	spawn.folder = merged;
	assert_int_equal(spawn_run(&spawn, &result, &f->err), 0);
	assert_int_equal(spawn_check("sh", &result, &f->err), 0);
}

static void assert_changes(struct fixture *f, const char *wanted)
{
	buf_done(&f->changes);
	if (overlay_diff(f->container, &f->lowers, note, &f->changes, &f->err) < 0)
		fail_msg("%s", f->err.text);
	assert_string_equal(buf_str(&f->changes), wanted);
}

static void test_mount_shows_the_layers_and_can_be_repeated(void **state)
{
	struct fixture *f = *state;
	char *text = NULL;

	begin(f);
	assert_int_equal(overlay_is_mounted(f->container, &f->err), 1);
	assert_int_equal(overlay_mount(f->container, &f->lowers, &f->err), 0);
	assert_int_equal(file_read_at(f->fd, "c/merged/etc/motd", 100, &text, NULL, NULL), 0);
	assert_string_equal(text, "top");
	free(text);
	assert_int_equal(faccessat(f->fd, "c/merged/hidden", F_OK, 0), -1);
	assert_int_equal(overlay_unmount(f->container, 0, &f->err), 0);
	assert_int_equal(overlay_is_mounted(f->container, &f->err), 0);
	assert_int_equal(overlay_unmount(f->container, 0, &f->err), 0);
}

static void test_root_takes_the_layers_mode(void **state)
{
	struct fixture *f = *state;
	struct stat st;

	assert_int_equal(fchmodat(f->fd, "lower/1", 0751, 0), 0);
	assert_int_equal(fchownat(f->fd, "lower/1", 7, 8, 0), 0);
	begin(f);
	assert_int_equal(fstatat(f->fd, "c/merged", &st, 0), 0);
	assert_int_equal(st.st_mode, S_IFDIR | 0751);
	assert_int_equal(st.st_uid, 7);
	assert_int_equal(st.st_gid, 8);
}

static void test_busy_is_told(void **state)
{
	struct fixture *f = *state;
	int fd;

	begin(f);
	fd = openat(f->fd, "c/merged/etc/motd", O_RDONLY | O_CLOEXEC);
	assert_int_equal(overlay_unmount(f->container, 0, &f->err), -EBUSY);
	assert_int_equal(overlay_is_mounted(f->container, &f->err), 1);
	(void)close(fd);
}

static void test_no_change_is_none(void **state)
{
	struct fixture *f = *state;

	begin(f);
	assert_changes(f, "");
	run(f, "cat etc/motd dir/a >/dev/null");
	assert_changes(f, "");
}

static void test_added_changed_deleted(void **state)
{
	struct fixture *f = *state;

	begin(f);
	run(f,
	    "echo x >etc/motd; rm dir/sub/b; mkdir -p new/deep; echo x >new/deep/f; ln -s x link");
	assert_changes(f, "C /dir\nC /dir/sub\nD /dir/sub/b\nC /etc\nC /etc/motd\nA /link\nA /new\n"
			  "A /new/deep\nA /new/deep/f\n");
	/* the container need not be mounted */
	assert_int_equal(overlay_unmount(f->container, 0, &f->err), 0);
	assert_changes(f, "C /dir\nC /dir/sub\nD /dir/sub/b\nC /etc\nC /etc/motd\nA /link\nA /new\n"
			  "A /new/deep\nA /new/deep/f\n");
}

static void test_replaced_folder_deletes_what_it_hides(void **state)
{
	struct fixture *f = *state;

	begin(f);
	run(f, "rm -r dir; mkdir dir; echo x >dir/a; echo x >dir/z");
	assert_changes(f, "C /dir\nC /dir/a\nD /dir/c\nD /dir/sub\nA /dir/z\n");
}

static void test_file_instead_of_folder_and_back(void **state)
{
	struct fixture *f = *state;

	begin(f);
	run(f, "rm -r dir; echo x >dir; rm etc/motd; mkdir etc/motd; echo x >etc/motd/f");
	assert_changes(f, "C /dir\nC /etc\nC /etc/motd\nA /etc/motd/f\n");
}

static void test_name_that_a_layer_hid_is_new(void **state)
{
	struct fixture *f = *state;

	begin(f);
	run(f, "mkdir hidden; echo x >hidden/x; echo y >tmp; rm tmp");
	assert_changes(f, "A /hidden\nA /hidden/x\n");
}

static void test_mode_of_a_folder(void **state)
{
	struct fixture *f = *state;

	begin(f);
	run(f, "chmod 700 etc");
	assert_changes(f, "C /etc\n");
}

static int stop(void *arg, enum overlay_change change, const char *path, struct error *err)
{
	(void)arg;
	(void)change;
	return err_set(err, -ECANCELED, "stopped at %s", path);
}

static void test_walk_ends_when_told(void **state)
{
	struct fixture *f = *state;

	begin(f);
	run(f, "echo x >a; echo x >b");
	assert_int_equal(overlay_diff(f->container, &f->lowers, stop, NULL, &f->err), -ECANCELED);
	assert_string_equal(f->err.text, "stopped at /a");
}

/* Their paths together are longer than the page that mount(2) takes. */
static void test_many_layers(void **state)
{
	struct fixture *f = *state;
	char *text = NULL;

	strv_done(&f->lowers);
	for (int i = N_LOWERS; i-- > 0;) {
		char name[128];

		(void)snprintf(name, sizeof(name), "lower/a-rather-long-name-for-a-layer-%d/layer",
			       i);
		put(f, name, i == N_LOWERS - 1 ? "topmost" : "below");
		strv_addf(&f->lowers, "%s/lower/a-rather-long-name-for-a-layer-%d", f->path, i);
	}
	begin(f);
	assert_int_equal(file_read_at(f->fd, "c/merged/layer", 100, &text, NULL, NULL), 0);
	assert_string_equal(text, "topmost");
	free(text);
}

/* Names that mount(2) has to have quoted. */
static void test_layers_with_colons_and_commas(void **state)
{
	struct fixture *f = *state;
	char *text = NULL;

	strv_done(&f->lowers);
	put(f, "lower/a:b,c/layer", "top");
	put(f, "lower/d\\e/layer", "below");
	put(f, "lower/d\\e/other", "other");
	strv_addf(&f->lowers, "%s/lower/a:b,c", f->path);
	strv_addf(&f->lowers, "%s/lower/d\\e", f->path);
	begin(f);
	assert_int_equal(file_read_at(f->fd, "c/merged/layer", 100, &text, NULL, NULL), 0);
	assert_string_equal(text, "top");
	free(text);
	assert_int_equal(file_read_at(f->fd, "c/merged/other", 100, &text, NULL, NULL), 0);
	free(text);
}

static void test_missing_layer_is_told(void **state)
{
	struct fixture *f = *state;

	strv_addf(&f->lowers, "%s/lower/absent", f->path);
	assert_int_equal(overlay_create(f->container, &f->lowers, &f->err), 0);
	assert_int_equal(overlay_mount(f->container, &f->lowers, &f->err), -ENOENT);
	assert_non_null(strstr(f->err.text, "lower/absent"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_mount_shows_the_layers_and_can_be_repeated),
		TEST(test_root_takes_the_layers_mode),
		TEST(test_busy_is_told),
		TEST(test_no_change_is_none),
		TEST(test_added_changed_deleted),
		TEST(test_replaced_folder_deletes_what_it_hides),
		TEST(test_file_instead_of_folder_and_back),
		TEST(test_name_that_a_layer_hid_is_new),
		TEST(test_mode_of_a_folder),
		TEST(test_walk_ends_when_told),
		TEST(test_many_layers),
		TEST(test_layers_with_colons_and_commas),
		TEST(test_missing_layer_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
