#include "pod/conmon.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/spawn.h"
#include "pod/container.h"
#include "pod/oci.h"
#include "pod/pod.h"

#define MESSAGE_MAX 65536

/* Numbers that conmon's descriptors get: spawn places them from 3 on. */
static const char *const pipe_words[] = { "_OCI_SYNCPIPE=3", "_OCI_STARTPIPE=4",
					  "_OCI_ATTACHPIPE=5" };

struct pipes {
	int sync[2];
	int start[2];
	int attach[2];
	int words; /* a memory file for what it says on standard error */
};

#define PIPES_INIT                                                                                 \
	{                                                                                          \
		.sync = { -EBADF, -EBADF }, .start = { -EBADF, -EBADF },                           \
		.attach = { -EBADF, -EBADF }, .words = -EBADF                                      \
	}

static void pipes_done(struct pipes *p)
{
	for (int i = 0; i < 2; i++) {
		cleanup_fd_p(&p->sync[i]);
		cleanup_fd_p(&p->start[i]);
		cleanup_fd_p(&p->attach[i]);
	}
	cleanup_fd_p(&p->words);
}
#define cleanup_pipes __attribute__((cleanup(pipes_done)))

void conmon_done(struct conmon *conmon)
{
	cleanup_fd_p(&conmon->sync_fd);
	cleanup_fd_p(&conmon->start_fd);
	cleanup_fd_p(&conmon->attach_fd);
	*conmon = (struct conmon)CONMON_INIT;
}

/*
 * conmon ends, and takes the container's stdio with it, when it can't tell us the
 * pid because we were killed. An end of the pipe that is open for reading as well
 * is its own reader: the telling always succeeds.
 */
static int make_own_reader(int *fd, struct error *err)
{
	char path[64];
	int both;

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", *fd);
	both = open(path, O_RDWR | O_CLOEXEC);
	if (both < 0)
		return err_sys(err, "open a pipe again");
	cleanup_fd_p(fd);
	*fd = both;
	return 0;
}

static int open_pipes(struct pipes *p, bool attach, struct error *err)
{
	int r;

	if (pipe2(p->sync, O_CLOEXEC) < 0 || pipe2(p->start, O_CLOEXEC) < 0 ||
	    (attach && pipe2(p->attach, O_CLOEXEC) < 0))
		return err_sys(err, "make a pipe");
	r = make_own_reader(&p->sync[1], err);
	if (r < 0)
		return r;
	p->words = memfd_create("conmon", MFD_CLOEXEC);
	if (p->words < 0)
		return err_sys(err, "make a memory file");
	/* It waits for this byte, in case its parent wants to move it into a cgroup first. */
	if (fd_write_all(p->start[1], "", 1) < 0)
		return err_sys(err, "write to a pipe");
	return 0;
}

static void add_pairs(struct strv *argv, const char *option, const struct strv *values)
{
	for (size_t i = 0; values && i < values->n; i++) {
		strv_add(argv, option);
		strv_add(argv, values->items[i]);
	}
}

static void add_pair(struct strv *argv, const char *option, const char *value)
{
	strv_add(argv, option);
	strv_add(argv, value);
}

static void add_exit_command(struct strv *argv, const struct strv *command)
{
	for (size_t i = 0; command && i < command->n; i++)
		add_pair(argv, i == 0 ? "--exit-command" : "--exit-command-arg", command->items[i]);
}

static int make_words(const struct pod *pod, const struct container *c,
		      const struct conmon_start *s, struct strv *argv, struct error *err)
{
	cleanup_strv struct strv globals = STRV_INIT;
	cleanup_free char *conmon = NULL;
	cleanup_free char *runtime = NULL;
	int r = pod_find_program(pod, pod->settings.conmon ? pod->settings.conmon : "conmon",
				 &conmon, err);

	if (r == 0)
		r = oci_find_runtime(pod, c, &runtime, err);
	if (r == 0)
		r = oci_global_words(pod, &globals, err);
	if (r < 0)
		return r;
	add_pair(argv, conmon, "--api-version");
	strv_add(argv, "1");
	add_pair(argv, "-c", c->id);
	add_pair(argv, "-u", s->uuid);
	add_pair(argv, "-n", c->name);
	add_pair(argv, "-r", runtime);
	add_pair(argv, "-b", s->bundle);
	strv_add(argv, "-p");
	strv_addf(argv, "%s/pidfile", s->bundle);
	strv_add(argv, "-P");
	strv_addf(argv, "%s/conmon.pid", s->bundle);
	add_pair(argv, "--exit-dir", s->exit_dir);
	add_pair(argv, "--full-attach", "-l");
	if (s->log_path)
		strv_addf(argv, "k8s-file:%s", s->log_path);
	else
		strv_add(argv, "none");
	/* The log needs no fsync at the end of each container: that is the slowest step. */
	add_pair(argv, "--no-sync-log", "--log-level");
	strv_add(argv, "error");
	/* Not both: conmon would close a terminal's input when the first who is attached leaves. */
	if (s->terminal)
		strv_add(argv, "-t");
	else if (s->stdin_open)
		strv_add(argv, "-i");
	if (s->stdin_stays)
		strv_add(argv, "--leave-stdin-open");
	add_pairs(argv, "--runtime-arg", &globals);
	if (s->restore_from)
		add_pair(argv, "--restore", s->restore_from);
	add_pairs(argv, "--runtime-opt", s->restore_words);
	if (s->exec_spec) {
		add_pair(argv, "-e", "--exec-process-spec");
		strv_add(argv, s->exec_spec);
	}
	if (s->exec_attach)
		strv_add(argv, "--exec-attach");
	add_exit_command(argv, s->exit_command);
	return strv_ok(argv) ? 0 : err_oom(err);
}

