/*
 * template: the part of Go's templates that --format is used with.
 *
 *	text {{.Name}} {{.State.Pid}} {{json .Config}} {{index .List 0}}
 *	{{index .Labels "key"}} {{range .Mounts}}{{.Source}} {{end}} {{len .List}} {{println .A}}
 *
 * `\n` and `\t` in the text mean what they mean in C. Anything else is refused
 * by its words. A field that is not there is an error, as with Podman.
 */
#pragma once

#include <jansson.h>

struct buf;
struct error;

int template_render(const char *template, const json_t *value, struct buf *out, struct error *err);
