/*
 * report: all there is to tell about one container or image, as Podman's inspect has it.
 */
#pragma once

#include <jansson.h>

struct container;
struct error;
struct image;
struct pod;

int report_container(const struct pod *pod, const struct container *c, json_t **ret,
		     struct error *err);

int report_image(const struct image *image, json_t **ret, struct error *err);
