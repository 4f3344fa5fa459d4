#include "../cmocka-all.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/file.h"
#include "base/proc-maps.h"
#include "base/proc.h"

static const char stat_text[] =
	"18426 (a) b (c) T 18421 18420 5223 -1 -1 4194304 101 0 0 0 7 8 0 0 20 -5 3 0 214815 "
	"3133440 382 18446744073709551615 94284501454848 94284501474729 140734719167232 0 0 0 0 0 "
	"0 0 0 0 17 1 2 3 0 0 0 94284501490736 94284501492352 94285061730304 140734719175307 "
	"140734719175327 140734719175327 140734719176683 256\n";

static void stat_survives_names_with_brackets(void **state UNUSED)
{
	struct error err = ERROR_INIT;
	struct proc_stat stat;

	assert_int_equal(proc_stat_parse(stat_text, strlen(stat_text), &stat, &err), 0);
	assert_int_equal(stat.pid, 18426);
	assert_string_equal(stat.comm, "a) b (c");
	assert_int_equal(stat.state, 'T');
	assert_int_equal(stat.ppid, 18421);
	assert_int_equal(stat.pgrp, 18420);
	assert_int_equal(stat.session, 5223);
	assert_int_equal(stat.tpgid, -1);
	assert_int_equal(stat.nice, -5);
	assert_int_equal(stat.num_threads, 3);
	assert_int_equal(stat.exit_signal, 17);
	assert_int_equal(stat.policy, 3);
	assert_int_equal(stat.start_brk, 94285061730304);
	assert_int_equal(stat.env_end, 140734719176683);
	assert_int_equal(stat.exit_code, 256);
}

static void every_cut_of_a_text_is_refused_or_understood(void **state UNUSED)
{
	for (size_t len = 0; len < strlen(stat_text) - 4; len++) {
		cleanup_free char *text = strndup(stat_text, len);
		struct proc_stat stat;

		assert_int_equal(proc_stat_parse(text, len, &stat, NULL), -EBADMSG);
	}
}

static void zero_bytes_are_refused(void **state UNUSED)
{
	static const char text[] = "1 (a\0b) R";
	struct proc_status status;
	struct proc_limits limits;
	struct proc_maps maps;
	struct proc_stat stat;
	pid_t *pids;
	size_t n;

	assert_int_equal(proc_stat_parse(text, sizeof(text) - 1, &stat, NULL), -EBADMSG);
	assert_int_equal(proc_status_parse(text, sizeof(text) - 1, &status, NULL), -EBADMSG);
	assert_int_equal(proc_limits_parse(text, sizeof(text) - 1, &limits, NULL), -EBADMSG);
	assert_int_equal(proc_maps_parse(text, sizeof(text) - 1, &maps, NULL), -EBADMSG);
	assert_int_equal(proc_pids_parse(text, sizeof(text) - 1, &pids, &n, NULL), -EBADMSG);
}

static void our_own_status_is_what_we_know_of_us(void **state UNUSED)
{
	struct error err = ERROR_INIT;
	struct proc_status status;
	struct proc_stat stat;
	mode_t mask = umask(027);

	if (proc_status_of(getpid(), &status, &err) < 0)
		fail_msg("%s", err.text);
	(void)umask(mask);
	assert_int_equal(status.umask, 027);
	assert_int_equal(status.pid, getpid());
	assert_int_equal(status.ppid, getppid());
	assert_int_equal(status.tracer, 0);
	assert_int_equal(status.uid[1], geteuid());
	assert_int_equal(status.gid[3], getegid());
	assert_int_equal(proc_ids_inner(&status.ns_pid), getpid());
	assert_int_equal(proc_ids_inner(&status.ns_sid), getsid(0));
	assert_true(status.has_mm);
	assert_int_equal(status.threads, 1);
	assert_int_equal(status.n_groups, getgroups(0, NULL));
	proc_status_done(&status);

	assert_int_equal(proc_stat_of_thread(getpid(), getpid(), &stat, &err), 0);
	assert_int_equal(stat.ppid, getppid());
	assert_int_equal(stat.state, 'R');
}

static void status_with_levels_and_groups(void **state UNUSED)
{
	static const char text[] = "Name:\tx\nUmask:\t0022\nState:\tS (sleeping)\nTgid:\t30\n"
				   "Pid:\t31\nPPid:\t1\nTracerPid:\t5\nUid:\t1\t2\t3\t4\n"
				   "Gid:\t5\t6\t7\t8\nGroups:\t10 20 30 \nNStgid:\t30\t4\t1\n"
				   "NSpid:\t31\t5\t2\nSigCgt:\t0000000000014002\nSeccomp:\t2\n"
				   "NoNewPrivs:\t1\nCapEff:\t000001fffeffffff\nNew:\tthing\n"
				   "x86_Thread_features:\tshstk wrss\n";
	struct proc_status status;

	assert_int_equal(proc_status_parse(text, strlen(text), &status, NULL), 0);
	assert_int_equal(status.umask, 022);
	assert_int_equal(status.tracer, 5);
	assert_int_equal(status.uid[3], 4);
	assert_int_equal(status.n_groups, 3);
	assert_int_equal(status.groups[2], 30);
	assert_int_equal(status.ns_tgid.n, 3);
	assert_int_equal(proc_ids_inner(&status.ns_pid), 2);
	assert_int_equal(status.sig_caught, 0x14002);
	assert_int_equal(status.seccomp, 2);
	assert_true(status.no_new_privs);
	assert_true(status.shadow_stack);
	assert_false(status.has_mm);
	proc_status_done(&status);
}

