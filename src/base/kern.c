#include "base/kern.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/fs.h>
#include <linux/kcmp.h>
#include <linux/sched.h>
#include <linux/userfaultfd.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/pagemap-scan.h"

/* From uapi headers newer than the oldest we build with. */
#define KERN_MFD_EXEC 0x0010U
#define KERN_UFFD_FEATURE_MOVE (UINT64_C(1) << 16)
#define KERN_UFFD_FEATURE_WP_ASYNC (UINT64_C(1) << 15)

/* A known system call that is given nonsense answers something else than ENOSYS or EPERM. */
static bool is_known(long result)
{
	return result >= 0 || (errno != ENOSYS && errno != EPERM);
}

/*
 * Asks for a pid that is taken, our own: EEXIST says that choosing is possible
 * and permitted, and no task has come of it.
 */
static bool probe_clone3_set_tid(void)
{
	pid_t taken = getpid();
	struct clone_args args = {
		.exit_signal = SIGCHLD,
		.set_tid = (uint64_t)(uintptr_t)&taken,
		.set_tid_size = 1,
	};
	long pid = syscall(SYS_clone3, &args, sizeof(args));

	if (pid == 0)
		_exit(0);
	if (pid > 0)
		(void)waitpid((pid_t)pid, NULL, 0); /* can't be: the pid is ours */
	return pid < 0 && errno == EEXIST;
}

static bool probe_pidfd_getfd(void)
{
	cleanup_fd int pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);
	cleanup_fd int fd = -EBADF;

	if (pidfd < 0)
		return false;
	fd = (int)syscall(SYS_pidfd_getfd, pidfd, pidfd, 0);
	return fd >= 0;
}

static bool probe_openat2(void)
{
	return is_known(syscall(SYS_openat2, -1, NULL, NULL, 0));
}

static bool probe_close_range(void)
{
	return is_known(syscall(SYS_close_range, ~0U, 0U, 0U)); /* EINVAL: backwards */
}

static bool probe_time_ns(void)
{
	return access("/proc/self/ns/time_for_children", F_OK) == 0;
}

/* A scan of no pages of our own memory: are these categories known? */
static bool can_scan_for(uint64_t categories)
{
	cleanup_fd int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	struct pagemap_scan_arg arg = { .size = sizeof(arg), .return_mask = categories };

	return fd >= 0 && ioctl(fd, PAGEMAP_SCAN_IOCTL, &arg) == 0;
}

static bool probe_pagemap_scan(void)
{
	return can_scan_for(1);
}

static bool probe_pagemap_scan_guards(void)
{
	return can_scan_for(PAGEMAP_IS_GUARD);
}

static bool has_uffd_feature(uint64_t feature)
{
	struct uffdio_api api = { .api = UFFD_API, .features = feature };
	cleanup_fd int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);

	return fd >= 0 && ioctl(fd, UFFDIO_API, &api) == 0;
}

static bool probe_uffd_wp_async(void)
{
	return has_uffd_feature(KERN_UFFD_FEATURE_WP_ASYNC);
}

static bool probe_uffd_move(void)
{
	return has_uffd_feature(KERN_UFFD_FEATURE_MOVE);
}

static bool read_page_entry(int fd, const void *page, uint64_t *ret)
{
	off_t at = (off_t)((uintptr_t)page / (uintptr_t)sysconf(_SC_PAGESIZE) * sizeof(*ret));

	return pread(fd, ret, sizeof(*ret), at) == (ssize_t)sizeof(*ret);
}

/* A page that was just written must have its bit, if there are such bits. */
static bool probe_soft_dirty(void)
{
	cleanup_fd int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	size_t len = (size_t)sysconf(_SC_PAGESIZE);
	uint64_t entry = 0;
	char *page;
	bool good;

	if (fd < 0)
		return false;
	/* cppcheck-suppress invalidFunctionArg; no file */
	page = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (page == MAP_FAILED)
		return false;
	*(volatile char *)page = 1;
	good = read_page_entry(fd, page, &entry);
	(void)munmap(page, len);
	return good && (entry & (UINT64_C(1) << 55));
}

/* Unknown requests are EIO; this one of a process that isn't stopped for us is ESRCH. */
static bool probe_rseq_configuration(void)
{
	return ptrace(PTRACE_GET_RSEQ_CONFIGURATION, getpid(), 0, NULL) < 0 && errno == ESRCH &&
	       syscall(SYS_rseq, NULL, 0, 0, 0) < 0 && errno != ENOSYS;
}