static int make_environment(bool attach, struct strv *env, struct error *err)
{
	for (char **e = environ; *e; e++)
		if (strncmp(*e, "_OCI_", 5) != 0 && strncmp(*e, "NOTIFY_SOCKET=", 14) != 0)
			strv_add(env, *e);
	for (size_t i = 0; i < (attach ? 3u : 2u); i++)
		strv_add(env, pipe_words[i]);
	return strv_ok(env) ? 0 : err_oom(err);
}

/* One line; 0 bytes: it is gone. */
static int read_line(int fd, char *line, size_t size, struct error *err)
{
	size_t n = 0;

	while (n + 1 < size) {
		ssize_t got = read(fd, line + n, 1);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return err_sys(err, "hear from conmon");
		if (got == 0 || line[n] == '\n')
			break;
		n++;
	}
	line[n] = '\0';
	return (int)n;
}

/* Which of Podman's three classes a runtime's complaint belongs to. */
static int classify(const char *message)
{
	static const char *const missing[] = { "executable file not found in $PATH",
					       "no such file or directory",
					       "No such file or directory" };
	static const char *const forbidden[] = { "permission denied", "Permission denied",
						 "exec format error", "Exec format error",
						 "is a directory",    "Is a directory" };

	if (!strstr(message, "exec"))
		return -EIO;
	for (size_t i = 0; i < ARRAY_SIZE(missing); i++)
		if (strstr(message, missing[i]))
			return COMMAND_NOT_FOUND;
	for (size_t i = 0; i < ARRAY_SIZE(forbidden); i++)
		if (strstr(message, forbidden[i]))
			return COMMAND_NOT_EXECUTABLE;
	return -EIO;
}

static const char *class_words(int class)
{
	if (class == COMMAND_NOT_FOUND)
		return ": OCI runtime attempted to invoke a command that was not found";
	return class == COMMAND_NOT_EXECUTABLE ? ": OCI permission denied" : "";
}

static int runtime_complaint(const struct container *c, const char *message, struct error *err)
{
	char words[ERROR_TEXT_MAX];
	char hint[ERROR_HINT_MAX];
	int class;

	oci_last_words(message, words, sizeof(words), hint, sizeof(hint));
	class = classify(words);
	class = err_set(err, class, "OCI runtime error: %s: %s%s", oci_runtime_name(c),
			words[0] ? words : "it failed without a word", class_words(class));
	if (hint[0])
		err_hint(err, "%s", hint);
	return class;
}

/* `words`: what it said on standard error, or -EBADF. */
static int conmon_died(int words, struct error *err)
{
	cleanup_buf struct buf said = BUF_INIT;
	char text[4096];
	const char *line;
	size_t len = 0;
	ssize_t n = words < 0 ? 0 : pread(words, text, sizeof(text), 0);

	if (n > 0)
		buf_add(&said, text, (size_t)n);
	line = spawn_last_line(&said, &len);
	return err_set(err, -EIO, "conmon ended before the container existed%s%.*s",
		       len > 0 ? ": " : "", (int)len, line);
}

/* A line of the sync pipe: a number under "data" ("pid" of old), negative with a message. */
static int hear(int fd, const struct container *c, int words, json_int_t *ret, struct error *err)
{
	cleanup_free char *line = malloc(MESSAGE_MAX);
	cleanup_json json_t *told = NULL;
	const json_t *number;
	const char *message;
	int n;

	if (!line)
		return err_oom(err);
	n = read_line(fd, line, MESSAGE_MAX, err);
	if (n < 0)
		return n;
	if (n == 0)
		return conmon_died(words, err);
	log_debug("conmon: %s", line);
	n = json_parse("conmon's message", line, (size_t)n, &told, err);
	if (n < 0)
		return n;
	number = json_object_get(told, "pid");
	if (!number)
		number = json_object_get(told, "data");
	message = json_string_value(json_object_get(told, "message"));
	if (!json_is_integer(number) || json_integer_value(number) < 0)
		return runtime_complaint(c, message ? message : "", err);
	*ret = json_integer_value(number);
	return 0;
}

