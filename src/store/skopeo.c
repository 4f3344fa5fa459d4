#include "store/skopeo.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/spawn.h"
#include "store/blob.h"
#include "store/docker-manifest.h"
#include "store/store-priv.h"
#include "store/transport.h"

#define LAYOUT "layout"
#define BLOBS LAYOUT "/blobs/sha256"
#define FOLDER "folder"
#define REF_NAME "image"
#define SMALL (64 * 1024)

/* --- its words ------------------------------------------------------------------- */

/*
 * The message of its last log line: time="..." level=fatal msg="what went \"wrong\"".
 * Lines of another shape are taken as they are.
 */
static void read_complaint(const struct buf *text, struct buf *out)
{
	size_t len;
	const char *line = spawn_last_line(text, &len);
	const char *msg = memmem(line, len, "msg=\"", 5);
	const char *end = line + len;

	if (!msg) {
		buf_add(out, line, len);
		return;
	}
	for (msg += 5; msg < end && *msg != '"'; msg++) {
		if (*msg == '\\' && msg + 1 < end)
			msg++;
		buf_add(out, msg, 1);
	}
}

static bool has_text(const char *line, const char *words)
{
	return strncmp(line, words, strlen(words)) == 0;
}

/* "Error parsing image name \"X\": Y" -> "Y": the reference is told by us, once. */
static const char *skip_preamble(const char *text)
{
	static const char *const preambles[] = {
		"Error parsing image name \"",
		"parsing image name \"",
		"initializing source ",
		"Error initializing source ",
	};

	for (size_t i = 0; i < ARRAY_SIZE(preambles); i++) {
		const char *end;

		if (!has_text(text, preambles[i]))
			continue;
		end = strstr(text, strchr(preambles[i], '"') ? "\": " : ": ");
		return end ? strchr(end, ' ') + 1 : text;
	}
	return text;
}

static int tell(const struct spawn_result *result, const char *doing, const char *reference,
		struct error *err)
{
	cleanup_buf struct buf text = BUF_INIT;

	if (spawn_check("skopeo", result, err) == 0)
		return 0;
	read_complaint(&result->err, &text);
	if (text.len == 0) /* it was killed, or said nothing: its status is all there is */
		return spawn_check("skopeo", result, err);
	return err_set(err, -EIO, "%s %s: %s", doing, reference, skip_preamble(buf_str(&text)));
}

/* --- its options -------------------------------------------------------------------- */

static void add_global(struct strv *argv, const struct pull_options *o)
{
	const char *registries = getenv("CONTAINERS_REGISTRIES_CONF");

	strv_add(argv, "skopeo");
	/* Podman takes the file from the environment, skopeo of its day from an option. */
	if (registries && *registries)
		strv_addf(argv, "--registries-conf=%s", registries);
	if (o->os)
		strv_addf(argv, "--override-os=%s", o->os);
	if (o->arch)
		strv_addf(argv, "--override-arch=%s", o->arch);
	if (o->variant)
		strv_addf(argv, "--override-variant=%s", o->variant);
	if (o->signature_policy)
		strv_addf(argv, "--policy=%s", o->signature_policy);
}

/* `prefix`: "src-" where skopeo knows two sides. */
static void add_access(struct strv *argv, const struct pull_options *o, const char *prefix)
{
	if (o->tls_verify)
		strv_addf(argv, "--%stls-verify=%s", prefix, o->tls_verify);
	if (o->creds)
		strv_addf(argv, "--%screds=%s", prefix, o->creds);
	if (o->cert_dir)
		strv_addf(argv, "--%scert-dir=%s", prefix, o->cert_dir);
	if (o->authfile)
		strv_addf(argv, "--authfile=%s", o->authfile);
}

/* `doing` and `reference` are for the complaint. */
static int run(struct spawn *spawn, struct strv *argv, const char *doing, const char *reference,
	       struct spawn_result *result, struct error *err)
{
	int r;

	if (!strv_ok(argv))
		return err_oom(err);
	spawn->argv = strv_argv(argv);
	r = spawn_run(spawn, result, err);
	if (r == -ENOENT) {
		err_hint(err, "install skopeo: apt-get install skopeo");
		return r;
	}
	return r < 0 ? r : tell(result, doing, reference, err);
}

int skopeo_raw_manifest(const char *reference, const struct pull_options *options,
			struct buf *ret_manifest, struct error *err)
{
	struct spawn spawn = SPAWN_INIT;
	cleanup_spawn struct spawn_result result = SPAWN_RESULT_INIT;
	cleanup_strv struct strv argv = STRV_INIT;
	int r;

	add_global(&argv, options);
	strv_add(&argv, "inspect");
	strv_add(&argv, "--raw");
	add_access(&argv, options, "");
	strv_add(&argv, reference);
	spawn.max_captured = BLOB_JSON_MAX;
	log_info("asking for the manifest of '%s'", reference);
	r = run(&spawn, &argv, "initializing source", reference, &result, err);
	if (r < 0)
		return r;
	*ret_manifest = result.out;
	result.out = (struct buf)BUF_INIT;
	return 0;
}

/* --- the layout ----------------------------------------------------------------------- */

/*
 * The layers we have, so that they are not fetched again. A missing link only
 * costs time; small blobs (manifests, configs) come fresh, so that pulling
 * again repairs a damaged one.
 */
