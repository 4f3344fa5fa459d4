/*
 * proc-status: /proc/PID/status and limits, lines of "Name:\tvalues".
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/proc-priv.h"
#include "base/proc.h"
#include "base/scan.h"

#define GROUPS_MAX 65536 /* NGROUPS_MAX of the kernel */

enum value_kind {
	VALUE_STATE,
	VALUE_INT,     /* int */
	VALUE_UINT,    /* unsigned int, decimal */
	VALUE_OCTAL,   /* uint32_t */
	VALUE_MASK,    /* uint64_t, hexadecimal */
	VALUE_BOOL,    /* 0 or 1 */
	VALUE_FOUR,    /* four uint32_t */
	VALUE_IDS,     /* struct proc_ids */
	VALUE_GROUPS,  /* groups, n_groups */
	VALUE_PRESENT, /* the line is there */
	VALUE_THREAD_FEATURES,
	VALUE_NAME, /* comm */
};

struct line {
	const char *name;
	enum value_kind kind;
	size_t offset;
};

#define LINE(n, k, field)                                                                          \
	{                                                                                          \
		.name = (n), .kind = (k), .offset = offsetof(struct proc_status, field)            \
	}

static const struct line lines[] = {
	LINE("Name", VALUE_NAME, comm),
	LINE("State", VALUE_STATE, state),
	LINE("Umask", VALUE_OCTAL, umask),
	LINE("Tgid", VALUE_INT, tgid),
	LINE("Pid", VALUE_INT, pid),
	LINE("PPid", VALUE_INT, ppid),
	LINE("TracerPid", VALUE_INT, tracer),
	LINE("Uid", VALUE_FOUR, uid),
	LINE("Gid", VALUE_FOUR, gid),
	LINE("Groups", VALUE_GROUPS, groups),
	LINE("NStgid", VALUE_IDS, ns_tgid),
	LINE("NSpid", VALUE_IDS, ns_pid),
	LINE("NSpgid", VALUE_IDS, ns_pgid),
	LINE("NSsid", VALUE_IDS, ns_sid),
	LINE("Kthread", VALUE_BOOL, kernel_thread),
	LINE("VmSize", VALUE_PRESENT, has_mm),
	LINE("THP_enabled", VALUE_BOOL, thp_enabled),
	LINE("Threads", VALUE_UINT, threads),
	LINE("SigPnd", VALUE_MASK, sig_pending),
	LINE("ShdPnd", VALUE_MASK, sig_shared_pending),
	LINE("SigBlk", VALUE_MASK, sig_blocked),
	LINE("SigIgn", VALUE_MASK, sig_ignored),
	LINE("SigCgt", VALUE_MASK, sig_caught),
	LINE("CapInh", VALUE_MASK, cap_inheritable),
	LINE("CapPrm", VALUE_MASK, cap_permitted),
	LINE("CapEff", VALUE_MASK, cap_effective),
	LINE("CapBnd", VALUE_MASK, cap_bounding),
	LINE("CapAmb", VALUE_MASK, cap_ambient),
	LINE("NoNewPrivs", VALUE_BOOL, no_new_privs),
	LINE("Seccomp", VALUE_INT, seccomp),
	LINE("x86_Thread_features", VALUE_THREAD_FEATURES, shadow_stack),
};

static bool scan_four(const char *p, uint32_t *four)
{
	for (unsigned int i = 0; i < 4; i++) {
		scan_blanks(&p);
		if (!scan_u32(&p, 10, &four[i]))
			return false;
	}
	return true;
}

static bool scan_ids(const char *p, struct proc_ids *ids)
{
	ids->n = 0;
	for (;;) {
		scan_blanks(&p);
		if (*p == '\n' || !*p)
			return true;
		if (ids->n == PROC_PID_LEVELS_MAX || !scan_int(&p, &ids->id[ids->n]))
			return false;
		ids->n++;
	}
}

