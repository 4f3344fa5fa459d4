#include "runtime/process.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/keyctl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "runtime/caps.h"
#include "runtime/spec.h"
#include "runtime/syscall-filter.h"

#define PASSWD_MAX ((size_t)16 << 20)
#define IOPRIO_WHO_PROCESS 1

void process_reset_signals(void)
{
	sigset_t none;

	for (int sig = 1; sig < NSIG; sig++)
		(void)signal(sig, SIG_DFL); /* some can't be changed, and needn't */
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL); /* can't fail with these arguments */
}

int process_join_keyring(const char *id, struct error *err)
{
	char name[300];

	(void)snprintf(name, sizeof(name), "_ses.%s", id);
	if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, name) < 0 && errno != ENOSYS &&
	    errno != EPERM && errno != EACCES && errno != EDQUOT)
		return err_sys(err, "join session keyring '%s'", name);
	return 0;
}

int process_set_oom_score(const struct spec_process *spec, struct error *err)
{
	cleanup_free char *now = NULL;
	char text[16];
	long score;
	int r;

	if (!spec->has_oom_score_adj)
		return 0;
	r = file_read_at(AT_FDCWD, "/proc/self/oom_score_adj", 64, &now, NULL, err);
	if (r < 0)
		return r;
	score = strtol(now, NULL, 10);
	if (score == spec->oom_score_adj)
		return 0;
	(void)snprintf(text, sizeof(text), "%d", spec->oom_score_adj);
	r = file_poke_at(AT_FDCWD, "/proc/self/oom_score_adj", text, err);
	if (r == -EACCES || r == -EPERM) {
		log_warn("process.oomScoreAdj: %d needs CAP_SYS_RESOURCE; it stays at %ld",
			 spec->oom_score_adj, score);
		return 0;
	}
	return r;
}

/* --- prepare ------------------------------------------------------------------- */

static int set_limits(const struct spec_process *spec, struct error *err)
{
	for (size_t i = 0; i < spec->n_rlimits; i++) {
		const struct spec_rlimit *l = &spec->rlimits[i];
		const struct rlimit limit = { .rlim_cur = l->soft, .rlim_max = l->hard };
		int r;

		if (setrlimit((__rlimit_resource_t)l->resource, &limit) == 0)
			continue;
		r = err_sys(err, "set %s to %llu:%llu", l->name, (unsigned long long)l->soft,
			    (unsigned long long)l->hard);
		if (r == -EPERM)
			err_hint(err, "raising a hard limit needs CAP_SYS_RESOURCE");
		return r;
	}
	return 0;
}

static int set_scheduling(const struct spec_process *spec, struct error *err)
{
	const struct sched_param param = { .sched_priority = spec->sched_priority };

	if (spec->sched_policy >= 0) {
		if (sched_setscheduler(0, spec->sched_policy, &param) < 0)
			return err_sys(err, "set the scheduling policy");
		if (spec->sched_nice && setpriority(PRIO_PROCESS, 0, spec->sched_nice) < 0)
			return err_sys(err, "set nice value %d", spec->sched_nice);
	}
	if (spec->has_io_priority &&
	    syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, spec->io_priority) < 0)
		return err_sys(err, "set the I/O priority");
	return 0;
}

static const char *env_get(const struct strv *env, const char *key)
{
	size_t len = strlen(key);

	for (size_t i = 0; i < env->n; i++)
		if (strncmp(env->items[i], key, len) == 0 && env->items[i][len] == '=')
			return env->items[i] + len + 1;
	return NULL;
}

/* The sixth field of the user's line in the container's /etc/passwd; "/" without one. */
static void add_home(struct strv *env, uid_t uid)
{
	cleanup_free char *text = NULL;
	const char *home = "/";
	struct stat st;
	char *rest;
	char *line;

	/* A FIFO there would keep us waiting. */
	if (stat("/etc/passwd", &st) == 0 && S_ISREG(st.st_mode) &&
	    file_read_at(AT_FDCWD, "/etc/passwd", PASSWD_MAX, &text, NULL, NULL) >= 0) {
		rest = text;
		while ((line = strsep(&rest, "\n"))) {
			char *fields[7] = { NULL };
			char *end;

			for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
				fields[i] = strsep(&line, ":");
			if (!fields[2] || !fields[5] || strtoul(fields[2], &end, 10) != uid || *end)
				continue;
			home = fields[5];
			break;
		}
	}
	strv_addf(env, "HOME=%s", home);
}

