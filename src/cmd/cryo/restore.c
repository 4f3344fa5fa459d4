/*
 * cryo restore: options in, cryo_restore(), and the root waited for.
 */
#include "cryo/restore.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/spawn.h"
#include "base/strv.h"
#include "cmd/cryo/commands.h"
#include "cmd/cryo/old-mount-options.h"
#include "cmd/cryo/program.h"

struct restore_options {
	struct common_options common;
	bool detached;
	bool sibling;
	bool stopped;
	bool shell_job;
	bool file_locks;
	bool tcp_established;
	bool skip_in_flight; /* accepted: the dump has dropped them */
	bool tcp_close;
	bool ext_unix_sk;
	bool link_remap;
	bool force_irmap;
	struct strv irmap_paths;
	const char *ghost_limit;
	bool explain;
	bool no_mntns_compat;
	const char *root;
	const char *pidfile;
	const char *cgroups;
	const char *cgroup_yard; /* accepted: hierarchies are found where they are mounted */
	const char *action_script;
	int status_fd;
	struct strv externals;
	struct old_mount_options old_mounts;
	struct strv empty_ns;
	struct strv inherit_fds;
	struct strv join_ns;
	/* Of CRIU, without a meaning here or not supported: refused or ignored, see below. */
	bool lazy_pages;
	bool auto_dedup;
	bool stream;
	bool unprivileged;
	bool mntns_compat;
	const char *lsm_profile;
};

#define F(s, n, f, h) OPT_FLAG(s, n, struct restore_options, f, h)
#define S(s, n, f, a, h) OPT_STRING(s, n, struct restore_options, f, a, h)
#define L(s, n, f, a, h) OPT_LIST(s, n, struct restore_options, f, a, h)

static const struct opt restore_option_table[] = {
	COMMON_OPTIONS(struct restore_options, common),
	F('d', "restore-detached", detached, "exit once the tree runs"),
	F('S', "restore-sibling", sibling,
	  "make the root a child of the caller, not of this program"),
	F('s', "leave-stopped", stopped, "leave the tasks stopped"),
	F('j', "shell-job", shell_job, "let the root join the caller's session and terminal"),
	S('r', "root", root, "DIR", "folder that becomes the root of the tree's mounts"),
	L(0, "external", externals, "KEY:VALUE", "object outside of the images"),
	S(0, "cgroup-yard", cgroup_yard, "DIR", NULL),
	OLD_MOUNT_OPTIONS(struct restore_options, old_mounts),
	L(0, "inherit-fd", inherit_fds, "fd[N]:KEY", "open descriptor N stands in for file KEY"),
	L('J', "join-ns", join_ns, "TYPE:FILE", "join this namespace"),
	L(0, "empty-ns", empty_ns, "TYPE", "make this namespace (net) without content"),
	S(0, "pidfile", pidfile, "FILE", "write the root's process id there"),
	OPT_OPTIONAL(
		0, "manage-cgroups", struct restore_options, cgroups, "MODE",
		"put the tree into its groups: none, props, soft (the default), full, strict or ignore"),
	F('l', "file-locks", file_locks, "restore file locks"),
	F(0, "tcp-established", tcp_established, "restore established TCP connections"),
	F(0, "tcp-close", tcp_close, "restore established TCP connections as closed"),
	F(0, "skip-in-flight", skip_in_flight, NULL),
	F('x', "ext-unix-sk", ext_unix_sk, "reconnect to unix sockets outside"),
	F(0, "link-remap", link_remap, "files that were renamed away come by their link"),
	S(0, "action-script", action_script, "FILE", "run it at the steps of the restore"),
	OPT_INT(0, "status-fd", struct restore_options, status_fd, "N",
		"write a zero byte there when the tree runs"),
	F(0, "explain", explain, "print what each task will do before it is done"),
	/* What the dump of CRIU's own was told. */
	F(0, "force-irmap", force_irmap, NULL),
	L(0, "irmap-scan-path", irmap_paths, "DIR", NULL),
	S(0, "ghost-limit", ghost_limit, "SIZE", NULL),
	F(0, "lazy-pages", lazy_pages, NULL),
	F(0, "auto-dedup", auto_dedup, NULL),
	F(0, "stream", stream, NULL),
	F(0, "unprivileged", unprivileged, NULL),
	F(0, "mntns-compat-mode", mntns_compat, NULL),
	F(0, "no-mntns-compat-mode", no_mntns_compat, NULL),
	S(0, "lsm-profile", lsm_profile, "TYPE:NAME", NULL),
	OPT_END,
};

static int parse_cgroups(const char *mode, enum cryo_cgroups_mode *ret, struct error *err)
{
	static const char *const names[] = { "ignore", "none", "props", "soft", "full", "strict" };

	if (!mode || !*mode) {
		*ret = mode ? CRYO_CGROUPS_SOFT : CRYO_CGROUPS_IGNORE;
		return 0;
	}
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strcmp(mode, names[i]) == 0) {
			*ret = (enum cryo_cgroups_mode)i;
			return 0;
		}
	return err_set(err, -EINVAL, "--manage-cgroups: unknown mode '%s'", mode);
}

