#include "ckpt/track.h"

#include <fcntl.h>
#include <inttypes.h>
#include <linux/userfaultfd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/kern.h"
#include "base/log.h"
#include "base/proc.h"
#include "ckpt/dump-priv.h"
#include "ckpt/pages-scan-dump.h"
#include "trace/area.h"
#include "trace/remote.h"
#include "trace/tape.h"

#define NUMBER_MIN 100 /* above what programs get by themselves */
#define GENERATION_FIRST 34
#define GENERATIONS 30 /* then they begin again */
#define USER_MODE_ONLY 1

#define FEATURES (UINT64_C(1) << 13 /* WP_UNPOPULATED */ | UINT64_C(1) << 15 /* WP_ASYNC */)

bool track_is_ours(int fd, const char *link)
{
	int signal = strcmp(link, "anon_inode:[userfaultfd]") == 0 ? fcntl(fd, F_GETSIG) : 0;

	return signal >= GENERATION_FIRST && signal < GENERATION_FIRST + GENERATIONS;
}

static void track_name(const struct dump_task *task, char name[static 32])
{
	(void)snprintf(name, 32, "track-%d", task->ns_pid); /* always fits */
}

int track_find(struct dump_task *task, struct error *err)
{
	cleanup_free int *numbers = NULL;
	size_t n = 0;
	int r;

	if (task->track_fd >= 0)
		return 0;
	r = proc_fds_of(task->host_pid, &numbers, &n, err);
	for (size_t i = 0; i < n && r == 0; i++) {
		cleanup_fd int own = -EBADF;
		char name[32];
		char link[64];
		ssize_t len;

		(void)snprintf(name, sizeof(name), "fd/%d", numbers[i]); /* always fits */
		len = readlinkat(task->proc, name, link, sizeof(link) - 1);
		link[len < 0 ? 0 : len] = '\0';
		if (strncmp(link, "anon_inode:", 11) != 0)
			continue;
		own = (int)syscall(SYS_pidfd_getfd, task->pidfd, numbers[i], 0);
		if (own >= 0 && track_is_ours(own, link) &&
		    fcntl(own, F_GETOWN) == task->host_pid) {
			task->track_fd = take_fd(&own);
			return 0;
		}
	}
	return r;
}

/* In the target: its number there. */
static int make(struct dump_task *task, int *ret_number, struct error *err)
{
	cleanup_remote struct remote remote = REMOTE_INIT;
	cleanup_area struct area area = { .size = 0 };
	struct tape *tape;
	uint32_t low, high;
	int r = area_init(&area, err);

	if (r < 0)
		return r;
	tape = area_add_tape(&area, (uint32_t)task->host_pid, "track");
	low = tape_call(tape, SYS_userfaultfd,
			TAPE_ARGS(tape_imm(O_CLOEXEC | O_NONBLOCK | USER_MODE_ONLY)),
			"a userfaultfd to track its memory");
	high = tape_call(tape, SYS_fcntl,
			 TAPE_ARGS(tape_slot(low), tape_imm(F_DUPFD_CLOEXEC), tape_imm(NUMBER_MIN)),
			 "a number for the userfaultfd");
	tape_epilogue(tape);
	(void)tape_call(tape, SYS_close, TAPE_ARGS(tape_slot(low)), "closing its first number");
	r = remote_begin(&remote, task->threads[0].host_tid, &task->status, &area, tape, err);
	if (r < 0)
		return r;
	*ret_number = (int)tape_result(tape, remote.live, high);
	return remote_end(&remote, err);
}

int track_plant(struct dump_task *task, struct error *err)
{
	struct uffdio_api api = { .api = UFFD_API, .features = FEATURES };
	struct f_owner_ex owner = { .type = F_OWNER_PID, .pid = task->host_pid };
	int number = -1;
	int r;

	if (!kern_has(KERN_UFFD_WP_ASYNC) || !kern_has(KERN_PAGEMAP_SCAN)) {
		r = err_set(err, -EOPNOTSUPP, "this kernel can't track memory");
		err_hint(err, "Linux 6.7 can, by userfaultfd; make a whole dump");
		return r;
	}
	r = track_find(task, err);
	if (r < 0 || task->track_fd >= 0)
		return r;
	r = make(task, &number, err);
	if (r < 0)
		return err_wrap(err, r, "task %d: track its memory", task->host_pid);
	task->track_fd = (int)syscall(SYS_pidfd_getfd, task->pidfd, number, 0);
	if (task->track_fd < 0 || ioctl(task->track_fd, UFFDIO_API, &api) < 0 ||
	    fcntl(task->track_fd, F_SETOWN_EX, &owner) < 0 ||
	    fcntl(task->track_fd, F_SETSIG, GENERATION_FIRST) < 0)
		return err_sys(err, "task %d: track its memory", task->host_pid);
	return 0;
}

int track_begin(struct dump *dump, struct dump_task *task, struct error *err)
{
	int generation = fcntl(task->track_fd, F_GETSIG) - GENERATION_FIRST;
	char name[32];
	char text[16];
	size_t n = 0;

	/* First of all: from here on older images are not to be trusted. */
	generation = (generation + 1) % GENERATIONS;
	if (fcntl(task->track_fd, F_SETSIG, GENERATION_FIRST + generation) < 0)
		return err_sys(err, "task %d: begin a generation", task->host_pid);
	for (size_t i = 0; i < task->n_vmas; i++) {
		const struct proc_vma *vma = task->vmas[i].proc;
		struct uffdio_register reg = {
			.range = { vma->start, vma->end - vma->start },
			.mode = UFFDIO_REGISTER_MODE_WP,
		};

		/* What can't be tracked, or has changed meanwhile, counts as written. */
		if (task->vmas[i].has_pages && ioctl(task->track_fd, UFFDIO_REGISTER, &reg) == 0)
			n++;
	}
	log_debug("task %d: %zu mappings are tracked", task->host_pid, n);
	track_name(task, name);
	(void)snprintf(text, sizeof(text), "%d\n", generation); /* always fits */
	return file_write_at(dump->opts->images_dir, name, text, strlen(text), 0600, err);
}

int track_protect(const struct dump_task *task, struct error *err)
{
	struct pages_stretch stretch;
	struct pages_scan *scan = NULL;
	int r = pages_scan_begin(task, true, &scan, err);

	while (r == 0) {
		r = pages_scan_next(scan, &stretch, err);
		if (r <= 0)
			break;
		r = 0;
	}
	pages_scan_free(scan);
	return r;
}

bool track_trusts(const struct dump_task *task, int parent_dir)
{
	cleanup_free char *text = NULL;
	char name[32];
	size_t len = 0;

	if (task->track_fd < 0)
		return false;
	track_name(task, name);
	if (file_read_at(parent_dir, name, 16, &text, &len, NULL) < 0)
		return false;
	return strtol(text, NULL, 10) == fcntl(task->track_fd, F_GETSIG) - GENERATION_FIRST;
}
