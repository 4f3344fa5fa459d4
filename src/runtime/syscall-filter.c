#include "runtime/syscall-filter.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/json.h"

#define ARGS_MAX 6

static void cleanup_filter_p(scmp_filter_ctx *ctx)
{
	if (*ctx)
		seccomp_release(*ctx);
}

static int parse_action(const char *name, const char *place, int64_t errno_ret, uint32_t *ret,
			struct error *err)
{
	const uint16_t data = (uint16_t)errno_ret;
	const struct {
		const char *name;
		uint32_t action;
	} actions[] = {
		{ "SCMP_ACT_KILL", SCMP_ACT_KILL },
		{ "SCMP_ACT_KILL_THREAD", SCMP_ACT_KILL_THREAD },
		{ "SCMP_ACT_KILL_PROCESS", SCMP_ACT_KILL_PROCESS },
		{ "SCMP_ACT_TRAP", SCMP_ACT_TRAP },
		{ "SCMP_ACT_ERRNO", SCMP_ACT_ERRNO(data) },
		{ "SCMP_ACT_TRACE", SCMP_ACT_TRACE(data) },
		{ "SCMP_ACT_ALLOW", SCMP_ACT_ALLOW },
		{ "SCMP_ACT_LOG", SCMP_ACT_LOG },
	};

	if (strcmp(name, "SCMP_ACT_NOTIFY") == 0)
		return err_set(err, -EOPNOTSUPP,
			       "%s: SCMP_ACT_NOTIFY (a seccomp listener) is not supported", place);
	if (errno_ret < 0 || errno_ret > 4095)
		return err_set(err, -EBADMSG, "%s: %" PRId64 " is not an error number", place,
			       errno_ret);
	for (size_t i = 0; i < ARRAY_SIZE(actions); i++)
		if (strcmp(name, actions[i].name) == 0) {
			*ret = actions[i].action;
			return 0;
		}
	return err_set(err, -EBADMSG, "%s: unknown action '%s'", place, name);
}

static int read_action(const json_t *json, const char *place, const char *action_key,
		       const char *errno_key, uint32_t *ret, struct error *err)
{
	const char *name = "";
	int64_t number = EPERM;
	int r;

	r = json_field_string(json, place, action_key, &name, err);
	if (r >= 0)
		r = json_field_int(json, place, errno_key, &number, err);
	if (r < 0)
		return r;
	return parse_action(name, place, number, ret, err);
}

static int parse_op(const char *name, const char *place, enum scmp_compare *ret, struct error *err)
{
	static const struct {
		const char *name;
		enum scmp_compare op;
	} ops[] = {
		{ "SCMP_CMP_NE", SCMP_CMP_NE },
		{ "SCMP_CMP_LT", SCMP_CMP_LT },
		{ "SCMP_CMP_LE", SCMP_CMP_LE },
		{ "SCMP_CMP_EQ", SCMP_CMP_EQ },
		{ "SCMP_CMP_GE", SCMP_CMP_GE },
		{ "SCMP_CMP_GT", SCMP_CMP_GT },
		{ "SCMP_CMP_MASKED_EQ", SCMP_CMP_MASKED_EQ },
	};

	for (size_t i = 0; i < ARRAY_SIZE(ops); i++)
		if (strcmp(name, ops[i].name) == 0) {
			*ret = ops[i].op;
			return 0;
		}
	return err_set(err, -EBADMSG, "%s: unknown comparison '%s'", place, name);
}

static int parse_args(const json_t *rule, const char *place, struct scmp_arg_cmp *args,
		      unsigned int *ret_n, struct error *err)
{
	json_t *array = NULL;
	const json_t *item;
	size_t i;
	int r;

	*ret_n = 0;
	r = json_field_array(rule, place, "args", &array, err);
	if (r <= 0)
		return r;
	if (json_array_size(array) > ARGS_MAX)
		return err_set(err, -EBADMSG, "%s.args: more than %d", place, ARGS_MAX);
	json_array_foreach(array, i, item)
	{
		const char *op = "";
		uint64_t index = 0;

		r = json_field_uint(item, place, "index", &index, err);
		if (r >= 0)
			r = json_field_uint(item, place, "value", &args[i].datum_a, err);
		if (r >= 0)
			r = json_field_uint(item, place, "valueTwo", &args[i].datum_b, err);
		if (r >= 0)
			r = json_field_string(item, place, "op", &op, err);
		if (r >= 0)
			r = parse_op(op, place, &args[i].op, err);
		if (r < 0)
			return r;
		if (index >= ARGS_MAX)
			return err_set(err, -EBADMSG, "%s.args: no argument %" PRIu64, place,
				       index);
		args[i].arg = (unsigned int)index;
		if (args[i].op == SCMP_CMP_MASKED_EQ) {
			/* the mask is the first value, what it is compared with the second */
			continue;
		}
		args[i].datum_b = 0;
	}
	*ret_n = (unsigned int)json_array_size(array);
	return 0;
}