/* "fd[N]:KEY" */
static int parse_inherit(const char *word, struct cryo_inherit_fd *ret, struct error *err)
{
	char *end = NULL;
	long fd;

	if (strncmp(word, "fd[", 3) != 0)
		return err_set(err, -EINVAL, "--inherit-fd %s: not of the form fd[N]:KEY", word);
	fd = strtol(word + 3, &end, 10);
	if (end == word + 3 || strncmp(end, "]:", 2) != 0 || !end[2] || fd < 0 || fd > 1 << 20)
		return err_set(err, -EINVAL, "--inherit-fd %s: not of the form fd[N]:KEY", word);
	if (fcntl((int)fd, F_GETFD) < 0)
		return err_sys(err, "--inherit-fd %s", word);
	*ret = (struct cryo_inherit_fd){ .fd = (int)fd, .key = end + 2 };
	return 0;
}

/* "TYPE:FILE"; the type is cut off in place */
static int parse_join(char *word, struct cryo_join_ns *ret, struct error *err)
{
	char *colon = strchr(word, ':');
	int fd;

	if (!colon)
		return err_set(err, -EINVAL, "--join-ns %s: not of the form TYPE:FILE", word);
	*colon = 0;
	fd = open(colon + 1, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(err, "--join-ns %s: open '%s'", word, colon + 1);
	*ret = (struct cryo_join_ns){ .type = word, .fd = fd };
	return 0;
}

static int refuse(const struct restore_options *o, struct error *err)
{
	const char *name = o->lazy_pages     ? "--lazy-pages"
			   : o->stream	     ? "--stream"
			   : o->unprivileged ? "--unprivileged"
			   : o->lsm_profile  ? "--lsm-profile"
					     : NULL;

	return name ? err_set(err, -EOPNOTSUPP, "%s is not supported yet", name) : 0;
}

/* ------------------------------------------------------------------- scripts */

struct scripts {
	const char *path; /* NULL: none */
	const char *images_dir;
};

static int run_script(const struct scripts *s, const char *action, pid_t pid, struct error *err)
{
	pid_t child;
	int status = 0;

	if (!s->path)
		return 0;
	child = fork();
	if (child < 0)
		return err_sys(err, "start '%s'", s->path);
	if (child == 0) {
		char number[16];
		sigset_t none;

		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		snprintf(number, sizeof(number), "%d", pid);
		(void)setenv("CRTOOLS_SCRIPT_ACTION", action, 1);
		(void)setenv("CRTOOLS_IMAGE_DIR", s->images_dir ? s->images_dir : ".", 1);
		if (pid)
			(void)setenv("CRTOOLS_INIT_PID", number, 1);
		execlp("sh", "sh", "-c", s->path, (char *)NULL);
		_exit(127);
	}
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return err_sys(err, "wait for '%s'", s->path);
	if (status)
		return err_set(err, -ECANCELED, "'%s' failed at '%s'", s->path, action);
	return 0;
}

static int script_created(void *arg, pid_t host_pid, struct error *err)
{
	int ret = run_script(arg, "setup-namespaces", host_pid, err);

	return ret < 0 ? ret : run_script(arg, "post-setup-namespaces", host_pid, err);
}

static int script_built(void *arg, pid_t host_pid, struct error *err)
{
	int ret = run_script(arg, "post-restore", host_pid, err);

	return ret < 0 ? ret : run_script(arg, "pre-resume", host_pid, err);
}

/* --------------------------------------------------------------------- result */

static int write_pidfile(const struct program *p, const char *name, pid_t pid, struct error *err)
{
	cleanup_fd int fd =
		openat(p->work_dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	char text[16];
	int n = snprintf(text, sizeof(text), "%d", pid);
	int ret;

	if (fd < 0)
		return err_sys(err, "create '%s'", name);
	ret = fd_write_all(fd, text, (size_t)n);
	return ret < 0 ? err_set(err, ret, "write '%s': %s", name, strerror(-ret)) : 0;
}

/* Stays as the root's parent; its end is ours. */
static int wait_root(pid_t pid, struct error *err)
{
	int status = 0;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return err_sys(err, "wait for process %d", pid);
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

struct lists {
	struct cryo_inherit_fd *inherit_fds;
	struct cryo_join_ns *join_ns;
	size_t n_join_ns;
};

static int fill_lists(const struct restore_options *o, struct lists *l, struct error *err)
{
	l->inherit_fds = calloc(o->inherit_fds.n + 1, sizeof(*l->inherit_fds));
	l->join_ns = calloc(o->join_ns.n + 1, sizeof(*l->join_ns));
	if (!l->inherit_fds || !l->join_ns)
		return err_oom(err);
	for (size_t i = 0; i < o->inherit_fds.n; i++) {
		int ret = parse_inherit(o->inherit_fds.items[i], &l->inherit_fds[i], err);

		if (ret < 0)
			return ret;
	}
	for (size_t i = 0; i < o->join_ns.n; i++) {
		int ret = parse_join(o->join_ns.items[i], &l->join_ns[i], err);

		if (ret < 0)
			return ret;
		l->n_join_ns++;
	}
	return 0;
}

static void lists_done(struct lists *l)
{
	for (size_t i = 0; i < l->n_join_ns; i++)
		(void)close(l->join_ns[i].fd);
	free(l->inherit_fds);
	free(l->join_ns);
}

static int restore_tree(struct program *p, struct restore_options *o, struct lists *l,
			pid_t *ret_pid, struct error *err)
{
	struct scripts scripts = { .path = o->action_script, .images_dir = o->common.images_dir };
	struct cryo_restore_stats stats;
	struct cryo_restore_opts opts = CRYO_RESTORE_OPTS_INIT;
	int ret = refuse(o, err);

	if (ret >= 0)
		ret = parse_cgroups(o->cgroups, &opts.cgroups, err);
	if (ret >= 0)
		ret = old_mount_options_use(&o->old_mounts, &o->externals, err);
	if (ret >= 0)
		ret = fill_lists(o, l, err);
	if (ret >= 0)
		ret = run_script(&scripts, "pre-restore", 0, err);
	if (ret < 0)
		return ret;
	opts.images_dir = p->images_dir;
	opts.work_dir = p->work_dir;
	opts.root = o->root;
	opts.shell_job = o->shell_job;
	opts.sibling = o->sibling;
	opts.stopped = o->stopped;
	opts.file_locks = o->file_locks;
	opts.tcp_established = o->tcp_established;
	opts.tcp_close = o->tcp_close;
	opts.ext_unix_sk = o->ext_unix_sk;
	opts.link_remap = o->link_remap;
	opts.externals = o->externals.items;
	opts.empty_ns = o->empty_ns.items;
	opts.inherit_fds = l->inherit_fds;
	opts.n_inherit_fds = o->inherit_fds.n;
	opts.join_ns = l->join_ns;
	opts.n_join_ns = l->n_join_ns;
	opts.explain_fd = o->explain ? STDOUT_FILENO : -EBADF;
	opts.arg = &scripts;
	if (scripts.path) {
		opts.created = script_created;
		opts.built = script_built;
	}
	ret = cryo_restore(&opts, ret_pid, &stats, err);
	if (ret < 0)
		return ret;
	log_info("process %d runs, after %llu us", *ret_pid, (unsigned long long)stats.restore_us);
	if (o->common.display_stats)
		printf("Displaying restore stats:\nPages compared: %llu\nPages skipped COW: %llu\n"
		       "Pages restored: %llu\nRestore time: %llu us\nForking time: %llu us\n",
		       (unsigned long long)stats.pages_compared,
		       (unsigned long long)stats.pages_skipped_cow,
		       (unsigned long long)stats.pages_restored,
		       (unsigned long long)stats.restore_us, (unsigned long long)stats.forking_us);
	return run_script(&scripts, "post-resume", *ret_pid, err);
}

static int finish(const struct program *p, const struct restore_options *o, pid_t pid,
		  struct error *err)
{
	int ret = 0;

	if (o->pidfile)
		ret = write_pidfile(p, o->pidfile, pid, err);
	if (ret >= 0 && o->status_fd >= 0) {
		ret = fd_write_all(o->status_fd, "", 1);
		if (ret < 0)
			ret = err_set(err, ret, "--status-fd %d: %s", o->status_fd, strerror(-ret));
	}
	return ret;
}

static int run_restore(const struct command *cmd, int argc, char **argv, void *program)
{
	struct restore_options o = { .common = COMMON_OPTIONS_INIT, .status_fd = -1 };
	struct lists lists = { .n_join_ns = 0 };
	struct program *p = program;
	struct error err = ERROR_INIT;
	pid_t pid = 0;
	int r = program_begin(p, cmd, &o, &o.common, &argc, argv);

	if (r != PROGRAM_GO_ON)
		return r;
	r = restore_tree(p, &o, &lists, &pid, &err);
	if (r >= 0)
		r = finish(p, &o, pid, &err);
	if (r >= 0 && !o.detached && !o.sibling)
		r = wait_root(pid, &err);
	lists_done(&lists);
	strv_done(&o.externals);
	old_mount_options_done(&o.old_mounts);
	strv_done(&o.empty_ns);
	strv_done(&o.inherit_fds);
	strv_done(&o.join_ns);
	strv_done(&o.irmap_paths);
	if (r < 0)
		return program_fail(p, &err);
	return r ? r : program_finish(p);
}

const struct command command_restore = {
	.name = "restore",
	.brief = "Rebuild a process tree from image files",
	.options = restore_option_table,
	.run = run_restore,
};
