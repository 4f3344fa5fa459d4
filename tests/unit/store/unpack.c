#include "../cmocka-all.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "base/err.h"
#include "base/file.h"
#include "store/unpack.h"
#include "tar-maker.h"

/* path/into is the target, path/outside what nobody may touch. */
struct fixture {
	char path[64];
	int dir;
	int into;
	struct tar_maker tar;
	struct error err;
	struct unpacked result;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	strcpy(f->path, "/tmp/cryopod-test-unpack-XXXXXX");
	if (!mkdtemp(f->path))
		return -1;
	f->dir = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (mkdirat(f->dir, "into", 0755) < 0 || mkdirat(f->dir, "outside", 0755) < 0)
		return -1;
	f->into = openat(f->dir, "into", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	tar_begin(&f->tar, TAR_PLAIN);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	(void)close(f->into);
	(void)close(f->dir);
	if (file_remove_tree_at(AT_FDCWD, f->path, NULL) < 0)
		return -1;
	free(f);
	return 0;
}

static int unpack_with(struct fixture *f, int fd, const struct unpack *how)
{
	struct unpack unpack = *how;
	int r;

	unpack.into = f->into;
	r = unpack_tar(&unpack, fd, &f->result, &f->err);
	(void)close(fd);
	return r;
}

static int unpack(struct fixture *f)
{
	return unpack_with(f, tar_end(&f->tar), &(struct unpack){ .compression = TAR_LAYER });
}

static void assert_refused(struct fixture *f, const char *words)
{
	assert_int_equal(unpack(f), -EBADMSG);
	if (!strstr(f->err.text, words))
		fail_msg("'%s' is not in '%s'", words, f->err.text);
}

static void assert_content(struct fixture *f, const char *name, const char *content)
{
	char *text = NULL;

	assert_int_equal(file_read_at(f->into, name, 4096, &text, NULL, NULL), 0);
	assert_string_equal(text, content);
	free(text);
}

static struct stat stat_of(struct fixture *f, const char *name)
{
	struct stat st;