/* Two conditions on one argument can't stand in one rule: then each is a rule of its own. */
static bool repeats_argument(const struct scmp_arg_cmp *args, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		for (unsigned int k = 0; k < i; k++)
			if (args[i].arg == args[k].arg)
				return true;
	return false;
}

static int add_rule(scmp_filter_ctx ctx, uint32_t action, const char *name,
		    const struct scmp_arg_cmp *args, unsigned int n)
{
	const int number = seccomp_syscall_resolve_name(name);
	int r = 0;

	if (number == __NR_SCMP_ERROR)
		return 0; /* this system doesn't know it, so nobody can call it */
	if (!repeats_argument(args, n)) {
		r = seccomp_rule_add_array(ctx, action, number, n, args);
	} else {
		for (unsigned int i = 0; i < n && (r == 0 || r == -EEXIST); i++)
			r = seccomp_rule_add_array(ctx, action, number, 1, &args[i]);
	}
	return r == -EEXIST ? 0 : r;
}

static int add_rules(scmp_filter_ctx ctx, uint32_t default_action, const json_t *rule,
		     const char *place, struct error *err)
{
	struct scmp_arg_cmp args[ARGS_MAX] = { 0 };
	unsigned int n_args = 0;
	json_t *names = NULL;
	const json_t *name;
	uint32_t action = 0;
	size_t i;
	int r;

	r = json_field_array(rule, place, "names", &names, err);
	if (r >= 0)
		r = read_action(rule, place, "action", "errnoRet", &action, err);
	if (r >= 0)
		r = parse_args(rule, place, args, &n_args, err);
	if (r < 0)
		return r;
	if (action == default_action)
		return 0; /* libseccomp wants no rules that change nothing */
	json_array_foreach(names, i, name)
	{
		if (!json_is_string(name))
			return err_set(err, -EBADMSG, "%s.names[%zu]: expected a string", place, i);
		r = add_rule(ctx, action, json_string_value(name), args, n_args);
		if (r < 0)
			return err_set(err, r, "%s: system call '%s': %s", place,
				       json_string_value(name), strerror(-r));
	}
	return 0;
}

static int add_architectures(scmp_filter_ctx ctx, const json_t *json, struct error *err)
{
	json_t *array = NULL;
	const json_t *item;
	size_t i;
	int r;

	r = json_field_array(json, "linux.seccomp", "architectures", &array, err);
	if (r < 0)
		return r;
	json_array_foreach(array, i, item)
	{
		const char *name = json_string_value(item);
		char lower[64];
		uint32_t arch;

		if (!name || strncmp(name, "SCMP_ARCH_", 10) != 0 || strlen(name) >= sizeof(lower))
			return err_set(err, -EBADMSG, "linux.seccomp.architectures[%zu]: strange",
				       i);
		(void)snprintf(lower, sizeof(lower), "%s", name + 10);
		for (char *c = lower; *c; c++)
			*c = (char)(*c >= 'A' && *c <= 'Z' ? *c + 32 : *c);
		arch = seccomp_arch_resolve_name(lower);
		if (arch == 0)
			continue; /* not known here, so not used here */
		r = seccomp_arch_add(ctx, arch);
		if (r < 0 && r != -EEXIST && r != -EDOM)
			return err_set(err, r, "linux.seccomp.architectures: '%s': %s", name,
				       strerror(-r));
	}
	return 0;
}

