#include "img/folder.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/err.h"

static int compare(const void *left, const void *right)
{
	const struct folder_file *a = left;
	const struct folder_file *b = right;

	if (a->kind != b->kind)
		return a->kind < b->kind ? -1 : 1;
	return a->id < b->id ? -1 : a->id > b->id;
}

static int add_file(struct folder *folder, size_t *room, const char *name, struct error *err)
{
	struct folder_file file = { 0 };

	if (strlen(name) >= sizeof(file.name) || !img_kind_of_name(name, &file.kind, &file.id))
		return 0;
	if (folder->n_files == *room) {
		size_t more = *room ? *room * 2 : 64;
		void *grown = reallocarray(folder->files, more, sizeof(*folder->files));

		if (!grown)
			return err_oom(err);
		folder->files = grown;
		*room = more;
	}
	memcpy(file.name, name, strlen(name) + 1);
	folder->files[folder->n_files++] = file;
	return 0;
}

int folder_list(struct folder *folder, int dirfd, struct error *err)
{
	cleanup_folder struct folder made = FOLDER_INIT;
	cleanup_fd int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup_dir DIR *dir = NULL;
	size_t room = 0;

	if (fd < 0)
		return err_sys(err, "open the images' folder");
	dir = fdopendir(fd);
	if (!dir)
		return err_sys(err, "list the images' folder");
	(void)take_fd(&fd); /* dir's now */
	for (;;) {
		const struct dirent *entry;
		int r;

		errno = 0;
		entry = readdir(dir);
		if (!entry)
			break;
		r = add_file(&made, &room, entry->d_name, err);
		if (r < 0)
			return r;
	}
	if (errno)
		return err_sys(err, "list the images' folder");
	if (made.n_files)
		qsort(made.files, made.n_files, sizeof(*made.files), compare);
	*folder = made;
	made = (struct folder)FOLDER_INIT;
	return 0;
}

const struct folder_file *folder_find(const struct folder *folder, enum img_kind kind, uint64_t id)
{
	const struct folder_file key = { .kind = kind, .id = id };

	if (!folder->n_files)
		return NULL;
	return bsearch(&key, folder->files, folder->n_files, sizeof(key), compare);
}

void folder_done(struct folder *folder)
{
	free(folder->files);
	*folder = (struct folder)FOLDER_INIT;
}