static int make_environment(struct process *process, struct error *err)
{
	for (char **e = process->spec->env; e && *e; e++)
		strv_add(&process->env, *e);
	if (!env_get(&process->env, "HOME") || !*env_get(&process->env, "HOME"))
		add_home(&process->env, process->spec->uid);
	return strv_ok(&process->env) ? 0 : err_oom(err);
}

/*
 * A null device that came from the host is exchanged for the container's own:
 * what is open must be reachable from inside for a checkpoint. Pipes and the
 * like are given to the user, who may open them again by /proc/self/fd.
 */
static int fix_stdio(const struct spec_process *spec, struct error *err)
{
	for (int fd = 0; fd <= 2; fd++) {
		cleanup_fd int own = -EBADF;
		struct stat st;

		if (fstat(fd, &st) < 0)
			continue; /* closed, and stays so */
		if (!S_ISCHR(st.st_mode) || st.st_rdev != makedev(1, 3)) {
			if (st.st_uid != spec->uid && fchown(fd, spec->uid, (gid_t)-1) < 0 &&
			    errno != EINVAL && errno != EPERM && errno != EROFS)
				return err_sys(err, "give descriptor %d to user %u", fd, spec->uid);
			continue;
		}
		own = open("/dev/null", O_RDWR | O_CLOEXEC | O_NOFOLLOW);
		if (own < 0 && errno == ENOENT)
			continue; /* a container without one */
		if (own < 0)
			return err_sys(err, "open '/dev/null' in the container");
		if (dup3(own, fd, 0) < 0)
			return err_sys(err, "exchange descriptor %d", fd);
	}
	return 0;
}

int process_prepare(struct process *process, const struct spec_process *spec, struct error *err)
{
	int r;

	process->spec = spec;
	r = make_environment(process, err);
	if (r >= 0)
		r = set_limits(spec, err);
	if (r >= 0)
		r = set_scheduling(spec, err);
	if (r >= 0)
		r = fix_stdio(spec, err);
	return r;
}

/* --- become -------------------------------------------------------------------- */

/* Where the host lies behind a leaked descriptor, the kernel says "(unreachable)". */
static int check_folder(const char *cwd, struct error *err)
{
	char now[PATH_MAX];

	if (syscall(SYS_getcwd, now, sizeof(now)) < 0)
		return err_sys(err, "process.cwd '%s'", cwd);
	if (now[0] != '/')
		return err_set(err, -EPERM, "process.cwd '%s' is outside of the container's root",
			       cwd);
	return 0;
}

static int set_ids(const struct spec_process *spec, struct error *err)
{
	if (setgroups(spec->n_groups, spec->groups) < 0)
		return err_sys(err, "set additional groups");
	if (setresgid(spec->gid, spec->gid, spec->gid) < 0)
		return err_sys(err, "set group %u", spec->gid);
	if (setresuid(spec->uid, spec->uid, spec->uid) < 0)
		return err_sys(err, "set user %u", spec->uid);
	return 0;
}

static int try_executable(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return -errno;
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	return faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) < 0 ? -errno : 0;
}

static int find_in_path(struct process *process, const char *name, struct error *err)
{
	const char *path = env_get(&process->env, "PATH");
	int worst = -ENOENT;

	for (const char *p = path; p && *p;) {
		size_t len = strcspn(p, ":");
		cleanup_buf struct buf full = BUF_INIT;
		int r;

		buf_addf(&full, "%.*s/%s", len ? (int)len : 1, len ? p : ".", name);
		if (!buf_ok(&full))
			return err_oom(err);
		r = try_executable(full.data);
		if (r == 0) {
			process->executable = take_ptr(&full.data);
			return 0;
		}
		if (r == -EACCES)
			worst = r;
		p += len + (p[len] == ':');
	}
	if (worst == -EACCES)
		return err_set(err, -EACCES, "exec: \"%s\": permission denied", name);
	return err_set(err, -ENOENT, "exec: \"%s\": executable file not found in $PATH", name);
}

