#include "store/image-config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/json.h"
#include "store/image.h"

static int copy_field(const json_t *object, const char *place, const char *key, char **ret,
		      struct error *err)
{
	const char *text = "";
	char *copy;
	int r;

	r = json_field_string(object, place, key, &text, err);
	if (r < 0)
		return r;
	copy = strdup(text);
	if (!copy)
		return err_oom(err);
	free(*ret);
	*ret = copy;
	return 0;
}

static int copy_list(const json_t *object, const char *key, struct strv *ret, struct error *err)
{
	json_t *list = NULL;
	json_t *item;
	size_t i;
	int r;

	r = json_field_array(object, "config", key, &list, err);
	if (r < 0)
		return r;
	json_array_foreach(list, i, item)
	{
		if (!json_is_string(item))
			return err_set(err, -EBADMSG, "config.%s[%zu]: expected a string", key, i);
		strv_add(ret, json_string_value(item));
	}
	return strv_ok(ret) ? 0 : err_oom(err);
}

/* Sets are objects with empty values: {"/data": {}}. */
static int copy_keys(const json_t *object, const char *key, struct strv *ret, struct error *err)
{
	json_t *set = NULL;
	const char *name;
	json_t *value;
	int r;

	r = json_field_object(object, "config", key, &set, err);
	if (r < 0)
		return r;
	json_object_foreach(set, name, value)
	{
		strv_add(ret, name);
	}
	return strv_ok(ret) ? 0 : err_oom(err);
}

static int copy_labels(const json_t *object, struct strv *ret, struct error *err)
{
	json_t *labels = NULL;
	const char *name;
	json_t *value;
	int r;

	r = json_field_object(object, "config", "Labels", &labels, err);
	if (r < 0)
		return r;
	json_object_foreach(labels, name, value)
	{
		if (json_is_string(value))
			strv_addf(ret, "%s=%s", name, json_string_value(value));
	}
	return strv_ok(ret) ? 0 : err_oom(err);
}

static int read_inner(const json_t *config, struct image_config *c, struct error *err)
{
	int r;

	r = copy_field(config, "config", "User", &c->user, err);
	if (r == 0)
		r = copy_field(config, "config", "WorkingDir", &c->workdir, err);
	if (r == 0)
		r = copy_field(config, "config", "StopSignal", &c->stop_signal, err);
	if (r == 0)
		r = copy_list(config, "Env", &c->env, err);
	if (r == 0)
		r = copy_list(config, "Entrypoint", &c->entrypoint, err);
	if (r == 0)
		r = copy_list(config, "Cmd", &c->cmd, err);
	if (r == 0)
		r = copy_keys(config, "Volumes", &c->volumes, err);
	if (r == 0)
		r = copy_keys(config, "ExposedPorts", &c->exposed_ports, err);
	if (r == 0)
		r = copy_labels(config, &c->labels, err);
	return r;
}

int image_config_read(const char *text, size_t len, struct image *image, struct error *err)
{
	cleanup_json json_t *document = NULL;
	json_t *config = NULL;
	int r;

	r = json_parse("config", text, len, &document, err);
	if (r == 0)
		r = copy_field(document, "", "architecture", &image->architecture, err);
	if (r == 0)
		r = copy_field(document, "", "os", &image->os, err);
	if (r == 0)
		r = copy_field(document, "", "author", &image->author, err);
	if (r == 0)
		r = copy_field(document, "", "comment", &image->comment, err);
	if (r == 0)
		r = json_field_object(document, "", "config", &config, err);
	if (r < 0)
		return r;
	return read_inner(config, &image->config, err);
}

void image_config_done(struct image_config *config)
{
	free(config->user);
	free(config->workdir);
	free(config->stop_signal);
	strv_done(&config->env);
	strv_done(&config->entrypoint);
	strv_done(&config->cmd);
	strv_done(&config->labels);
	strv_done(&config->volumes);
	strv_done(&config->exposed_ports);
}
