/*
 * image-users: the containers of an image, for those who remove images.
 */
#pragma once

#include "pod/pod.h"
#include "store/change.h"

/* `pod` is borrowed by what comes out. */
struct image_users image_users_of(struct pod *pod);
