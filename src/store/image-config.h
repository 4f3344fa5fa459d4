/*
 * image-config: the config blob of an image, read.
 */
#pragma once

#include <stddef.h>

struct error;
struct image;

/* Fills the image's fields that the config decides. */
int image_config_read(const char *text, size_t len, struct image *image, struct error *err);

struct image_config;
void image_config_done(struct image_config *config);
