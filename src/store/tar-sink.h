/*
 * tar-sink: where the bytes of a tar go as it is written.
 */
#pragma once

#include <stddef.h>

struct error;

struct tar_sink {
	int (*write)(void *arg, const void *data, size_t len, struct error *err);
	void *arg;
};
