/*
 * folder: which image files a folder has.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "img/kind.h"

struct error;

struct folder_file {
	char name[IMG_NAME_MAX];
	enum img_kind kind;
	uint64_t id; /* 0 where the name has none */
};

struct folder {
	struct folder_file *files; /* by kind, then id; owned */
	size_t n_files;
};

#define FOLDER_INIT                                                                                \
	{                                                                                          \
		.files = NULL                                                                      \
	}

/* All files whose names are an image's; what is inside is not looked at. */
int folder_list(struct folder *folder, int dirfd, struct error *err);

/* The file of that kind and id, or NULL. */
const struct folder_file *folder_find(const struct folder *folder, enum img_kind kind, uint64_t id);

void folder_done(struct folder *folder);

#define cleanup_folder __attribute__((cleanup(folder_done)))