static int find_executable(struct process *process, struct error *err)
{
	const char *name = process->spec->args[0];
	int r;

	if (!strchr(name, '/'))
		return find_in_path(process, name, err);
	r = try_executable(name);
	if (r < 0) {
		errno = -r;
		return err_sys(err, "exec: \"%s\"", name);
	}
	process->executable = strdup(name);
	return process->executable ? 0 : err_oom(err);
}

int process_become(struct process *process, struct error *err)
{
	const struct spec_process *spec = process->spec;
	bool entered;
	int r;

	entered = chdir(spec->cwd) == 0;
	if (!entered && errno != EACCES)
		return err_sys(err, "enter process.cwd '%s'", spec->cwd);
	r = caps_limit_bounding(spec->caps.bounding, err); /* not given: none at all */
	if (r < 0)
		return r;
	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
		return err_sys(err, "keep capabilities");
	r = set_ids(spec, err);
	if (r < 0)
		return r;
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return err_sys(err, "keep others from tracing");
	if (!entered && chdir(spec->cwd) < 0)
		return err_sys(err, "enter process.cwd '%s'", spec->cwd);
	r = check_folder(spec->cwd, err);
	if (r >= 0)
		r = find_executable(process, err);
	if (r < 0)
		return r;
	(void)umask(spec->umask == SPEC_UNSET ? 0022 : (mode_t)(spec->umask & 0777));
	return 0;
}

/* --- exec ---------------------------------------------------------------------- */

static int close_range_from(unsigned int first, unsigned int last, struct error *err)
{
	if (first <= last && close_range(first, last, 0) < 0)
		return err_sys(err, "close descriptors");
	return 0;
}

int process_close_fds(int preserve, const int *keep, int n, struct error *err)
{
	unsigned int from = (unsigned int)(3 + preserve);
	int r = 0;

	for (int round = 0; r >= 0 && round <= n; round++) {
		unsigned int next = UINT_MAX;

		for (int i = 0; i < n; i++)
			if (keep[i] >= (int)from && (unsigned int)keep[i] < next)
				next = (unsigned int)keep[i];
		if (next == UINT_MAX)
			return close_range_from(from, UINT_MAX, err);
		r = close_range_from(from, next - 1, err);
		from = next + 1;
	}
	return r < 0 ? r : close_range_from(from, UINT_MAX, err);
}

/* Loading a filter needs either of the two; after a change of user the right is only dormant. */
static int awake_capabilities(struct error *err)
{
	const struct spec_capabilities all = { .bounding = UINT64_MAX,
					       .effective = UINT64_MAX,
					       .permitted = UINT64_MAX };

	return caps_apply(&all, err);
}

int process_exec(struct process *process, const struct seccomp_program *filter, struct error *err)
{
	const struct spec_process *spec = process->spec;
	int r = 0;

	if (spec->no_new_privileges) {
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
			return err_sys(err, "set no_new_privs");
	} else if (filter->insns) {
		r = awake_capabilities(err);
		if (r >= 0)
			r = seccomp_install(filter, err);
		if (r < 0)
			return r;
	}
	r = caps_apply(&spec->caps, err);
	if (r < 0)
		return r;
	if (spec->no_new_privileges) {
		r = seccomp_install(filter, err);
		if (r < 0)
			return r;
	}
	(void)execve(process->executable, spec->args, strv_argv(&process->env));
	return err_sys(err, "exec '%s'", process->executable);
}

void process_done(struct process *process)
{
	int saved = errno;

	strv_done(&process->env);
	free(process->executable);
	*process = (struct process)PROCESS_INIT;
	errno = saved;
}
