#include "pod/listing.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"
#include "pod/config.h"
#include "pod/container.h"
#include "pod/human.h"
#include "pod/pod.h"

#define COMMAND_WIDTH 20

static const char *state_word(const struct container *c)
{
	return status_name(c->state.status);
}

/* "Up 3 seconds", "Exited (0) 2 minutes ago" */
static void status_words(const struct container *c, uint64_t now, char *ret, size_t size)
{
	char since[64];

	switch (c->state.status) {
	case STATUS_CREATED:
		(void)snprintf(ret, size, "Created");
		break;
	case STATUS_INITIALIZED:
		(void)snprintf(ret, size, "Initialized");
		break;
	case STATUS_RUNNING:
		human_duration(now > c->state.started_ns ? now - c->state.started_ns : 0, since,
			       sizeof(since));
		(void)snprintf(ret, size, "Up %s", since);
		break;
	case STATUS_PAUSED:
		(void)snprintf(ret, size, "Paused");
		break;
	case STATUS_EXITED:
		human_duration(now > c->state.finished_ns ? now - c->state.finished_ns : 0, since,
			       sizeof(since));
		(void)snprintf(ret, size, "Exited (%d) %s ago", c->state.exit_code, since);
		break;
	case STATUS_REMOVING:
		(void)snprintf(ret, size, "Removing");
		break;
	}
}

static int join_args(const struct container *c, bool whole, struct buf *ret, struct error *err)
{
	cleanup_strv struct strv command = STRV_INIT;
	int r = config_strings(c->config, "command", &command, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < command.n; i++)
		buf_addf(ret, "%s%s", i > 0 ? " " : "", command.items[i]);
	if (!whole && ret->len > COMMAND_WIDTH) {
		ret->len = COMMAND_WIDTH - 3;
		buf_adds(ret, "...");
	}
	return buf_ok(ret) ? 0 : err_oom(err);
}

static int join_labels(const struct container *c, struct buf *ret, struct error *err)
{
	const char *key;
	const json_t *value;

	json_object_foreach(json_object_get(c->config, "labels"), key, value)
	{
		const char *text = json_string_value(value);

		buf_addf(ret, "%s%s=%s", ret->len > 0 ? "," : "", key, text ? text : "");
	}
	return buf_ok(ret) ? 0 : err_oom(err);
}

static const char *or_empty(const char *s)
{
	return s ? s : "";
}

int listing_row(const struct pod *pod, const struct container *c, bool whole, json_t **ret,
		struct error *err)
{
	cleanup_buf struct buf command = BUF_INIT;
	cleanup_buf struct buf labels = BUF_INIT;
	char status[96];
	char running_for[96];
	char created_at[64];
	char created[64];
	uint64_t now = clock_real_ns();
	int r = join_args(c, whole, &command, err);

	(void)pod;
	if (r == 0)
		r = join_labels(c, &labels, err);
	if (r < 0)
		return r;
	status_words(c, now, status, sizeof(status));
	human_duration(now > c->created_ns ? now - c->created_ns : 0, created, sizeof(created));
	(void)snprintf(running_for, sizeof(running_for), "%s ago", created);
	format_time_plain(c->created_ns, created_at, sizeof(created_at));
	*ret = json_pack(
		"{s:o, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:i, s:i, s:s, s:s}", "ID",
		json_sprintf("%.*s", whole ? ID_LEN : 12, c->id), "Image",
		or_empty(container_config_string(c, "rootfsImageName")), "ImageID",
		or_empty(container_config_string(c, "rootfsImageID")), "Command", buf_str(&command),
		"CreatedAt", created_at, "RunningFor", running_for, "CreatedHuman", running_for,
		"Status", status, "State", state_word(c), "Names", c->name, "Labels",
		buf_str(&labels), "Pid", (int)c->state.init.host_pid, "ExitCode",
		c->state.exit_code, "Ports", "", "Networks", "");
	if (!*ret)
		return err_oom(err);
	return 0;
}

int listing_json(const struct pod *pod, const struct container *c, json_t **ret, struct error *err)
{
	uint64_t now = clock_real_ns();
	char status[96];
	char created_at[96];
	json_t *labels = json_object_get(c->config, "labels");

	(void)pod;
	status_words(c, now, status, sizeof(status));
	human_duration(now > c->created_ns ? now - c->created_ns : 0, created_at,
		       sizeof(created_at) - 4);
	(void)snprintf(created_at + strlen(created_at), 5, " ago");
	*ret = json_pack(
		"{s:b, s:O?, s:I, s:s, s:b, s:I, s:i, s:s, s:s, s:s, s:O?, s:[s], s:i, s:I, s:s, "
		"s:s}",
		"AutoRemove", container_config_bool(c, "autoRemove"), "Command",
		json_object_get(c->config, "command"), "Created",
		(json_int_t)(c->created_ns / NS_PER_SEC), "CreatedAt", created_at, "Exited",
		c->state.status == STATUS_EXITED, "ExitedAt",
		(json_int_t)(c->state.finished_ns / NS_PER_SEC), "ExitCode", c->state.exit_code,
		"Id", c->id, "Image", or_empty(container_config_string(c, "rootfsImageName")),
		"ImageID", or_empty(container_config_string(c, "rootfsImageID")), "Labels", labels,
		"Names", c->name, "Pid", (int)c->state.init.host_pid, "StartedAt",
		(json_int_t)(c->state.started_ns / NS_PER_SEC), "State", state_word(c), "Status",
		status);
	if (!*ret)
		return err_oom(err);
	return 0;
}
