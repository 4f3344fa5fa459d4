/*
 * pull: images from a registry, or from an archive or folder made elsewhere.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "cmd/cryopod/commands.h"
#include "cmd/cryopod/program.h"
#include "store/store.h"
#include "store/transport.h"

struct options {
	struct pull_options pull;
	const char *platform;
	bool quiet;
	bool tls_verify;
	bool all_tags;
};

#define PULL_STRING(n, field, a, h) OPT_STRING(0, n, struct options, pull.field, a, h)

static const struct opt option_table[] = {
	PULL_STRING("arch", arch, "ARCH", "machine to pull for"),
	PULL_STRING("os", os, "OS", "operating system to pull for"),
	PULL_STRING("variant", variant, "VARIANT", "variant of the machine"),
	OPT_STRING(0, "platform", struct options, platform, "OS/ARCH", "both at once"),
	PULL_STRING("authfile", authfile, "FILE", "where credentials are kept"),
	PULL_STRING("creds", creds, "USER:PASSWORD", "credentials for the registry"),
	PULL_STRING("cert-dir", cert_dir, "DIR", "certificates for the registry"),
	PULL_STRING("signature-policy", signature_policy, "FILE", NULL),
	OPT_FLAG(0, "tls-verify", struct options, tls_verify,
		 "HTTPS and valid certificates are required (true, unless registries.conf says "
		 "otherwise)"),
	OPT_FLAG('a', "all-tags", struct options, all_tags, NULL),
	OPT_FLAG('q', "quiet", struct options, quiet, "no progress"),
	OPT_END,
};

static bool is_given(const char *word, int argc, char **argv)
{
	size_t len = strlen(word);

	for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (strncmp(argv[i], word, len) == 0 && (!argv[i][len] || argv[i][len] == '='))
			return true;
	return false;
}

/* "linux/arm64/v8", taken apart in place. */
static int split_platform(struct options *o, char *buffer, size_t size, struct error *err)
{
	char *slash;

	if (!o->platform)
		return 0;
	if (strlen(o->platform) >= size)
		return err_set(err, -EINVAL, "platform '%s' is too long", o->platform);
	(void)snprintf(buffer, size, "%s", o->platform);
	slash = strchr(buffer, '/');
	if (!slash)
		return err_set(err, -EINVAL, "platform '%s' is not OS/ARCH", o->platform);
	*slash = '\0';
	o->pull.os = buffer;
	o->pull.arch = slash + 1;
	slash = strchr(slash + 1, '/');
	if (slash) {
		*slash = '\0';
		o->pull.variant = slash + 1;
	}
	return 0;
}

static int pull_all(const struct program *program, const struct options *o, int argc, char **argv)
{
	cleanup_store struct store *store = NULL;
	struct error err = ERROR_INIT;
	int code = 0;
	int r;

	r = store_open(program->root, &store, &err);
	if (r < 0)
		return program_fail(&err);
	for (int i = 0; i < argc; i++) {
		cleanup_strv struct strv ids = STRV_INIT;

		r = image_pull(store, argv[i], &o->pull, &ids, &err);
		for (size_t k = 0; r == 0 && k < ids.n; k++)
			printf("%s\n", ids.items[k]);
		if (r < 0)
			code = program_fail(&err);
	}
	return code ? code : program_finish();
}

static int run_pull(const struct command *cmd, int argc, char **argv, void *program)
{
	bool tls_given = is_given("--tls-verify", argc, argv);
	struct options o = { .pull = PULL_OPTIONS_INIT };
	struct error err = ERROR_INIT;
	char platform[128];
	int r = program_options(program, cmd, &o, &argc, argv);

	if (r != PROGRAM_GO_ON)
		return r;
	if (argc == 0)
		r = err_set(&err, -EINVAL, "requires at least 1 arg(s), only received 0");
	else if (o.all_tags)
		r = err_set(&err, -EOPNOTSUPP, "--all-tags is not supported: name each tag");
	else
		r = split_platform(&o, platform, sizeof(platform), &err);
	if (r < 0)
		return program_misuse(program, cmd, &err);
	if (tls_given)
		o.pull.tls_verify = o.tls_verify ? "true" : "false";
	if (!o.quiet && isatty(STDERR_FILENO))
		o.pull.progress_fd = STDERR_FILENO;
	return pull_all(program, &o, argc, argv);
}

const struct command command_pull = {
	.name = "pull",
	.args = "IMAGE [IMAGE...]",
	.brief = "Pull an image from a registry",
	.options = option_table,
	.run = run_pull,
};