static void bad_status_values_are_named(void **state UNUSED)
{
	static const char *const bad[] = {
		"State:\tS\nPid:\t1\nUid:\t1\t2\t3\n",
		"State:\tS\nPid:\tx\n",
		"State:\tS\nPid:\t1\nUmask:\t9\n",
		"State:\tS\nPid:\t99999999999\n",
		"State:\tS\nPid:\t1\nGroups:\t1 x\n",
		"State:\n",
		"State:\tS\nPid:\t1\nGroups:\t1\nGroups:\t2\n",
		"",
	};
	struct proc_status status;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(proc_status_parse(bad[i], strlen(bad[i]), &status, NULL),
				 -EBADMSG);
}

static void limits_are_those_that_getrlimit_says(void **state UNUSED)
{
	struct proc_limits limits;

	assert_int_equal(proc_limits_of(getpid(), &limits, NULL), 0);
	for (unsigned int i = 0; i < PROC_N_LIMITS; i++) {
		struct rlimit want;

		assert_int_equal(getrlimit((__rlimit_resource_t)i, &want), 0);
		assert_int_equal(limits.cur[i], want.rlim_cur);
		assert_int_equal(limits.max[i], want.rlim_max);
	}
}

static void lists_of_pids(void **state UNUSED)
{
	pid_t *pids = NULL;
	size_t n = 0;

	assert_int_equal(proc_pids_parse("12 13 4194304 ", 14, &pids, &n, NULL), 0);
	assert_int_equal(n, 3);
	assert_int_equal(pids[2], 4194304);
	free(pids);
	assert_int_equal(proc_pids_parse("", 0, &pids, &n, NULL), 0);
	assert_int_equal(n, 0);
	free(pids);
	assert_int_equal(proc_pids_parse("12 -3", 5, &pids, &n, NULL), -EBADMSG);
	assert_int_equal(proc_pids_parse("12x", 3, &pids, &n, NULL), -EBADMSG);
}

static void children_threads_and_descriptors_are_found(void **state UNUSED)
{
	cleanup_free pid_t *pids = NULL;
	cleanup_free pid_t *tids = NULL;
	cleanup_free int *fds = NULL;
	bool found = false;
	int p[2];
	size_t n = 0;
	pid_t pid;

	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		char c;

		close(p[1]);
		(void)!read(p[0], &c, 1);
		_exit(0);
	}
	assert_int_equal(proc_children_of(getpid(), &pids, &n, NULL), 0);
	assert_int_equal(n, 1);
	assert_int_equal(pids[0], pid);
	assert_int_equal(proc_threads_of(pid, &tids, &n, NULL), 0);
	assert_int_equal(n, 1);
	assert_int_equal(tids[0], pid);
	assert_int_equal(proc_fds_of(getpid(), &fds, &n, NULL), 0);
	for (size_t i = 0; i < n; i++) {
		assert_true(i == 0 || fds[i - 1] < fds[i]);
		found = found || fds[i] == p[1];
	}
	assert_true(found);

	close(p[1]);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	close(p[0]);
	free(take_ptr(&pids));
	assert_int_equal(proc_children_of(pid, &pids, &n, NULL), -ESRCH);
	free(take_ptr(&fds));
	assert_int_equal(proc_fds_of(pid, &fds, &n, NULL), -ESRCH);
}

static void fdinfo_begins_alike_for_all(void **state UNUSED)
{
	static const char text[] = "pos:\t12\nflags:\t02100002\nmnt_id:\t24\nino:\t3\n"
				   "eventfd-count:               5\n";
	struct proc_fdinfo info;

	assert_int_equal(proc_fdinfo_parse(text, strlen(text), &info, NULL), 0);
	assert_int_equal(info.pos, 12);
	assert_int_equal(info.flags, 02100002);
	assert_int_equal(info.mnt_id, 24);
	assert_int_equal(info.ino, 3);
	assert_int_equal(strncmp(info.rest, "eventfd-count:", 14), 0);
	assert_int_equal(proc_fdinfo_parse("pos:\t12\n", 8, &info, NULL), -EBADMSG);
	assert_int_equal(proc_fdinfo_parse("", 0, &info, NULL), -EBADMSG);
}