	assert_int_equal(fstatat(f->into, name, &st, AT_SYMLINK_NOFOLLOW), 0);
	return st;
}

/* --- what a layer may hold ------------------------------------------------------- */

static void test_kinds_and_attributes(void **state)
{
	struct fixture *f = *state;
	struct archive_entry *e;
	struct stat st;
	char target[16] = { 0 };

	tar_folder(&f->tar, "./", 0711);
	tar_folder(&f->tar, "etc/", 0750);
	e = tar_entry("etc/motd", AE_IFREG, 04755);
	archive_entry_set_uid(e, 1234);
	archive_entry_set_gid(e, 70000);
	archive_entry_xattr_add_entry(e, "user.note", "hi", 2);
	tar_put(&f->tar, e, "hello");
	tar_hard_link(&f->tar, "etc/same", "etc/motd");
	tar_symlink(&f->tar, "etc/link", "/etc/shadow");
	tar_put(&f->tar, tar_entry("fifo", AE_IFIFO, 0600), NULL);
	e = tar_entry("null", AE_IFCHR, 0666);
	archive_entry_set_rdev(e, makedev(1, 3));
	tar_put(&f->tar, e, NULL);
	assert_int_equal(unpack(f), 0);

	assert_content(f, "etc/motd", "hello");
	st = stat_of(f, "etc/motd");
	assert_int_equal(st.st_mode, S_IFREG | 04755);
	assert_int_equal(st.st_uid, 1234);
	assert_int_equal(st.st_gid, 70000);
	assert_int_equal(st.st_mtim.tv_sec, 1000000000);
	assert_int_equal(st.st_mtim.tv_nsec, 123456789);
	assert_int_equal(st.st_nlink, 2);
	assert_int_equal(stat_of(f, "etc/same").st_ino, st.st_ino);
	st = stat_of(f, "etc");
	assert_int_equal(st.st_mode, S_IFDIR | 0750);
	assert_int_equal(st.st_mtim.tv_sec, 1000000000); /* in spite of what was made in it */
	assert_int_equal(stat_of(f, ".").st_mode, S_IFDIR | 0711);
	assert_int_equal(readlinkat(f->into, "etc/link", target, sizeof(target)), 11);
	assert_string_equal(target, "/etc/shadow");
	assert_true(S_ISFIFO(stat_of(f, "fifo").st_mode));
	st = stat_of(f, "null");
	assert_int_equal(st.st_mode, S_IFCHR | 0666);
	assert_int_equal(st.st_rdev, makedev(1, 3));
	assert_int_equal(f->result.entries, 7);
	assert_int_equal(f->result.size, 5);
}

static void test_extended_attributes(void **state)
{
	struct fixture *f = *state;
	struct archive_entry *e = tar_entry("file", AE_IFREG, 0644);
	char value[16] = { 0 };
	int fd;

	archive_entry_xattr_add_entry(e, "user.note", "hi", 2);
	archive_entry_xattr_add_entry(e, "trusted.overlay.redirect", "/etc", 4);
	archive_entry_xattr_add_entry(e, "user.overlay.opaque", "y", 1);
	archive_entry_xattr_add_entry(e, "security.selinux", "x", 1);
	tar_put(&f->tar, e, "x");
	assert_int_equal(unpack(f), 0);
	fd = openat(f->into, "file", O_RDONLY | O_CLOEXEC);
	assert_int_equal(fgetxattr(fd, "user.note", value, sizeof(value)), 2);
	assert_string_equal(value, "hi");
	assert_int_equal(fgetxattr(fd, "trusted.overlay.redirect", value, sizeof(value)), -1);
	assert_int_equal(fgetxattr(fd, "user.overlay.opaque", value, sizeof(value)), -1);
	(void)close(fd);
}

static void test_names_that_are_not_ascii(void **state)
{
	struct fixture *f = *state;

	tar_file(&f->tar,
		 "gr\xc3\xbc\xc3\x9f"
		 "e/\xe6\xbc\xa2\xe5\xad\x97",
		 "utf-8");
	assert_int_equal(unpack(f), 0);
	assert_content(f,
		       "gr\xc3\xbc\xc3\x9f"
		       "e/\xe6\xbc\xa2\xe5\xad\x97",
		       "utf-8");
}

static void test_later_entries_win(void **state)
{
	struct fixture *f = *state;

	tar_file(&f->tar, "a", "old");
	tar_file(&f->tar, "a", "new");
	tar_file(&f->tar, "b/c", "gone");
	tar_file(&f->tar, "b", "a file now");
	assert_int_equal(unpack(f), 0);
	assert_content(f, "a", "new");
	assert_content(f, "b", "a file now");
}

static void test_holes_stay_holes(void **state)
{
	struct fixture *f = *state;
	struct archive_entry *e = tar_entry("sparse", AE_IFREG, 0644);
	struct stat st;

	archive_entry_set_size(e, 1 << 30);
	archive_entry_sparse_add_entry(e, 1 << 20, 4096);
	assert_int_equal(archive_write_header(f->tar.a, e), ARCHIVE_OK);
	for (int i = 0; i < 1 << 30; i += 1 << 20) {
		static char zeros[1 << 20];

		memset(zeros, i == 1 << 20 ? 'x' : 0, 4096);
		assert_int_equal(archive_write_data(f->tar.a, zeros, sizeof(zeros)), sizeof(zeros));
	}
	archive_entry_free(e);
	assert_int_equal(unpack(f), 0);
	st = stat_of(f, "sparse");
	assert_int_equal(st.st_size, 1 << 30);
	assert_true(st.st_blocks * 512 < 1 << 20);
}

static void test_compressions_have_both_digests(void **state)
{
	static const enum tar_filter filters[] = { TAR_PLAIN, TAR_GZIP, TAR_ZSTD };
	struct fixture *f = *state;
	struct digest diff_id = DIGEST_INIT;

	(void)close(tar_end(&f->tar));
	for (size_t i = 0; i < 3; i++) {
		struct hasher hasher;
		struct digest blob;
		char data[65536];
		ssize_t n;

		tar_begin(&f->tar, filters[i]);
		tar_file(&f->tar, "file", "content");
		f->tar.fd = tar_end(&f->tar);
		hasher_init(&hasher);
		while ((n = read(f->tar.fd, data, sizeof(data))) > 0)
			hasher_add(&hasher, data, (size_t)n);
		hasher_finish(&hasher, &blob);
		(void)lseek(f->tar.fd, 0, SEEK_SET);
		assert_int_equal(
			unpack_with(f, f->tar.fd, &(struct unpack){ .compression = TAR_LAYER }), 0);
		assert_string_equal(f->result.blob.text, blob.text);
		if (filters[i] == TAR_PLAIN)
			diff_id = blob;
		assert_string_equal(f->result.diff_id.text, diff_id.text);
	}
}

/* --- whiteouts -------------------------------------------------------------------- */

static bool is_whiteout(struct fixture *f, const char *name)
{
	struct stat st = stat_of(f, name);

	return S_ISCHR(st.st_mode) && st.st_rdev == 0;
}

static bool is_opaque(struct fixture *f, const char *name)
{
	int fd = openat(f->into, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char value = 0;
	bool opaque = fgetxattr(fd, "trusted.overlay.opaque", &value, 1) == 1 && value == 'y';

	(void)close(fd);
	return opaque;
}

static void test_whiteouts_and_opaque_folders(void **state)
{
	struct fixture *f = *state;

	tar_folder(&f->tar, "etc", 0755);
	tar_file(&f->tar, "etc/.wh.motd", "");
	tar_folder(&f->tar, "var", 0755);
	tar_file(&f->tar, "var/.wh..wh..opq", "");
	tar_file(&f->tar, "var/new", "x");
	tar_file(&f->tar, ".wh..wh.plnk", "");
	assert_int_equal(unpack(f), 0);
	assert_true(is_whiteout(f, "etc/motd"));
	assert_true(is_opaque(f, "var"));
	assert_false(is_opaque(f, "etc"));
	assert_content(f, "var/new", "x");
	assert_int_equal(faccessat(f->into, ".wh..wh.plnk", F_OK, AT_SYMLINK_NOFOLLOW), -1);
}

/* A folder that replaces what it hides must not show the old content again. */
static void test_whiteout_beside_a_folder_makes_it_opaque(void **state)
{
	struct fixture *f = *state;

	tar_file(&f->tar, ".wh.before", "");
	tar_folder(&f->tar, "before", 0755);
	tar_folder(&f->tar, "after", 0755);
	tar_file(&f->tar, ".wh.after", "");
	tar_file(&f->tar, ".wh.file", "");
	tar_file(&f->tar, "file", "x");
	assert_int_equal(unpack(f), 0);
	assert_true(is_opaque(f, "before"));
	assert_true(is_opaque(f, "after"));
	assert_content(f, "file", "x");
}

static void test_undescribed_folders_take_after_the_layer_below(void **state)
{
	struct fixture *f = *state;
	int outside = openat(f->dir, "outside", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat st;

	assert_int_equal(mkdirat(outside, "tmp", 0700), 0);
	assert_int_equal(fchmodat(outside, "tmp", 01777, 0), 0);
	assert_int_equal(fchownat(outside, "tmp", 5, 6, 0), 0);
	tar_file(&f->tar, "tmp/file", "x");
	tar_file(&f->tar, "other/file", "x");
	assert_int_equal(unpack_with(f, tar_end(&f->tar),
				     &(struct unpack){ .lowers = &outside, .n_lowers = 1 }),
			 0);
	st = stat_of(f, "tmp");
	assert_int_equal(st.st_mode, S_IFDIR | 01777);
	assert_int_equal(st.st_uid, 5);
	assert_int_equal(st.st_gid, 6);
	st = stat_of(f, "other");
	assert_int_equal(st.st_mode, S_IFDIR | 0755);
	(void)close(outside);
}

/* --- what is refused --------------------------------------------------------------- */

static void test_parent_folders_are_refused(void **state)
{
	tar_file(&((struct fixture *)*state)->tar, "a/../../outside/evil", "x");
	assert_refused(*state, "entry 'a/../../outside/evil': path leads out of the layer");
}

static void test_absolute_paths_are_refused(void **state)
{
	tar_file(&((struct fixture *)*state)->tar, "/etc/evil", "x");
	assert_refused(*state, "absolute path");
}

static void test_nothing_is_written_through_an_absolute_symlink(void **state)
{
	struct fixture *f = *state;
	char outside[128];

	(void)snprintf(outside, sizeof(outside), "%s/outside", f->path);
	tar_symlink(&f->tar, "link", outside);
	tar_file(&f->tar, "link/evil", "x");
	assert_refused(f, "leads out of the layer");
	assert_int_equal(faccessat(f->dir, "outside/evil", F_OK, 0), -1);
}

static void test_nothing_is_written_through_a_relative_symlink(void **state)
{
	struct fixture *f = *state;

	tar_symlink(&f->tar, "a/link", "../../outside");
	tar_file(&f->tar, "a/link/evil", "x");
	assert_refused(f, "leads out of the layer");
	assert_int_equal(faccessat(f->dir, "outside/evil", F_OK, 0), -1);
}

static void test_a_symlink_inside_is_followed(void **state)
{
	struct fixture *f = *state;

	tar_folder(&f->tar, "usr/lib", 0755);
	tar_symlink(&f->tar, "lib", "usr/lib");
	tar_file(&f->tar, "lib/so", "x");
	assert_int_equal(unpack(f), 0);
	assert_content(f, "usr/lib/so", "x");
}

static void test_a_file_does_not_go_through_a_symlink_of_its_name(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(file_write_atomic_at(f->dir, "outside/file", "safe", 4, 0644, NULL), 0);
	tar_symlink(&f->tar, "file", "../outside/file");
	tar_file(&f->tar, "file", "evil");
	assert_int_equal(unpack(f), 0);
	assert_content(f, "file", "evil");
	assert_content(f, "../outside/file", "safe");
}

static void test_hard_links_out_are_refused(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(file_write_atomic_at(f->dir, "outside/file", "safe", 4, 0644, NULL), 0);
	tar_hard_link(&f->tar, "link", "../outside/file");
	assert_refused(f, "path leads out of the layer");
}

static void test_hard_links_through_a_symlink_are_refused(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(file_write_atomic_at(f->dir, "outside/file", "safe", 4, 0644, NULL), 0);
	tar_symlink(&f->tar, "dir", "../outside");
	tar_hard_link(&f->tar, "link", "dir/file");
	assert_refused(f, "leads out of the layer");
}

static void test_hard_links_to_what_is_not_there_are_refused(void **state)
{
	tar_hard_link(&((struct fixture *)*state)->tar, "link", "nothing");
	assert_refused(*state, "which the layer does not have");
}

static void test_folders_that_are_files_are_refused(void **state)
{
	struct fixture *f = *state;

	tar_file(&f->tar, "file", "x");
	tar_file(&f->tar, "file/below", "x");
	assert_refused(f, "'file' is not a folder");
}

static void test_whiteouts_of_nothing_and_parents_are_refused(void **state)
{
	tar_file(&((struct fixture *)*state)->tar, "a/.wh...", "");
	assert_refused(*state, "whiteout of nothing");
}

static void test_too_deep_is_refused(void **state)
{
	char name[2 * (UNPACK_MAX_DEPTH + 2) + 1] = "";

	for (size_t i = 0; i < UNPACK_MAX_DEPTH + 2; i++)
		strcat(name, "a/");
	tar_folder(&((struct fixture *)*state)->tar, name, 0755);
	assert_refused(*state, "too deep");
}

static void test_owners_out_of_range_are_refused(void **state)
{
	struct archive_entry *e = tar_entry("file", AE_IFREG, 0644);

	archive_entry_set_uid(e, UINT32_MAX);
	tar_put(&((struct fixture *)*state)->tar, e, "x");
	assert_refused(*state, "out of range");
}

static void test_a_bomb_stops_at_its_limit(void **state)
{
	struct fixture *f = *state;
	static char zeros[1 << 20];

	(void)close(tar_end(&f->tar));
	tar_begin(&f->tar, TAR_GZIP);
	memset(zeros, 'z', sizeof(zeros) - 1);
	for (int i = 0; i < 20; i++) {
		char name[16];

		(void)snprintf(name, sizeof(name), "file%d", i);
		tar_file(&f->tar, name, zeros);
	}
	assert_int_equal(unpack_with(f, tar_end(&f->tar), &(struct unpack){ .max_bytes = 3 << 20 }),
			 -ENOSPC);
	assert_non_null(strstr(f->err.text, "more than 3145728 bytes"));
}

static void test_too_many_entries_are_refused(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 20; i++) {
		char name[16];

		(void)snprintf(name, sizeof(name), "file%d", i);
		tar_file(&f->tar, name, "");
	}
	assert_int_equal(unpack_with(f, tar_end(&f->tar), &(struct unpack){ .max_entries = 10 }),
			 -EBADMSG);
	assert_non_null(strstr(f->err.text, "more than 10 entries"));
}

/* Cut anywhere, a layer is refused, or was complete before its closing zeros. */
static void test_truncated_tars_are_refused(void **state)
{
	struct fixture *f = *state;
	char content[4001];
	struct stat st;
	int fd;

	memset(content, 'c', 4000);
	content[4000] = '\0';
	tar_file(&f->tar, "file", content);
	fd = tar_end(&f->tar);
	assert_int_equal(fstat(fd, &st), 0);
	for (off_t cut = 512; cut < 4000; cut += 700) {
		int copy = memfd_create("cut", MFD_CLOEXEC);
		off_t from = 0;

		assert_int_equal(copy_file_range(fd, &from, copy, NULL, (size_t)cut, 0), cut);
		(void)lseek(copy, 0, SEEK_SET);
		assert_int_equal(unpack_with(f, copy, &(struct unpack){ .compression = TAR_LAYER }),
				 -EBADMSG);
		assert_non_null(strstr(f->err.text, "damaged archive"));
	}
	(void)close(fd);
}

static void test_noise_is_refused(void **state)
{
	struct fixture *f = *state;
	int fd = memfd_create("noise", MFD_CLOEXEC);

	(void)close(tar_end(&f->tar));
	assert_int_equal(write(fd, "this is no tar at all, and too short for one", 44), 44);
	(void)lseek(fd, 0, SEEK_SET);
	assert_int_equal(unpack_with(f, fd, &(struct unpack){ .compression = TAR_LAYER }),
			 -EBADMSG);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_kinds_and_attributes),
		TEST(test_extended_attributes),
		TEST(test_names_that_are_not_ascii),
		TEST(test_later_entries_win),
		TEST(test_holes_stay_holes),
		TEST(test_compressions_have_both_digests),
		TEST(test_whiteouts_and_opaque_folders),
		TEST(test_whiteout_beside_a_folder_makes_it_opaque),
		TEST(test_undescribed_folders_take_after_the_layer_below),
		TEST(test_parent_folders_are_refused),
		TEST(test_absolute_paths_are_refused),
		TEST(test_nothing_is_written_through_an_absolute_symlink),
		TEST(test_nothing_is_written_through_a_relative_symlink),
		TEST(test_a_symlink_inside_is_followed),
		TEST(test_a_file_does_not_go_through_a_symlink_of_its_name),
		TEST(test_hard_links_out_are_refused),
		TEST(test_hard_links_through_a_symlink_are_refused),
		TEST(test_hard_links_to_what_is_not_there_are_refused),
		TEST(test_folders_that_are_files_are_refused),
		TEST(test_whiteouts_of_nothing_and_parents_are_refused),
		TEST(test_too_deep_is_refused),
		TEST(test_owners_out_of_range_are_refused),
		TEST(test_a_bomb_stops_at_its_limit),
		TEST(test_too_many_entries_are_refused),
		TEST(test_truncated_tars_are_refused),
		TEST(test_noise_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
