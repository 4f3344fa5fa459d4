/*
 * change-line: "CMD ...", "ENV A=b" and their like, as --change takes them.
 */
#pragma once

#include <jansson.h>

struct error;

/*
 * Applies one line to the "config" object of an image config. "KEY VALUE" and
 * "KEY=VALUE" are both understood. -EINVAL: not a change we know.
 */
int change_line_apply(const char *line, json_t *config, struct error *err);