static int scan_groups(const char *p, struct proc_status *status)
{
	size_t size = 0;

	if (status->groups) /* a second such line */
		return -EBADMSG;
	for (;;) {
		gid_t group;

		scan_blanks(&p);
		if (*p == '\n' || !*p)
			return 0;
		if (!scan_u32(&p, 10, &group) || status->n_groups == GROUPS_MAX)
			return -EBADMSG;
		if (status->n_groups == size) {
			gid_t *groups;

			size = size ? 2 * size : 16;
			groups = reallocarray(status->groups, size, sizeof(gid_t));
			if (!groups)
				return -ENOMEM;
			status->groups = groups;
		}
		status->groups[status->n_groups++] = group;
	}
}

static bool line_has_word(const char *p, const char *word)
{
	const char *end = strchrnul(p, '\n');
	const char *at = strstr(p, word);

	return at && at < end;
}

/* Newline and backslash are escaped. All other bytes stand there as they are, blanks too. */
static bool scan_name(const char *p, char comm[PROC_COMM_MAX + 1])
{
	size_t n = 0;

	while (*p && *p != '\n') {
		char c = *p++;

		if (c == '\\') {
			c = *p == 'n' ? '\n' : *p;
			if (c != '\n' && c != '\\')
				return false;
			p++;
		}
		if (n == PROC_COMM_MAX)
			return false;
		comm[n++] = c;
	}
	comm[n] = '\0';
	return true;
}

static int scan_value(const char *p, const struct line *line, struct proc_status *status)
{
	void *field = (char *)status + line->offset;
	bool good = true;
	uint64_t v;

	if (line->kind == VALUE_NAME)
		return scan_name(p + (*p == '\t'), field) ? 0 : -EBADMSG;
	scan_blanks(&p);
	switch (line->kind) {
	case VALUE_STATE:
		*(char *)field = *p;
		good = *p && *p != '\n';
		break;
	case VALUE_INT:
		good = scan_int(&p, field);
		break;
	case VALUE_UINT:
		good = scan_u32(&p, 10, field);
		break;
	case VALUE_OCTAL:
		good = scan_u32(&p, 8, field);
		break;
	case VALUE_MASK:
		good = scan_u64(&p, 16, field);
		break;
	case VALUE_BOOL:
		good = scan_u64(&p, 10, &v);
		if (good)
			*(bool *)field = v != 0;
		break;
	case VALUE_FOUR:
		good = scan_four(p, field);
		break;
	case VALUE_IDS:
		good = scan_ids(p, field);
		break;
	case VALUE_GROUPS:
		return scan_groups(p, status);
	case VALUE_PRESENT:
		*(bool *)field = true;
		break;
	case VALUE_NAME: /* done above */
		break;
	case VALUE_THREAD_FEATURES:
		*(bool *)field = line_has_word(p, "shstk");
		break;
	}
	return good ? 0 : -EBADMSG;
}

static const struct line *find_line(const char *name, size_t len)
{
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		if (strlen(lines[i].name) == len && memcmp(lines[i].name, name, len) == 0)
			return &lines[i];
	}
	return NULL;
}

int proc_status_parse(const char *text, size_t len, struct proc_status *ret_status,
		      struct error *err)
{
	struct proc_status status = { .thp_enabled = true };
	int r;

	if (strlen(text) != len)
		return err_set(err, -EBADMSG, "status: zero byte in the text");
	for (const char *p = text; *p; p = scan_next_line(p)) {
		size_t name_len = strcspn(p, ":\n");
		const struct line *line = p[name_len] == ':' ? find_line(p, name_len) : NULL;

		if (!line)
			continue;
		r = scan_value(p + name_len + 1, line, &status);
		if (r < 0) {
			proc_status_done(&status);
			if (r == -ENOMEM)
				return err_oom(err);
			return err_set(err, r, "status: bad value of '%s'", line->name);
		}
	}
	if (!status.state || !status.pid) {
		proc_status_done(&status);
		return err_set(err, -EBADMSG, "status: no state or no pid");
	}
	*ret_status = status;
	return 0;
}

void proc_status_done(struct proc_status *status)
{
	free(status->groups);
	status->groups = NULL;
	status->n_groups = 0;
}

