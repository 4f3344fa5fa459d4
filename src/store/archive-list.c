#include "store/archive-list.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/json.h"
#include "store/blob.h"

#define BLOCK (64 * 1024)
#define MAX_IMAGES 1000

static void archive_close_p(struct archive **a)
{
	(void)archive_read_free(*a); /* only read; takes NULL */
}

static int tell(struct archive *a, const char *file, struct error *err)
{
	const char *why = archive_error_string(a);

	return err_set(err, -EBADMSG, "'%s' is not an image archive: %s", file,
		       why ? why : "unknown reason");
}

static int read_content(struct archive *a, struct archive_entry *entry, const char *file,
			char **ret_text, struct error *err)
{
	la_int64_t size = archive_entry_size(entry);
	cleanup_free char *text = NULL;

	if (size < 0 || size > BLOB_JSON_MAX)
		return err_set(err, -EBADMSG, "'%s': its '%s' is too big", file,
			       archive_entry_pathname(entry));
	text = malloc((size_t)size + 1);
	if (!text)
		return err_oom(err);
	if (archive_read_data(a, text, (size_t)size) != size)
		return tell(a, file, err);
	text[size] = '\0';
	free(*ret_text);
	*ret_text = take_ptr(&text);
	return 0;
}

/* Looks for the two lists. A plain tar is skipped through, not read. */
static int find_lists(const char *file, char **ret_docker, char **ret_oci, bool *ret_compressed,
		      struct error *err)
{
	__attribute__((cleanup(archive_close_p))) struct archive *a = archive_read_new();
	cleanup_fd int fd = -EBADF;
	struct archive_entry *entry;
	int r;

	if (!a)
		return err_oom(err);
	fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return err_sys(err, "open '%s'", file);
	(void)archive_read_support_format_tar(a);
	(void)archive_read_support_filter_gzip(a);
	(void)archive_read_support_filter_bzip2(a);
	(void)archive_read_support_filter_xz(a);
	(void)archive_read_support_filter_zstd(a);
	if (archive_read_open_fd(a, fd, BLOCK) != ARCHIVE_OK)
		return tell(a, file, err);
	while ((r = archive_read_next_header(a, &entry)) >= ARCHIVE_WARN && r != ARCHIVE_EOF) {
		const char *name = archive_entry_pathname(entry);
		char **ret = NULL;

		if (name && strncmp(name, "./", 2) == 0)
			name += 2;
		if (name && strcmp(name, "manifest.json") == 0)
			ret = ret_docker;
		else if (name && strcmp(name, "index.json") == 0)
			ret = ret_oci;
		if (!ret || archive_entry_filetype(entry) != AE_IFREG)
			continue;
		r = read_content(a, entry, file, ret, err);
		if (r < 0)
			return r;
	}
	*ret_compressed = archive_filter_code(a, 0) != ARCHIVE_FILTER_NONE;
	return r == ARCHIVE_EOF ? 0 : tell(a, file, err);
}

static int add_image(struct archive_list *list, struct archive_image **ret, struct error *err)
{
	struct archive_image *bigger;

	if (list->n == MAX_IMAGES)
		return err_set(err, -EBADMSG, "more than %d images in one archive", MAX_IMAGES);
	bigger = reallocarray(list->images, list->n + 1, sizeof(*bigger));
	if (!bigger)
		return err_oom(err);
	list->images = bigger;
	list->images[list->n] = (struct archive_image){ .names = STRV_INIT };
	*ret = &list->images[list->n++];
	return 0;
}

/* [{"Config": ..., "RepoTags": ["name:tag"], "Layers": [...]}] */
static int read_docker(const json_t *document, struct archive_list *list, struct error *err)
{
	const json_t *item;
	size_t i;

	json_array_foreach(document, i, item)
	{
		const json_t *names = json_object_get(item, "RepoTags");
		struct archive_image *image = NULL;
		int r = add_image(list, &image, err);

		if (r < 0)
			return r;
		for (size_t k = 0; k < json_array_size(names); k++)
			if (json_is_string(json_array_get(names, k)))
				strv_add(&image->names,
					 json_string_value(json_array_get(names, k)));
		if (!strv_ok(&image->names))
			return err_oom(err);
	}
	return 0;
}

static int read_oci(const json_t *document, struct archive_list *list, struct error *err)
{
	const json_t *manifests = json_object_get(document, "manifests");
	const json_t *item;
	size_t i;

	json_array_foreach(manifests, i, item)
	{
		const char *name = json_string_value(json_object_get(
			json_object_get(item, "annotations"), "org.opencontainers.image.ref.name"));
		struct archive_image *image = NULL;
		int r = add_image(list, &image, err);

		if (r < 0)
			return r;
		if (name)
			strv_add(&image->names, name);
		if (!strv_ok(&image->names))
			return err_oom(err);
	}
	return 0;
}

int archive_list_read(const char *file, struct archive_list *ret_list, struct error *err)
{
	cleanup_archive_list struct archive_list list = ARCHIVE_LIST_INIT;
	cleanup_json json_t *document = NULL;
	cleanup_free char *docker = NULL;
	cleanup_free char *oci = NULL;
	const char *text;
	int r;

	r = find_lists(file, &docker, &oci, &list.compressed, err);
	if (r < 0)
		return r;
	/* Docker's newer archives are both; its own list has the better names. */
	list.kind = docker ? ARCHIVE_DOCKER : ARCHIVE_OCI;
	text = docker ? docker : oci;
	if (!text)
		return err_set(err, -EBADMSG,
			       "'%s' is not an image archive: it has neither manifest.json nor "
			       "index.json",
			       file);
	r = json_parse(docker ? "manifest.json" : "index.json", text, strlen(text), &document, err);
	if (r == 0)
		r = docker ? read_docker(document, &list, err) : read_oci(document, &list, err);
	if (r < 0)
		return err_wrap(err, r, "'%s'", file);
	if (list.n == 0)
		return err_set(err, -EBADMSG, "'%s' holds no image", file);
	*ret_list = list;
	list = (struct archive_list)ARCHIVE_LIST_INIT;
	return 0;
}

void archive_list_done(struct archive_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		strv_done(&list->images[i].names);
	free(list->images);
	*list = (struct archive_list)ARCHIVE_LIST_INIT;
}
