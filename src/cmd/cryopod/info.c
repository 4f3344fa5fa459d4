/*
 * info: this machine and what is kept on it, as cryopod sees them.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cgroupfs.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/json.h"
#include "cmd/cryopod/commands.h"
#include "cmd/cryopod/open.h"
#include "cmd/cryopod/program.h"
#include "pod/db.h"
#include "pod/held.h"
#include "pod/template.h"
#include "store/image.h"

struct info_options {
	const char *format;
	bool debug;
};

static const struct opt info_option_table[] = {
	OPT_FLAG('D', "debug", struct info_options, debug, NULL),
	OPT_STRING('f', "format", struct info_options, format, "json|TEMPLATE", "how to print it"),
	OPT_END,
};

struct counts {
	int all;
	int paused;
	int running;
	int stopped;
	int images;
};

static int count(struct pod *pod, struct counts *n, struct error *err)
{
	cleanup_strv struct strv ids = STRV_INIT;
	cleanup_image_list struct image_list images = IMAGE_LIST_INIT;
	struct store *store = NULL;
	int r = db_ids(pod->db, &ids, err);

	for (size_t i = 0; r == 0 && i < ids.n; i++) {
		cleanup_container struct container c = CONTAINER_INIT;

		r = db_load(pod->db, ids.items[i], &c, err);
		if (r == 0)
			r = container_refresh(pod, &c, err);
		if (r < 0)
			return r;
		r = 0;
		n->all++;
		n->running += c.state.status == STATUS_RUNNING;
		n->paused += c.state.status == STATUS_PAUSED;
		n->stopped += !container_is_alive(&c);
	}
	if (r == 0)
		r = pod_store(pod, &store, err);
	if (r == 0)
		r = image_list(store, &images, err);
	n->images = (int)images.n;
	return r;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* Absent programs are shown as such: info is where one looks when something is missing. */
static json_t *program_info(const struct pod *pod, const char *name)
{
	cleanup_free char *path = NULL;

	if (pod_find_program(pod, name, &path, NULL) < 0)
		return json_pack("{s:s, s:s}", "name", base_name(name), "path", "");
	return json_pack("{s:s, s:s}", "name", base_name(name), "path", path);
}

static int make_host(const struct pod *pod, json_t **ret, struct error *err)
{
	cleanup_cgroupfs struct cgroupfs cgroups = CGROUPFS_INIT;
	const char *runtime = pod->settings.runtime ? pod->settings.runtime : "cryorun";
	const char *conmon = pod->settings.conmon ? pod->settings.conmon : "conmon";
	struct utsname uts;
	struct sysinfo system;
	int r = cgroupfs_load(&cgroups, err);

	if (r < 0)
		return r;
	if (uname(&uts) < 0 || sysinfo(&system) < 0)
		return err_sys(err, "look at the machine");
	*ret = json_pack("{s:s, s:s, s:s, s:i, s:s, s:s, s:I, s:I, s:o, s:o, s:s, s:{s:b, s:b}}",
			 "arch", uts.machine, "cgroupManager", "cgroupfs", "cgroupVersion",
			 cgroupfs_is_unified(&cgroups) ? "v2" : "v1", "cpus",
			 (int)sysconf(_SC_NPROCESSORS_ONLN), "hostname", uts.nodename, "kernel",
			 uts.release, "memTotal",
			 (json_int_t)system.totalram * (json_int_t)system.mem_unit, "memFree",
			 (json_int_t)system.freeram * (json_int_t)system.mem_unit, "conmon",
			 program_info(pod, conmon), "ociRuntime", program_info(pod, runtime), "os",
			 "linux", "security", "rootless", 0, "seccompEnabled", 1);
	return *ret ? 0 : err_oom(err);
}

