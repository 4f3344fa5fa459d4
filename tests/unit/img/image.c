#include "../cmocka-all.h"

#include <sys/stat.h>

#include "folder.h"
#include "img/image.h"
#include "img/pb/cgroup.pb-c.h"
#include "img/pb/fs.pb-c.h"
#include "img/pb/inventory.pb-c.h"
#include "img/pb/ipc-msg.pb-c.h"
#include "img/pb/pipe-data.pb-c.h"
#include "img/pb/pstree.pb-c.h"

static void write_pstree(struct fixture *f, unsigned int n)
{
	cleanup_image struct image image = IMAGE_INIT;

	assert_int_equal(image_create(&image, f->dir, IMG_KIND_PSTREE, 0, &f->err), 0);
	for (unsigned int i = 1; i <= n; i++) {
		PstreeEntry entry = PSTREE_ENTRY__INIT;
		uint32_t threads[] = { i, i + 1000 };

		entry.pid = i;
		entry.ppid = i - 1;
		entry.pgid = entry.sid = 1;
		entry.threads = threads;
		entry.n_threads = 2;
		assert_int_equal(image_write(&image, &entry.base, &f->err), 0);
	}
	assert_int_equal(image_finish(&image, &f->err), 0);
}

static void records_come_back_in_order(void **state)
{
	struct fixture *f = *state;
	PstreeEntry **entries = NULL;
	size_t n = 0;

	write_pstree(f, 5000);
	assert_int_equal(
		image_read_all(f->dir, IMG_KIND_PSTREE, 0, &f->arena, &entries, &n, &f->err), 0);
	assert_int_equal(n, 5000);
	for (unsigned int i = 0; i < n; i++) {
		assert_int_equal(entries[i]->pid, i + 1);
		assert_int_equal(entries[i]->n_threads, 2);
		assert_int_equal(entries[i]->threads[1], i + 1001);
	}
}

