/*
 * self: our own program file, out of a container's reach.
 *
 * A process that enters a container is our program until it executes the
 * container's. An image can make it execute /proc/self/exe instead (as
 * "#!/proc/self/exe", or by name), run its own code there, and later write to
 * the file: the host's runtime (CVE-2019-5736). So such commands run from a
 * read-only copy of the mount the file is on.
 */
#pragma once

struct error;

/* Executes this program anew from such a mount, unless it runs from one. Returns 0 then. */
int self_protect(char *const *argv, struct error *err);