static int status_at(const char *path, struct proc_status *ret_status, struct error *err)
{
	cleanup_free char *text = NULL;
	size_t len = 0;
	int r;

	r = proc_read_record(path, PROC_TEXT_SMALL, &text, &len, err);
	if (r < 0)
		return r;
	r = proc_status_parse(text, len, ret_status, err);
	if (r < 0)
		return err_wrap(err, r, "%s", path);
	return 0;
}

int proc_status_of(pid_t host_pid, struct proc_status *ret_status, struct error *err)
{
	char path[PROC_PATH_MAX];

	(void)snprintf(path, sizeof(path), "/proc/%d/status", (int)host_pid);
	return status_at(path, ret_status, err);
}

int proc_status_of_thread(pid_t host_pid, pid_t host_tid, struct proc_status *ret_status,
			  struct error *err)
{
	char path[PROC_PATH_MAX];

	(void)snprintf(path, sizeof(path), "/proc/%d/task/%d/status", (int)host_pid, (int)host_tid);
	return status_at(path, ret_status, err);
}

static const char *const limit_names[PROC_N_LIMITS] = {
	[RLIMIT_CPU] = "Max cpu time",
	[RLIMIT_FSIZE] = "Max file size",
	[RLIMIT_DATA] = "Max data size",
	[RLIMIT_STACK] = "Max stack size",
	[RLIMIT_CORE] = "Max core file size",
	[RLIMIT_RSS] = "Max resident set",
	[RLIMIT_NPROC] = "Max processes",
	[RLIMIT_NOFILE] = "Max open files",
	[RLIMIT_MEMLOCK] = "Max locked memory",
	[RLIMIT_AS] = "Max address space",
	[RLIMIT_LOCKS] = "Max file locks",
	[RLIMIT_SIGPENDING] = "Max pending signals",
	[RLIMIT_MSGQUEUE] = "Max msgqueue size",
	[RLIMIT_NICE] = "Max nice priority",
	[RLIMIT_RTPRIO] = "Max realtime priority",
	[RLIMIT_RTTIME] = "Max realtime timeout",
};

static bool scan_limit(const char **p, uint64_t *ret)
{
	scan_blanks(p);
	if (scan_literal(p, "unlimited")) {
		*ret = UINT64_MAX;
		return true;
	}
	return scan_u64(p, 10, ret);
}

int proc_limits_parse(const char *text, size_t len, struct proc_limits *ret_limits,
		      struct error *err)
{
	struct proc_limits limits = { 0 };
	unsigned int seen = 0;

	if (strlen(text) != len)
		return err_set(err, -EBADMSG, "limits: zero byte in the text");
	for (const char *line = text; *line; line = scan_next_line(line)) {
		for (unsigned int i = 0; i < PROC_N_LIMITS; i++) {
			const char *p = line;

			if (!scan_literal(&p, limit_names[i]) || *p != ' ')
				continue;
			if (!scan_limit(&p, &limits.cur[i]) || !scan_limit(&p, &limits.max[i]))
				return err_set(err, -EBADMSG, "limits: bad value of '%s'",
					       limit_names[i]);
			seen |= 1U << i;
		}
	}
	if (seen != (1U << PROC_N_LIMITS) - 1)
		return err_set(err, -EBADMSG, "limits: '%s' is missing",
			       limit_names[__builtin_ctz(~seen)]);
	*ret_limits = limits;
	return 0;
}

int proc_limits_of(pid_t host_pid, struct proc_limits *ret_limits, struct error *err)
{
	cleanup_free char *text = NULL;
	char path[PROC_PATH_MAX];
	size_t len = 0;
	int r;

	(void)snprintf(path, sizeof(path), "/proc/%d/limits", (int)host_pid);
	r = proc_read_record(path, PROC_TEXT_SMALL, &text, &len, err);
	if (r < 0)
		return r;
	r = proc_limits_parse(text, len, ret_limits, err);
	if (r < 0)
		return err_wrap(err, r, "%s", path);
	return 0;
}
