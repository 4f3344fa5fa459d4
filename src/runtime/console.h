/*
 * console: a container's terminal.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

struct error;
struct spec_process;

/* Connects to the socket that wants the pty's master. Returns the descriptor. */
int console_connect(const char *path, struct error *err);

/*
 * Opens a pty of the container's own devpts (in its root), makes it this
 * session's terminal and descriptors 0, 1, 2, and sends the master away. `bind`: also put it at
 * /dev/console.
 */
int console_setup(int socket, const struct spec_process *process, bool bind, struct error *err);

/* Takes the descriptor that was sent over a socket. */
int console_receive(int socket, struct error *err);