static int make_info(struct pod *pod, json_t **ret, struct error *err)
{
	struct counts n = { 0 };
	json_t *host = NULL;
	int r = count(pod, &n, err);

	if (r == 0)
		r = make_host(pod, &host, err);
	if (r < 0)
		return r;
	*ret = json_pack("{s:o, s:{s:{s:i, s:i, s:i, s:i}, s:s, s:s, s:s, s:{s:i}}, s:{s:s, s:s}}",
			 "host", host, "store", "containerStore", "number", n.all, "paused",
			 n.paused, "running", n.running, "stopped", n.stopped, "graphDriverName",
			 "overlay", "graphRoot", pod->root, "runRoot", pod->runroot, "imageStore",
			 "number", n.images, "version", "Version", CRYOPOD_VERSION, "OsArch",
			 "linux/amd64");
	return *ret ? 0 : err_oom(err);
}

/* As YAML, which for these plain values is "key: value" with indents. */
static void print_plain(const json_t *value, int indent)
{
	const char *key;
	const json_t *item;

	json_object_foreach((json_t *)value, key, item)
	{
		printf("%*s%s:", indent, "", key);
		if (json_is_object(item)) {
			printf("\n");
			print_plain(item, indent + 2);
		} else if (json_is_string(item)) {
			printf(" %s\n", json_string_value(item));
		} else if (json_is_integer(item)) {
			printf(" %lld\n", (long long)json_integer_value(item));
		} else {
			printf(" %s\n", json_is_true(item) ? "true" : "false");
		}
	}
}

/* Go templates name the fields of Podman's structs: .Host.OCIRuntime.Name for host.ociRuntime.name.
 */
static int with_capitals(const json_t *value, json_t **ret, struct error *err)
{
	cleanup_json json_t *copy = json_object();
	const char *key;
	json_t *item;

	if (!copy)
		return err_oom(err);
	json_object_foreach((json_t *)value, key, item)
	{
		char name[64];
		json_t *inner = NULL;
		int r = 0;

		(void)snprintf(name, sizeof(name), "%s", key);
		if (strncmp(name, "oci", 3) == 0)
			(void)memcpy(name, "OCI", 3);
		else if (strcmp(name, "cpus") == 0)
			(void)memcpy(name, "CPU", 3);
		else if (name[0] >= 'a' && name[0] <= 'z')
			name[0] = (char)(name[0] - 32);
		if (json_is_object(item))
			r = with_capitals(item, &inner, err);
		else
			inner = json_incref(item);
		if (r < 0)
			return r;
		if (json_object_set_new(copy, name, inner) < 0)
			return err_oom(err);
	}
	*ret = take_ptr(&copy);
	return 0;
}

static int print_info(const json_t *info, const char *format, struct error *err)
{
	cleanup_json json_t *fields = NULL;
	cleanup_buf struct buf line = BUF_INIT;
	cleanup_free char *text = NULL;
	int r;

	if (!format) {
		print_plain(info, 0);
		return 0;
	}
	if (strcmp(format, "json") == 0) {
		r = json_format(info, 2, &text, err);
		if (r == 0)
			printf("%s", text);
		return r;
	}
	r = with_capitals(info, &fields, err);
	if (r == 0)
		r = template_render(format, fields, &line, err);
	if (r == 0)
		printf("%s\n", buf_str(&line));
	return r;
}

static int run_info(const struct command *cmd, int argc, char **argv, void *program)
{
	struct info_options o = { 0 };
	cleanup_pod struct pod pod = POD_INIT;
	cleanup_json json_t *info = NULL;
	struct error err = ERROR_INIT;
	int r = program_options(program, cmd, &o, &argc, argv);

	if (r != PROGRAM_GO_ON)
		return r;
	r = argc > 0 ? err_set(&err, -EINVAL, "`cryopod info` takes no arguments")
		     : program_open(program, &pod, &err);
	if (r == 0)
		r = make_info(&pod, &info, &err);
	if (r == 0)
		r = print_info(info, o.format, &err);
	return r < 0 ? program_fail(&err) : program_finish();
}

const struct command command_info = {
	.name = "info",
	.brief = "Display system information",
	.options = info_option_table,
	.run = run_info,
};