static const char maps_text[] =
	"556367088000-55636708b000 r-xp 00008000 fe:00 247498                     /usr/a b\\012c\n"
	"556367100000-556367200000 rw-p 00000000 00:00 0 \n"
	"7f0000000000-7f0000001000 rw-s 00001000 00:01 99       /memfd:x (deleted)\n"
	"7ffc00000000-7ffc00021000 rw-p 00000000 00:00 0        [stack]\n";

static void maps_are_split_into_their_parts(void **state UNUSED)
{
	cleanup_proc_maps struct proc_maps maps = { NULL };

	assert_int_equal(proc_maps_parse(maps_text, strlen(maps_text), &maps, NULL), 0);
	assert_int_equal(maps.n, 4);
	assert_string_equal(maps.vmas[0].name, "/usr/a b\nc");
	assert_int_equal(maps.vmas[0].prot, PROT_READ | PROT_EXEC);
	assert_int_equal(maps.vmas[0].offset, 0x8000);
	assert_int_equal(maps.vmas[0].dev_major, 0xfe);
	assert_int_equal(maps.vmas[0].ino, 247498);
	assert_string_equal(maps.vmas[1].name, "");
	assert_false(maps.vmas[1].shared);
	assert_true(maps.vmas[2].shared);
	assert_true(maps.vmas[2].deleted);
	assert_string_equal(maps.vmas[2].name, "/memfd:x");
	assert_ptr_equal(proc_maps_find(&maps, "[stack]"), &maps.vmas[3]);
	assert_null(proc_maps_find(&maps, "[heap]"));
}

static void damaged_maps_are_refused(void **state UNUSED)
{
	static const char *const bad[] = {
		"2000-1000 r-xp 0 0:0 0\n",
		"1000-2000 r-xp 0 0:0\n",
		"1000-2000 r-x 0 0:0 0\n",
		"1000-2000 r-xq 0 0:0 0\n",
		"2000-3000 r-xp 0 0:0 0\n1000-2000 r-xp 0 0:0 0\n",
		"VmFlags: rd\n",
		"1000-20000000000000000 r-xp 0 0:0 0\n",
	};
	cleanup_proc_maps struct proc_maps maps = { NULL };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(proc_maps_parse(bad[i], strlen(bad[i]), &maps, NULL), -EBADMSG);
	for (size_t len = 0; len < strlen(maps_text); len++) {
		cleanup_free char *text = strndup(maps_text, len);

		if (proc_maps_parse(text, len, &maps, NULL) == 0)
			proc_maps_done(&maps);
	}
}

static void smaps_tell_advice_and_growth(void **state UNUSED)
{
	cleanup_proc_maps struct proc_maps maps = { NULL };
	cleanup_fd int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	uint64_t entries[2];
	bool found = false;
	char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_true(page != MAP_FAILED);
	assert_int_equal(madvise(page, 8192, MADV_DONTFORK), 0);
	page[0] = 1;
	assert_int_equal(proc_smaps_of(getpid(), &maps, NULL), 0);
	for (size_t i = 0; i < maps.n; i++) {
		if (maps.vmas[i].start != (uint64_t)(uintptr_t)page)
			continue;
		found = true;
		assert_int_equal(maps.vmas[i].end - maps.vmas[i].start, 8192);
		assert_true(maps.vmas[i].vm_flags & PROC_VM_DONTFORK);
		assert_false(maps.vmas[i].vm_flags & PROC_VM_GROWSDOWN);
	}
	assert_true(found);
	assert_non_null(proc_maps_find(&maps, "[stack]"));
	assert_true(proc_maps_find(&maps, "[stack]")->vm_flags & PROC_VM_GROWSDOWN);

	assert_true(fd >= 0);
	assert_int_equal(proc_pagemap_read(fd, (uint64_t)(uintptr_t)page, 2, entries, NULL), 0);
	assert_true(entries[0] & PROC_PAGE_PRESENT);
	assert_false(entries[1] & PROC_PAGE_PRESENT);
	munmap(page, 8192);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stat_survives_names_with_brackets),
		cmocka_unit_test(every_cut_of_a_text_is_refused_or_understood),
		cmocka_unit_test(zero_bytes_are_refused),
		cmocka_unit_test(our_own_status_is_what_we_know_of_us),
		cmocka_unit_test(status_with_levels_and_groups),
		cmocka_unit_test(bad_status_values_are_named),
		cmocka_unit_test(limits_are_those_that_getrlimit_says),
		cmocka_unit_test(lists_of_pids),
		cmocka_unit_test(children_threads_and_descriptors_are_found),
		cmocka_unit_test(fdinfo_begins_alike_for_all),
		cmocka_unit_test(maps_are_split_into_their_parts),
		cmocka_unit_test(damaged_maps_are_refused),
		cmocka_unit_test(smaps_tell_advice_and_growth),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