static int read_pid(const char *bundle, const char *name, pid_t *ret, struct error *err)
{
	cleanup_free char *path = NULL;
	cleanup_free char *text = NULL;
	size_t len = 0;
	int r;

	if (asprintf(&path, "%s/%s", bundle, name) < 0) {
		path = NULL;
		return err_oom(err);
	}
	r = file_read_at(AT_FDCWD, path, 64, &text, &len, err);
	if (r == 0)
		*ret = (pid_t)strtol(text, NULL, 10);
	return r;
}

static int start_conmon(const struct pod *pod, const struct container *c,
			const struct conmon_start *s, struct pipes *p, struct error *err)
{
	cleanup_strv struct strv argv = STRV_INIT;
	cleanup_strv struct strv env = STRV_INIT;
	struct spawn spawn = SPAWN_INIT;
	int fds[3] = { p->sync[1], p->start[0], p->attach[1] };
	pid_t pid = 0;
	int status = 0;
	int r = make_words(pod, c, s, &argv, err);

	if (r == 0)
		r = make_environment(s->exec_attach, &env, err);
	if (r < 0)
		return r;
	spawn.argv = strv_argv(&argv);
	spawn.envp = strv_argv(&env);
	spawn.in = SPAWN_NULL;
	spawn.out = SPAWN_NULL;
	spawn.err = p->words;
	spawn.fds = fds;
	spawn.n_fds = s->exec_attach ? 3 : 2;
	r = spawn_start(&spawn, &pid, err);
	if (r < 0)
		return r;
	/*
	 * It forks and this first process ends at once. Until then it dies with us: what
	 * is left of an interrupted start is a daemon that /proc shows as conmon.
	 */
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return err_sys(err, "wait for conmon");
	cleanup_fd_p(&p->sync[1]);
	p->sync[1] = -EBADF;
	cleanup_fd_p(&p->attach[1]);
	p->attach[1] = -EBADF;
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		return conmon_died(p->words, err);
	return 0;
}

int conmon_run(const struct pod *pod, const struct container *c, const struct conmon_start *start,
	       struct conmon *ret, struct error *err)
{
	cleanup_pipes struct pipes p = PIPES_INIT;
	json_int_t pid = 0;
	int r = open_pipes(&p, start->exec_attach, err);

	if (r == 0)
		r = start_conmon(pod, c, start, &p, err);
	if (r == 0)
		r = hear(start->exec_attach ? p.attach[0] : p.sync[0], c, p.words, &pid, err);
	/* A session that nobody attaches to may have ended by now, and its folder with it. */
	if (r == 0 && !(start->exec_spec && !start->exec_attach))
		r = read_pid(start->bundle, "conmon.pid", &ret->host_pid, err);
	if (r < 0)
		return r;
	if (start->exec_attach) {
		ret->sync_fd = take_fd(&p.sync[0]);
		ret->start_fd = take_fd(&p.start[1]);
		ret->attach_fd = take_fd(&p.attach[0]);
	} else {
		ret->container_pid = (pid_t)pid;
	}
	return 0;
}

int conmon_go(struct conmon *conmon, const struct container *c, struct error *err)
{
	json_int_t pid = 0;
	int r;

	if (fd_write_all(conmon->start_fd, "", 1) < 0)
		return err_sys(err, "tell conmon to go on");
	r = hear(conmon->sync_fd, c, -EBADF, &pid, err);
	if (r == 0)
		conmon->container_pid = (pid_t)pid;
	return r;
}

int conmon_hear_exit(struct conmon *conmon, int *ret_code, struct error *err)
{
	cleanup_free char *line = malloc(MESSAGE_MAX);
	cleanup_json json_t *told = NULL;
	const json_t *number;
	int r;

	if (!line)
		return err_oom(err);
	r = read_line(conmon->sync_fd, line, MESSAGE_MAX, err);
	if (r < 0)
		return r;
	if (r == 0)
		return err_set(err, -EIO, "conmon ended without telling the exit code");
	r = json_parse("conmon's message", line, (size_t)r, &told, err);
	if (r < 0)
		return r;
	number = json_object_get(told, "data");
	if (!json_is_integer(number))
		return err_set(err, -EBADMSG, "conmon told no exit code: %s", line);
	*ret_code = (int)json_integer_value(number);
	return 0;
}