static void bytes_are_crius(void **state)
{
	struct fixture *f = *state;
	static const unsigned char fs7[] = { 0x19, 0x43, 0x56, 0x54, 0x12, 0x39, 0x40, 0x51, 0x06,
					     0,	   0,	 0,    0x08, 0x01, 0x10, 0x02, 0x18, 0x12 };
	static const unsigned char inventory[] = {
		0x16, 0x31, 0x31, 0x58, 0x02, 0, 0, 0, 0x08, 0x02
	};
	FsEntry fs = FS_ENTRY__INIT;
	InventoryEntry inv = INVENTORY_ENTRY__INIT;
	cleanup_free char *data = NULL;
	cleanup_free char *inv_data = NULL;
	size_t len = 0;
	struct stat st;

	fs.cwd_id = 1;
	fs.root_id = 2;
	fs.has_umask = true;
	fs.umask = 022;
	assert_int_equal(image_write_one(f->dir, IMG_KIND_FS, 7, &fs.base, &f->err), 0);
	assert_int_equal(file_read_at(f->dir, "fs-7.img", 1000, &data, &len, &f->err), 0);
	assert_int_equal(len, sizeof(fs7));
	assert_memory_equal(data, fs7, len);
	assert_int_equal(fstatat(f->dir, "fs-7.img", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0600);

	inv.img_version = 2;
	assert_int_equal(image_write_one(f->dir, IMG_KIND_INVENTORY, 0, &inv.base, &f->err), 0);
	assert_int_equal(file_read_at(f->dir, "inventory.img", 1000, &inv_data, &len, &f->err), 0);
	assert_int_equal(len, sizeof(inventory));
	assert_memory_equal(inv_data, inventory, len);
}

static void data_behind_records_is_read_or_skipped(void **state)
{
	struct fixture *f = *state;
	cleanup_image struct image out = IMAGE_INIT;
	size_t big = 100000;
	cleanup_free char *data = malloc(big);
	cleanup_free char *back = malloc(big);

	assert_non_null(data);
	assert_non_null(back);
	for (size_t i = 0; i < big; i++)
		data[i] = (char)(i * 7 + i / 251);
	assert_int_equal(image_create(&out, f->dir, IMG_KIND_PIPES_DATA, 0, &f->err), 0);
	for (unsigned int i = 0; i < 9; i++) {
		PipeDataEntry entry = PIPE_DATA_ENTRY__INIT;

		entry.pipe_id = i;
		entry.bytes = (uint32_t)(big >> (2 * i));
		assert_int_equal(image_write(&out, &entry.base, &f->err), 0);
		assert_int_equal(image_write_raw(&out, data, entry.bytes, &f->err), 0);
	}
	assert_int_equal(image_finish(&out, &f->err), 0);

	for (unsigned int which = 0; which < 4; which++) { /* bit 0: even ones, bit 1: odd ones */
		cleanup_image struct image in = IMAGE_INIT;
		PipeDataEntry *entry = NULL;

		assert_int_equal(image_open(&in, f->dir, IMG_KIND_PIPES_DATA, 0, &f->err), 0);
		for (unsigned int i = 0; i < 9; i++) {
			assert_int_equal(image_read(&in, &f->arena, &entry, &f->err), 1);
			assert_int_equal(entry->pipe_id, i);
			if (!(which & (1u << (i % 2))))
				continue;
			memset(back, 0, big);
			assert_int_equal(image_read_raw(&in, back, entry->bytes, &f->err), 0);
			assert_memory_equal(back, data, entry->bytes);
		}
		assert_int_equal(image_read(&in, &f->arena, &entry, &f->err), 0);
	}
}

static void messages_of_a_queue_are_nested(void **state)
{
	struct fixture *f = *state;
	cleanup_image struct image out = IMAGE_INIT;
	cleanup_image struct image in = IMAGE_INIT;
	IpcDescEntry desc = IPC_DESC_ENTRY__INIT;
	IpcMsgEntry queue = IPC_MSG_ENTRY__INIT;
	IpcMsg msg = IPC_MSG__INIT;
	IpcMsgEntry *queue_back = NULL;
	IpcMsg *msg_back = NULL;
	char text[8] = "hi";

	queue.desc = &desc;
	queue.qnum = 2;
	assert_int_equal(image_create(&out, f->dir, IMG_KIND_IPC_MSG, 3, &f->err), 0);
	assert_int_equal(image_write(&out, &queue.base, &f->err), 0);
	for (unsigned int i = 0; i < 2; i++) {
		msg.mtype = i + 1;
		msg.msize = 2;
		assert_int_equal(image_write_nested(&out, &msg.base, &f->err), 0);
		assert_int_equal(image_write_raw(&out, text, sizeof(text), &f->err), 0);
	}
	assert_int_equal(image_finish(&out, &f->err), 0);

	assert_int_equal(image_open(&in, f->dir, IMG_KIND_IPC_MSG, 3, &f->err), 0);
	assert_int_equal(image_read(&in, &f->arena, &queue_back, &f->err), 1);
	for (unsigned int i = 0; i < 2; i++) {
		assert_int_equal(
			image_read_nested(&in, &ipc_msg__descriptor, &f->arena, &msg_back, &f->err),
			0);
		assert_int_equal(msg_back->mtype, i + 1);
		assert_int_equal(image_read_raw(&in, text, 8, &f->err), 0);
		assert_string_equal(text, "hi");
	}
	assert_int_equal(image_read(&in, &f->arena, &queue_back, &f->err), 0);
}

static void an_empty_file_has_no_records(void **state)
{
	struct fixture *f = *state;
	PstreeEntry **entries = NULL;
	FsEntry *fs = NULL;
	size_t n = 99;

	put(f, "pstree.img", "", 0);
	assert_int_equal(
		image_read_all(f->dir, IMG_KIND_PSTREE, 0, &f->arena, &entries, &n, &f->err), 0);
	assert_int_equal(n, 0);
	put(f, "fs-1.img", "", 0);
	assert_int_equal(image_read_one(f->dir, IMG_KIND_FS, 1, &f->arena, &fs, &f->err), -EBADMSG);
	assert_string_equal(f->err.text, "image 'fs-1.img': has no record");
	assert_int_equal(image_read_one(f->dir, IMG_KIND_FS, 2, &f->arena, &fs, &f->err), -ENOENT);
	assert_string_equal(f->err.text, "open image 'fs-2.img': No such file or directory");
	assert_null(fs);
}

/* Whatever byte is cut or changed: an answer or -EBADMSG, and never a crash. */
static void every_cut_is_found(void **state)
{
	struct fixture *f = *state;
	cleanup_free char *data = NULL;
	size_t len = 0;
	size_t whole = 0;

	write_pstree(f, 3);
	assert_int_equal(file_read_at(f->dir, "pstree.img", 1000, &data, &len, &f->err), 0);
	for (size_t cut = 1; cut < len; cut++) {
		PstreeEntry **entries = NULL;
		size_t n = 99;
		int r;

		put(f, "pstree.img", data, cut);
		r = image_read_all(f->dir, IMG_KIND_PSTREE, 0, &f->arena, &entries, &n, &f->err);
		if (r == 0)
			whole++; /* cut between records */
		else
			assert_int_equal(r, -EBADMSG);
		if (r < 0)
			assert_non_null(strstr(f->err.text, "pstree.img"));
	}
	assert_int_equal(whole, 3);
}

static void every_changed_byte_is_survived(void **state)
{
	struct fixture *f = *state;
	cleanup_free char *data = NULL;
	size_t len = 0;

	write_pstree(f, 2);
	assert_int_equal(file_read_at(f->dir, "pstree.img", 1000, &data, &len, &f->err), 0);
	for (size_t at = 0; at < len; at++) {
		for (unsigned int value = 0; value < 256; value += 5) {
			PstreeEntry **entries = NULL;
			size_t n = 99;
			char kept = data[at];
			int r;

			if (kept == (char)value)
				continue;
			data[at] = (char)value;
			put(f, "pstree.img", data, len);
			r = image_read_all(f->dir, IMG_KIND_PSTREE, 0, &f->arena, &entries, &n,
					   &f->err);
			assert_true(r == 0 || r == -EBADMSG);
			if (at < 8)
				assert_int_equal(r, -EBADMSG); /* the magic words */
			data[at] = kept;
		}
	}
}

static void an_oversize_length_is_told(void **state)
{
	struct fixture *f = *state;
	static const unsigned char bytes[] = { 0x19, 0x43, 0x56, 0x54, 0x12, 0x39, 0x40,
					       0x51, 0xff, 0xff, 0xff, 0xff, 0x08 };
	FsEntry *fs = NULL;

	put(f, "fs-1.img", bytes, sizeof(bytes));
	assert_int_equal(image_read_one(f->dir, IMG_KIND_FS, 1, &f->arena, &fs, &f->err), -EBADMSG);
	assert_string_equal(f->err.text, "image 'fs-1.img': record 0 at offset 8: says 4294967295 "
					 "bytes, 1 are there");
}

static void missing_fields_are_told(void **state)
{
	struct fixture *f = *state;
	static const unsigned char bytes[] = { 0x19, 0x43, 0x56, 0x54, 0x12, 0x39, 0x40,
					       0x51, 0x02, 0x00, 0x00, 0x00, 0x08, 0x01 };
	FsEntry *fs = NULL;

	put(f, "fs-1.img", bytes, sizeof(bytes));
	assert_int_equal(image_read_one(f->dir, IMG_KIND_FS, 1, &f->arena, &fs, &f->err), -EBADMSG);
	assert_string_equal(f->err.text,
			    "image 'fs-1.img': record 0 at offset 8: is not a fs_entry");
}

static void deep_nesting_is_refused(void **state)
{
	struct fixture *f = *state;
	size_t len = 300000;
	cleanup_free unsigned char *bytes = calloc(1, len);
	CgroupEntry *cgroup = NULL;
	uint32_t magic[3] = { IMG_COMMON_MAGIC, 0x59383330, 0 };
	size_t at = len;

	/* controllers -> dirs -> children -> children -> ..., each length as 4 bytes */
	assert_non_null(bytes);
	while (at > 100) {
		size_t inner = len - at;

		at -= 5;
		bytes[at] = 0x12;
		bytes[at + 1] = (unsigned char)((inner & 0x7f) | 0x80);
		bytes[at + 2] = (unsigned char)((inner >> 7 & 0x7f) | 0x80);
		bytes[at + 3] = (unsigned char)((inner >> 14 & 0x7f) | 0x80);
		bytes[at + 4] = (unsigned char)(inner >> 21 & 0x7f);
	}
	magic[2] = (uint32_t)(len - at);
	memcpy(bytes + at - sizeof(magic), magic, sizeof(magic));
	put(f, "cgroup.img", bytes + at - sizeof(magic), len - at + sizeof(magic));
	assert_int_equal(image_read_one(f->dir, IMG_KIND_CGROUP, 0, &f->arena, &cgroup, &f->err),
			 -EBADMSG);
	assert_non_null(strstr(f->err.text, "record 0 at offset 8"));
}

static void memory_is_limited(void **state)
{
	struct fixture *f = *state;
	struct arena small;
	PstreeEntry **entries = NULL;
	size_t n = 0;

	arena_init(&small, 10000);
	write_pstree(f, 5000);
	assert_int_equal(image_read_all(f->dir, IMG_KIND_PSTREE, 0, &small, &entries, &n, &f->err),
			 -ENOMEM);
	assert_true(small.used <= 10000);
	arena_done(&small);
}

static void only_regular_files_are_opened(void **state)
{
	struct fixture *f = *state;
	cleanup_image struct image image = IMAGE_INIT;

	assert_int_equal(mkfifoat(f->dir, "pstree.img", 0600), 0);
	assert_int_equal(image_open(&image, f->dir, IMG_KIND_PSTREE, 0, &f->err), -EBADMSG);
	assert_int_equal(symlinkat("/etc/passwd", f->dir, "files.img"), 0);
	assert_int_equal(image_open(&image, f->dir, IMG_KIND_FILES, 0, &f->err), -ELOOP);
	assert_int_equal(image_create(&image, f->dir, IMG_KIND_FILES, 0, &f->err), -ELOOP);
}

static void a_full_disk_is_told(void **state)
{
	struct fixture *f = *state;
	cleanup_image struct image image = IMAGE_INIT;
	char byte = 0;
	int full;

	assert_int_equal(image_create(&image, f->dir, IMG_KIND_PAGES, 1, &f->err), 0);
	full = open("/dev/full", O_WRONLY | O_CLOEXEC);
	assert_true(full >= 0);
	assert_int_equal(dup3(full, image.fd, O_CLOEXEC), image.fd);
	assert_int_equal(close(full), 0);
	assert_int_equal(image_write_raw(&image, &byte, 1, &f->err), 0);
	assert_int_equal(image_finish(&image, &f->err), -ENOSPC);
	assert_string_equal(f->err.text, "write image 'pages-1.img': No space left on device");
}

static void a_lent_file_stays_open(void **state)
{
	struct fixture *f = *state;
	cleanup_image struct image image = IMAGE_INIT;
	FsEntry *back = NULL;
	FsEntry fs = FS_ENTRY__INIT;
	int fd = openat(f->dir, "fs-7.img", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	fs.root_id = 3;
	assert_int_equal(image_create_on(&image, fd, IMG_KIND_FS, 7, &f->err), 0);
	assert_int_equal(image_write(&image, &fs.base, &f->err), 0);
	assert_int_equal(image_finish(&image, &f->err), 0);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	assert_int_equal(image_read_one(f->dir, IMG_KIND_FS, 7, &f->arena, &back, &f->err), 0);
	assert_int_equal(back->root_id, 3);
	assert_int_equal(close(fd), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(records_come_back_in_order),
		TEST(bytes_are_crius),
		TEST(data_behind_records_is_read_or_skipped),
		TEST(messages_of_a_queue_are_nested),
		TEST(an_empty_file_has_no_records),
		TEST(every_cut_is_found),
		TEST(every_changed_byte_is_survived),
		TEST(an_oversize_length_is_told),
		TEST(missing_fields_are_told),
		TEST(deep_nesting_is_refused),
		TEST(memory_is_limited),
		TEST(only_regular_files_are_opened),
		TEST(a_full_disk_is_told),
		TEST(a_lent_file_stays_open),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
