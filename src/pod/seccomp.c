/*
 * The profile denies what a program in a container has no business with:
 * calls that act on the whole machine, on namespaces and mounts, on other
 * processes' kernel-side keys, and interfaces with a record of holes. What a
 * capability is meant to allow is allowed with it. All else is the kernel's to
 * judge. (Denying by name keeps programs working that use calls younger than
 * this table; what is dangerous and new has to be added here.)
 */
#include "pod/seccomp.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/json.h"

#define PROFILE_MAX (1 << 20)

struct denied {
	const char *cap; /* allowed to who has it; NULL: to nobody */
	int error;	 /* what the call returns */
	const char *const *calls;
};

#define CALLS(...)                                                                                 \
	(const char *const[])                                                                      \
	{                                                                                          \
		__VA_ARGS__, NULL                                                                  \
	}

static const struct denied denied[] = {
	/* keys are not kept apart by namespaces */
	{ NULL, EPERM, CALLS("add_key", "keyctl", "request_key") },
	/* lets a page fault of the kernel be held at will */
	{ NULL, EPERM, CALLS("userfaultfd") },
	{ NULL, EPERM, CALLS("io_uring_setup", "io_uring_enter", "io_uring_register") },
	{ NULL, EPERM,
	  CALLS("nfsservctl", "_sysctl", "sysfs", "uselib", "ustat", "vm86", "vm86old",
		"get_kernel_syms", "query_module", "create_module", "modify_ldt",
		"remap_file_pages", "kexec_load", "kexec_file_load") },
	{ "CAP_SYS_ADMIN", EPERM,
	  CALLS("mount", "umount", "umount2", "pivot_root", "setns", "unshare", "swapon", "swapoff",
		"sethostname", "setdomainname", "quotactl", "quotactl_fd", "fanotify_init",
		"lookup_dcookie", "open_tree", "move_mount", "fsopen", "fsconfig", "fsmount",
		"fspick", "mount_setattr") },
	/* Its flags lie in memory, where a filter can't look: the C library falls back to clone. */
	{ "CAP_SYS_ADMIN", ENOSYS, CALLS("clone3") },
	{ "CAP_BPF", EPERM, CALLS("bpf") },
	{ "CAP_PERFMON", EPERM, CALLS("perf_event_open") },
	{ "CAP_SYS_BOOT", EPERM, CALLS("reboot") },
	{ "CAP_SYS_MODULE", EPERM, CALLS("init_module", "finit_module", "delete_module") },
	{ "CAP_SYS_RAWIO", EPERM, CALLS("iopl", "ioperm") },
	{ "CAP_SYS_PACCT", EPERM, CALLS("acct") },
	{ "CAP_SYS_TIME", EPERM,
	  CALLS("settimeofday", "stime", "clock_settime", "clock_settime64") },
	{ "CAP_SYS_TTY_CONFIG", EPERM, CALLS("vhangup") },
	{ "CAP_SYSLOG", EPERM, CALLS("syslog") },
	{ "CAP_SYS_NICE", EPERM,
	  CALLS("mbind", "set_mempolicy", "migrate_pages", "move_pages",
		"set_mempolicy_home_node") },
	{ "CAP_SYS_PTRACE", EPERM, CALLS("kcmp", "process_madvise") },
	{ "CAP_DAC_READ_SEARCH", EPERM, CALLS("open_by_handle_at") },
};

/* clone(2) must not make namespaces: one rule for each flag, "all bits of the mask are set". */
static const unsigned int namespace_flags[] = {
	CLONE_NEWNS,   CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC,
	CLONE_NEWUSER, CLONE_NEWPID,	CLONE_NEWNET,
};

static json_t *rule(const char *const *calls, int error)
{
	json_t *names = json_array();
	bool bad = !names;

	for (; *calls && !bad; calls++)
		bad = json_array_append_new(names, json_string(*calls)) < 0;
	if (bad) {
		json_decref(names);
		return NULL;
	}
	return json_pack("{s:o, s:s, s:i}", "names", names, "action", "SCMP_ACT_ERRNO", "errnoRet",
			 error);
}

static json_t *clone_rule(unsigned int flag)
{
	return json_pack("{s:[s], s:s, s:i, s:[{s:i, s:I, s:I, s:s}]}", "names", "clone", "action",
			 "SCMP_ACT_ERRNO", "errnoRet", EPERM, "args", "index", 0, "value",
			 (json_int_t)flag, "valueTwo", (json_int_t)flag, "op",
			 "SCMP_CMP_MASKED_EQ");
}

static int add_rules(json_t *rules, const struct strv *caps)
{
	bool namespaces = strv_contains(caps, "CAP_SYS_ADMIN");

	for (size_t i = 0; i < ARRAY_SIZE(denied); i++) {
		if (denied[i].cap && strv_contains(caps, denied[i].cap))
			continue;
		if (json_array_append_new(rules, rule(denied[i].calls, denied[i].error)) < 0)
			return -ENOMEM;
	}
	for (size_t i = 0; !namespaces && i < ARRAY_SIZE(namespace_flags); i++)
		if (json_array_append_new(rules, clone_rule(namespace_flags[i])) < 0)
			return -ENOMEM;
	return 0;
}

static int make_default(const struct strv *caps, json_t **ret, struct error *err)
{
	cleanup_json json_t *profile = json_pack(
		"{s:s, s:[s, s, s], s:[]}", "defaultAction", "SCMP_ACT_ALLOW", "architectures",
		"SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32", "syscalls");

	if (!profile || add_rules(json_object_get(profile, "syscalls"), caps) < 0)
		return err_oom(err);
	*ret = take_ptr(&profile);
	return 0;
}

int seccomp_make(const char *profile, const struct strv *caps, json_t **ret, struct error *err)
{
	cleanup_json json_t *read = NULL;
	int r;

	if (strcmp(profile, "unconfined") == 0)
		return 0;
	if (strcmp(profile, "default") == 0)
		return make_default(caps, ret, err);
	r = json_read_at(AT_FDCWD, profile, PROFILE_MAX, &read, err);
	if (r < 0)
		return err_wrap(err, r, "seccomp profile");
	if (!json_is_string(json_object_get(read, "defaultAction")))
		return err_set(err, -EBADMSG, "seccomp profile '%s' has no defaultAction", profile);
	*ret = take_ptr(&read);
	return 0;
}
