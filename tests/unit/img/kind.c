#include "../cmocka-all.h"

#include "folder.h"
#include "img/image.h"
#include "img/pb/ghost-file.pb-c.h"
#include "img/pb/ipc-shm.pb-c.h"
#include "sample.h"

static void names_lead_back_to_kinds(void **state UNUSED)
{
	for (unsigned int kind = 0; kind < IMG_KIND_N; kind++) {
		const struct img_kind_info *info = img_kind_info((enum img_kind)kind);
		uint64_t ids[] = { 0, 7, 255, UINT64_MAX };

		for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
			enum img_kind found = IMG_KIND_N;
			char name[IMG_NAME_MAX];
			uint64_t id = 99;

			img_kind_file_name((enum img_kind)kind, ids[i], name);
			assert_true(img_kind_of_name(name, &found, &id));
			assert_int_equal(found, kind);
			assert_true(id == (info->has_id ? ids[i] : 0));
		}
	}
}

static void odd_names_are_no_images(void **state UNUSED)
{
	static const char *const names[] = {
		"",
		"core-.img",
		"core-+1.img",
		"core-01.img",
		"core-1.img2",
		"core-1",
		"core- 1.img",
		"core-a.img",
		"xcore-1.img",
		"pages-18446744073709551616.img",
		"pstree-1.img",
		"ghost-file-A.img",
		"stats-",
		"tmpfs-1.tar.img",
		".img",
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		enum img_kind kind;

		if (img_kind_of_name(names[i], &kind, NULL))
			fail_msg("'%s' was taken for an image", names[i]);
	}
}

static void magics_are_unique(void **state UNUSED)
{
	for (unsigned int a = 0; a < IMG_KIND_N; a++) {
		const struct img_kind_info *info = img_kind_info((enum img_kind)a);
		enum img_kind found = IMG_KIND_N;

		if (!info->magic)
			continue;
		assert_non_null(info->name);
		assert_non_null(info->record);
		if (info->first_magic)
			assert_true(img_kind_of_magic(info->first_magic, info->magic, &found));
		else
			assert_true(img_kind_of_magic(info->magic, 12, &found));
		/* Two names may share one sort of content. */
		assert_string_equal(img_kind_info(found)->name, info->name);
		assert_ptr_equal(img_kind_info(found)->record, info->record);
	}
}

/* Packed again, what was read must be what was written. */
static void check_round_trip(struct fixture *f, enum img_kind kind)
{
	const struct img_kind_info *info = img_kind_info(kind);
	cleanup_image struct image image = IMAGE_INIT;
	ProtobufCMessage *record = NULL;
	size_t n = 0;
	char name[IMG_NAME_MAX];

	img_kind_file_name(kind, 7, name);
	assert_int_equal(sample_image(f->dir, kind, 7, &f->err), 0);
	assert_int_equal(image_open_any(&image, f->dir, name, &f->err), 0);
	if (image.kind != kind) { /* "stats-dump" and "stats-restore" look the same inside */
		assert_ptr_equal(img_kind_info(image.kind)->record, info->record);
		image_done(&image);
		assert_int_equal(image_open(&image, f->dir, kind, 7, &f->err), 0);
	}
	for (;;) {
		cleanup_free uint8_t *read = NULL;
		cleanup_free uint8_t *made = NULL;
		ProtobufCMessage *sample;
		size_t len;
		int r = image_read(&image, &f->arena, &record, &f->err);

		if (r == 0)
			break;
		if (r < 0)
			fail_msg("%s: %s", name, f->err.text);
		if (info->extra != IMG_EXTRA_NONE) { /* their lengths were tamed */
			if (info->extra == IMG_EXTRA_MESSAGES && n > 0)
				return; /* framed bytes follow: tested by image.c */
			n++;
			continue;
		}
		sample = sample_message(&f->arena, record->descriptor, (unsigned int)n++);
		if (kind == IMG_KIND_CORE)
			continue; /* one field was tamed */
		len = protobuf_c_message_get_packed_size(record);
		assert_int_equal(len, protobuf_c_message_get_packed_size(sample));
		read = malloc(len + 1);
		made = malloc(len + 1);
		assert_non_null(read);
		assert_non_null(made);
		(void)protobuf_c_message_pack(record, read);
		(void)protobuf_c_message_pack(sample, made);
		assert_memory_equal(read, made, len);
	}
	assert_int_equal(n, 4);
}

static void every_kind_makes_the_round_trip(void **state)
{
	struct fixture *f = *state;

	for (unsigned int kind = 0; kind < IMG_KIND_N; kind++)
		if (img_kind_info((enum img_kind)kind)->record)
			check_round_trip(f, (enum img_kind)kind);
}

static void sizes_of_extra_bytes_can_not_wrap(void **state UNUSED)
{
	IpcShmEntry shm = IPC_SHM_ENTRY__INIT;
	GhostFileEntry ghost = GHOST_FILE_ENTRY__INIT;

	shm.size = UINT64_MAX;
	assert_true(img_kind_extra_size(IMG_KIND_IPC_SHM, 0, &shm.base) > INT64_MAX);
	shm.size = 5;
	assert_int_equal(img_kind_extra_size(IMG_KIND_IPC_SHM, 0, &shm.base), 8);
	shm.has_in_pagemaps = shm.in_pagemaps = true;
	assert_int_equal(img_kind_extra_size(IMG_KIND_IPC_SHM, 0, &shm.base), 0);
	assert_true(img_kind_extra_size(IMG_KIND_GHOST_FILE, 0, &ghost.base) == UINT64_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(names_lead_back_to_kinds),
		TEST(odd_names_are_no_images),
		TEST(magics_are_unique),
		TEST(every_kind_makes_the_round_trip),
		TEST(sizes_of_extra_bytes_can_not_wrap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
