/*
 * sysctl: kernel parameters that belong to the container's namespaces.
 */
#pragma once

struct error;
struct spec;

/* Refuses parameters that are the whole machine's. Touches nothing. */
int sysctl_check(const struct spec *spec, struct error *err);

/* Sets those whose name begins with `prefix` (""), dots between the parts; called in the
 * container's namespaces, with the host's /proc still in reach. */
int sysctl_apply(const struct spec *spec, const char *prefix, struct error *err);