static bool probe_proc_children(void)
{
	return access("/proc/thread-self/children", F_OK) == 0;
}

static bool probe_kcmp(void)
{
	return syscall(SYS_kcmp, getpid(), getpid(), KCMP_VM, 0, 0) == 0;
}

static bool probe_memfd_exec(void)
{
	cleanup_fd int fd = memfd_create("probe", MFD_CLOEXEC | KERN_MFD_EXEC);

	return fd >= 0;
}

static bool have_cap(unsigned int cap)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { 0 };

	return syscall(SYS_capget, &head, data) == 0 &&
	       (data[cap / 32].effective & (1U << (cap % 32)));
}

static bool probe_cap_sys_resource(void)
{
	return have_cap(CAP_SYS_RESOURCE);
}

static bool probe_cap_checkpoint_restore(void)
{
	return have_cap(CAP_CHECKPOINT_RESTORE) || have_cap(CAP_SYS_ADMIN);
}

static const struct {
	const char *name;
	const char *need; /* "without it, ..." */
	bool (*probe)(void);
} features[KERN_N_FEATURES] = {
	[KERN_CLONE3_SET_TID] = { "clone3-set-tid", "tasks can't get their process ids back",
				  probe_clone3_set_tid },
	[KERN_PIDFD_GETFD] = { "pidfd-getfd", "descriptors of a target can't be looked at",
			       probe_pidfd_getfd },
	[KERN_OPENAT2] = { "openat2", "paths can't be confined to a root folder", probe_openat2 },
	[KERN_CLOSE_RANGE] = { "close-range", "descriptors are closed one by one",
			       probe_close_range },
	[KERN_TIME_NS] = { "time-namespace", "the clocks of a target jump", probe_time_ns },
	[KERN_PAGEMAP_SCAN] = { "pagemap-scan", "pages are found by reading the whole page map",
				probe_pagemap_scan },
	[KERN_PAGEMAP_SCAN_GUARDS] = { "pagemap-scan-guards",
				       "guard pages (MADV_GUARD_INSTALL) can't be saved",
				       probe_pagemap_scan_guards },
	[KERN_UFFD_WP_ASYNC] = { "uffd-wp-async", "written pages are tracked by soft-dirty bits",
				 probe_uffd_wp_async },
	[KERN_UFFD_MOVE] = { "uffd-move", "memory is restored in small pages", probe_uffd_move },
	[KERN_SOFT_DIRTY] = { "soft-dirty", "written pages are tracked by userfaultfd",
			      probe_soft_dirty },
	[KERN_RSEQ_CONFIGURATION] = { "rseq-configuration", "rseq areas can't be saved",
				      probe_rseq_configuration },
	[KERN_PROC_CHILDREN] = { "proc-children", "the tree of a process can't be walked",
				 probe_proc_children },
	[KERN_KCMP] = { "kcmp", "what tasks share can't be seen", probe_kcmp },
	[KERN_MEMFD_EXEC] = { "memfd-exec", "code in memory files is left to the kernel's default",
			      probe_memfd_exec },
	[KERN_CAP_SYS_RESOURCE] = { "cap-sys-resource", "hard limits can't be raised",
				    probe_cap_sys_resource },
	[KERN_CAP_CHECKPOINT_RESTORE] = { "cap-checkpoint-restore", "process ids can't be chosen",
					  probe_cap_checkpoint_restore },
};

/* What has been asked and answered; the only state, constant once known. */
static enum { UNKNOWN, NO, YES } known[KERN_N_FEATURES];

bool kern_has(enum kern_feature feature)
{
	int saved = errno;

	if (known[feature] == UNKNOWN)
		known[feature] = features[feature].probe() ? YES : NO;
	errno = saved;
	return known[feature] == YES;
}

const char *kern_name(enum kern_feature feature)
{
	return features[feature].name;
}

const char *kern_need(enum kern_feature feature)
{
	return features[feature].need;
}

int kern_find(const char *name)
{
	for (int i = 0; i < KERN_N_FEATURES; i++) {
		if (strcmp(features[i].name, name) == 0)
			return i;
	}
	return -EINVAL;
}
