#include "pod/container.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"

static const char *const names[] = {
	[STATUS_CREATED] = "created", [STATUS_INITIALIZED] = "initialized",
	[STATUS_RUNNING] = "running", [STATUS_PAUSED] = "paused",
	[STATUS_EXITED] = "exited",   [STATUS_REMOVING] = "removing",
};

const char *status_name(enum status status)
{
	return names[status];
}

void container_done(struct container *c)
{
	free(c->name);
	json_decref(c->config);
	free(c->state.checkpoint_path);
	free(c->state.checkpoint_log);
	free(c->state.restore_log);
	free(c->state.boot_id);
	*c = (struct container)CONTAINER_INIT;
}

int state_set_string(char **field, const char *value, struct error *err)
{
	char *copy = NULL;

	if (value) {
		copy = strdup(value);
		if (!copy)
			return err_oom(err);
	}
	free(*field);
	*field = copy;
	return 0;
}

const char *container_config_string(const struct container *c, const char *key)
{
	return json_string_value(json_object_get(c->config, key));
}

bool container_config_bool(const struct container *c, const char *key)
{
	return json_is_true(json_object_get(c->config, key));
}

/*
 * Field 22 of /proc/PID/stat is the start in clock ticks since boot, field 3
 * the state; field 2, the name, is in parentheses and may hold anything.
 */
static int read_stat(pid_t host_pid, char *ret_state, uint64_t *ret_start)
{
	cleanup_fd int fd = -EBADF;
	char path[64];
	char text[1024];
	const char *at;
	ssize_t n;

	(void)snprintf(path, sizeof(path), "/proc/%d/stat", host_pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -ESRCH;
	n = read(fd, text, sizeof(text) - 1);
	if (n <= 0)
		return -ESRCH;
	text[n] = '\0';
	at = strrchr(text, ')');
	if (!at || sscanf(at,
			  ") %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d "
			  "%*d %*d %*d %" SCNu64,
			  ret_state, ret_start) != 2)
		return -ESRCH;
	return 0;
}

int process_look(pid_t host_pid, struct process *ret)
{
	uint64_t start = 0;
	char state = 0;
	int r = read_stat(host_pid, &state, &start);

	if (r < 0)
		return r;
	*ret = (struct process){ .host_pid = host_pid, .start_ticks = start };
	return 0;
}

bool process_is_alive(const struct process *process)
{
	uint64_t start = 0;
	char state = 0;

	if (process->host_pid <= 0 || read_stat(process->host_pid, &state, &start) < 0)
		return false;
	return start == process->start_ticks && state != 'Z' && state != 'X';
}