static int link_blobs(const struct store *store, int into, struct error *err)
{
	cleanup_dir DIR *dir = NULL;
	struct dirent *entry;
	int fd;

	fd = openat(store->blobs_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir) {
		int r = err_sys(err, "read the store's blobs");

		if (fd >= 0)
			(void)close(fd);
		return r;
	}
	while ((entry = readdir(dir))) {
		struct stat st;

		if (fstatat(store->blobs_fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		    !S_ISREG(st.st_mode) || st.st_size < SMALL)
			continue;
		if (linkat(store->blobs_fd, entry->d_name, into, entry->d_name, 0) < 0)
			log_debug("blob '%s' will be fetched again: %s", entry->d_name,
				  strerror(errno));
	}
	return 0;
}

int skopeo_blobs(struct work *work, int *ret_fd, struct error *err)
{
	cleanup_fd int fd = -EBADF;
	bool fresh;
	int r;

	fresh = faccessat(work->fd, BLOBS, F_OK, 0) < 0;
	if (fresh) {
		r = file_make_dirs_at(work->fd, BLOBS, 0700, err);
		if (r < 0)
			return r;
	}
	fd = openat(work->fd, BLOBS, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(err, "open folder '%s'", BLOBS);
	if (fresh) {
		r = link_blobs(work->store, fd, err);
		if (r < 0)
			return r;
	}
	*ret_fd = take_fd(&fd);
	return 0;
}

/* The one image in the layout's index. */
static int read_layout(struct work *work, struct digest *ret_manifest, struct error *err)
{
	cleanup_json json_t *index = NULL;
	const char *digest;
	int r;

	r = json_read_at(work->fd, LAYOUT "/index.json", BLOB_JSON_MAX, &index, err);
	if (r < 0)
		return r;
	digest = json_string_value(
		json_object_get(json_array_get(json_object_get(index, "manifests"), 0), "digest"));
	return digest_parse(digest ? digest : "", ret_manifest, err);
}

/* Its "dir" format: manifest.json, and blobs by their bare hex names. */
static int take_folder(struct work *work, int blobs_fd, struct digest *ret_manifest,
		       struct error *err)
{
	cleanup_fd int fd = -EBADF;
	cleanup_dir DIR *dir = NULL;
	cleanup_free char *text = NULL;
	struct dirent *entry;
	size_t len = 0;
	int r;

	fd = openat(work->fd, FOLDER, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(err, "open folder '%s'", FOLDER);
	r = file_read_at(fd, "manifest.json", BLOB_JSON_MAX, &text, &len, err);
	if (r < 0)
		return r;
	dir = fdopendir(fd);
	if (!dir)
		return err_sys(err, "read folder '%s'", FOLDER);
	fd = -EBADF; /* the folder's stream owns it now */
	while ((entry = readdir(dir))) {
		if (strlen(entry->d_name) != DIGEST_HEX_LEN)
			continue;
		if (renameat(dirfd(dir), entry->d_name, blobs_fd, entry->d_name) < 0)
			return err_sys(err, "take blob '%s'", entry->d_name);
	}
	if (docker_manifest_is(text, len))
		return docker_manifest_convert(blobs_fd, text, len, ret_manifest, err);
	return blob_write(blobs_fd, text, len, ret_manifest, err);
}

int skopeo_copy(struct work *work, const char *reference, enum skopeo_into into,
		const struct pull_options *options, struct digest *ret_manifest, struct error *err)
{
	struct spawn spawn = SPAWN_INIT;
	cleanup_spawn struct spawn_result result = SPAWN_RESULT_INIT;
	cleanup_strv struct strv argv = STRV_INIT;
	cleanup_fd int blobs_fd = -EBADF;
	int r;

	r = skopeo_blobs(work, &blobs_fd, err);
	if (r < 0)
		return r;
	add_global(&argv, options);
	strv_add(&argv, "copy");
	if (options->progress_fd < 0)
		strv_add(&argv, "--quiet");
	else
		spawn.out = options->progress_fd;
	add_access(&argv, options, "src-");
	strv_add(&argv, reference);
	strv_add(&argv, into == SKOPEO_OCI ? "oci:" LAYOUT ":" REF_NAME : "dir:" FOLDER);
	spawn.folder = work->path;
	log_info("copying '%s'", reference);
	r = run(&spawn, &argv, "initializing source", reference, &result, err);
	if (r < 0)
		return r;
	return into == SKOPEO_OCI ? read_layout(work, ret_manifest, err)
				  : take_folder(work, blobs_fd, ret_manifest, err);
}

int skopeo_copy_out(struct work *work, const char *from, const char *to, struct error *err)
{
	const struct pull_options none = PULL_OPTIONS_INIT;
	struct spawn spawn = SPAWN_INIT;
	cleanup_spawn struct spawn_result result = SPAWN_RESULT_INIT;
	cleanup_strv struct strv argv = STRV_INIT;

	add_global(&argv, &none);
	strv_add(&argv, "copy");
	strv_add(&argv, "--quiet");
	strv_add(&argv, from);
	strv_add(&argv, to);
	spawn.folder = work->path;
	log_info("copying to '%s'", to);
	return run(&spawn, &argv, "copying to", to, &result, err);
}