static int read_flags(const json_t *json, unsigned int *ret, struct error *err)
{
	static const struct {
		const char *name;
		unsigned int flag;
	} known[] = {
		{ "SECCOMP_FILTER_FLAG_TSYNC", 0 }, /* there is one thread */
		{ "SECCOMP_FILTER_FLAG_LOG", SECCOMP_FILTER_FLAG_LOG },
		{ "SECCOMP_FILTER_FLAG_SPEC_ALLOW", SECCOMP_FILTER_FLAG_SPEC_ALLOW },
	};
	json_t *array = NULL;
	const json_t *item;
	size_t i;
	int r;

	r = json_field_array(json, "linux.seccomp", "flags", &array, err);
	if (r < 0)
		return r;
	json_array_foreach(array, i, item)
	{
		const char *name = json_is_string(item) ? json_string_value(item) : "";
		bool found = false;

		for (size_t k = 0; k < ARRAY_SIZE(known); k++)
			if (strcmp(name, known[k].name) == 0) {
				*ret |= known[k].flag;
				found = true;
			}
		if (!found)
			return err_set(err, -EOPNOTSUPP,
				       "linux.seccomp.flags: '%s' is not supported", name);
	}
	return 0;
}

/* libseccomp writes the finished program only into a file. */
static int export_program(scmp_filter_ctx ctx, struct seccomp_program *ret, struct error *err)
{
	cleanup_fd int fd = memfd_create("filter", MFD_CLOEXEC);
	cleanup_free struct sock_filter *insns = NULL;
	struct stat st;
	size_t len;
	int r;

	if (fd < 0)
		return err_sys(err, "make a memory file");
	r = seccomp_export_bpf(ctx, fd);
	if (r < 0)
		return err_set(err, r, "compile the seccomp filter: %s", strerror(-r));
	if (fstat(fd, &st) < 0)
		return err_sys(err, "stat the seccomp filter");
	len = (size_t)st.st_size;
	if (len == 0 || len % sizeof(*insns) || len / sizeof(*insns) > BPF_MAXINSNS)
		return err_set(err, -E2BIG, "the seccomp filter is too long: %zu instructions",
			       len / sizeof(*insns));
	insns = malloc(len);
	if (!insns)
		return err_oom(err);
	r = fd_pread_all(fd, insns, len, 0);
	if (r < 0)
		return err_set(err, r, "read the seccomp filter: %s", strerror(-r));
	ret->insns = take_ptr(&insns);
	ret->n = (unsigned short)(len / sizeof(*insns));
	return 0;
}

static int refuse_listener(const json_t *json, struct error *err)
{
	const char *path = "";
	int r = json_field_string(json, "linux.seccomp", "listenerPath", &path, err);

	if (r < 0)
		return r;
	if (*path)
		return err_set(err, -EOPNOTSUPP,
			       "linux.seccomp.listenerPath: seccomp listeners are not supported");
	return 0;
}

int seccomp_compile(const json_t *json, struct seccomp_program *ret, struct error *err)
{
	__attribute__((cleanup(cleanup_filter_p))) scmp_filter_ctx ctx = NULL;
	cleanup_seccomp struct seccomp_program program = SECCOMP_PROGRAM_INIT;
	uint32_t default_action = 0;
	json_t *rules = NULL;
	const json_t *rule;
	size_t i;
	int r;

	if (!json) {
		*ret = program;
		return 0;
	}
	r = refuse_listener(json, err);
	if (r >= 0)
		r = read_action(json, "linux.seccomp", "defaultAction", "defaultErrnoRet",
				&default_action, err);
	if (r >= 0)
		r = read_flags(json, &program.flags, err);
	if (r >= 0)
		r = json_field_array(json, "linux.seccomp", "syscalls", &rules, err);
	if (r < 0)
		return r;
	ctx = seccomp_init(default_action);
	if (!ctx)
		return err_oom(err);
	(void)seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2); /* a tree, where it's known */
	r = add_architectures(ctx, json, err);
	if (r < 0)
		return r;
	json_array_foreach(rules, i, rule)
	{
		char place[48];

		(void)snprintf(place, sizeof(place), "linux.seccomp.syscalls[%zu]", i);
		r = add_rules(ctx, default_action, rule, place, err);
		if (r < 0)
			return r;
	}
	r = export_program(ctx, &program, err);
	if (r < 0)
		return r;
	*ret = program;
	program = (struct seccomp_program)SECCOMP_PROGRAM_INIT;
	return 0;
}

int seccomp_install(const struct seccomp_program *program, struct error *err)
{
	const struct sock_fprog prog = { .len = program->n, .filter = program->insns };

	if (!program->insns)
		return 0;
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, program->flags, &prog) < 0)
		return err_sys(err, "load the seccomp filter");
	return 0;
}

void seccomp_program_done(struct seccomp_program *program)
{
	int saved = errno;

	free(program->insns);
	*program = (struct seccomp_program)SECCOMP_PROGRAM_INIT;
	errno = saved;
}
