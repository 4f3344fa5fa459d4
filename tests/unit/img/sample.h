/*
 * sample: an image of any kind with every field of its records filled, made
 * from the descriptors, so that no kind and no field is forgotten.
 */
#pragma once

#include <protobuf-c/protobuf-c.h>

#include "img/image.h"

struct arena;
struct error;

/*
 * A message with all required fields; optional ones by `seed`: even has them
 * all, odd none. Numbers are large and differ from each other.
 */
ProtobufCMessage *sample_message(struct arena *arena, const ProtobufCMessageDescriptor *type,
				 unsigned int seed);

/* An image with a few records and the raw bytes that belong to them. Not for raw kinds. */
int sample_image(int dirfd, enum img_kind kind, uint64_t id, struct error *err);
