/*
 * Tapes are planned here and played for true: by the native player in forked
 * children, and by the blob in a child that has nothing else left.
 */
#include "../cmocka-all.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/rseq.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "trace/area.h"
#include "trace/tape.h"

#define FAR_ADDR UINT64_C(0x200000000000)

struct live {
	int fd;
	struct pie_area *at;
	size_t size;
};

static void live_open(struct live *live, struct area *area)
{
	struct error err = ERROR_INIT;

	if (area_seal(area, &err) < 0)
		fail_msg("%s", err.text);
	live->size = area->size;
	live->fd = memfd_create("area", MFD_CLOEXEC);
	assert_true(live->fd >= 0);
	assert_int_equal(ftruncate(live->fd, (off_t)area->size), 0);
	live->at =
		mmap(NULL, area->size, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_SHARED, live->fd, 0);
	assert_true(live->at != MAP_FAILED);
	area_write(area, live->at);
}

static void live_close(struct live *live)
{
	munmap(live->at, live->size);
	close(live->fd);
}

/* Plays in a child of ours; what it exited with. */
static int play_in_child(struct live *live, uint32_t tape)
{
	int status = 0;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		_exit(pie_play(live->at, tape) < 0 ? 1 : 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void arguments_of_all_kinds_reach_the_kernel(void **state UNUSED)
{
	cleanup_area struct area area;
	struct tape *t;
	struct live live;
	uint64_t fds;
	uint64_t text;
	uint64_t back;
	uint64_t len;
	uint32_t pid;
	uint32_t got;
	uint32_t wrote;
	uint32_t sent;

	assert_int_equal(area_init(&area, NULL), 0);
	t = area_add_tape(&area, 7, "pipe");
	fds = area_alloc(&area, 8, 4);
	text = area_add_string(&area, "through a pipe");
	back = area_alloc(&area, 32, 8);
	len = area_alloc(&area, 8, 8);
	(void)tape_op(t, PIE_OP_STORE64, TAPE_ARGS(tape_at(len), tape_imm(15)), "length");
	(void)tape_call(t, SYS_pipe2, TAPE_ARGS(tape_at(fds), tape_imm(O_CLOEXEC)), "a pipe");
	wrote = tape_call(t, SYS_write,
			  TAPE_ARGS(tape_load32(fds + 4), tape_at(text), tape_load64(len)),
			  "write");
	tape_expect(t, wrote, PIE_RULE_EQUAL, 15);
	got = tape_call(t, SYS_read, TAPE_ARGS(tape_load32(fds), tape_at(back), tape_slot(wrote)),
			"read");
	tape_expect(t, got, PIE_RULE_AT_LEAST, 15);
	(void)tape_op(t, PIE_OP_COPY, TAPE_ARGS(tape_at(back + 16), tape_at(back), tape_imm(15)),
		      "copy");
	pid = tape_call(t, SYS_getpid, TAPE_ARGS(), "who");
	sent = tape_call(t, SYS_kill, TAPE_ARGS(tape_slot(pid), tape_imm(0)), "alive");

	live_open(&live, &area);
	assert_int_equal(play_in_child(&live, t->index), 0);
	assert_int_equal(area_fault(&area, live.at, NULL), 0);
	assert_string_equal((char *)live.at + back, "through a pipe");
	assert_string_equal((char *)live.at + back + 16, "through a pipe");
	assert_int_equal(tape_result(t, live.at, sent), 0);
	assert_true(tape_result(t, live.at, pid) > 0);
	live_close(&live);
}

static void a_fault_is_told_by_its_label(void **state UNUSED)
{
	struct error err = ERROR_INIT;
	cleanup_area struct area area;
	struct live live;
	struct tape *t;
	uint64_t path;
	uint32_t after;

	assert_int_equal(area_init(&area, NULL), 0);
	t = area_add_tape(&area, 7, "open");
	path = area_add_string(&area, "/no/such/file");
	(void)tape_call(t, SYS_getpid, TAPE_ARGS(), "who");
	(void)tape_call(t, SYS_openat, TAPE_ARGS(tape_imm((uint64_t)AT_FDCWD), tape_at(path)),
			"open %s", "/no/such/file");
	after = tape_call(t, SYS_getpid, TAPE_ARGS(), "never");

	live_open(&live, &area);
	assert_int_not_equal(play_in_child(&live, t->index), 0);
	assert_int_equal(area_fault(&area, live.at, &err), -ENOENT);
	assert_string_equal(err.text,
			    "task 7: open /no/such/file: openat: No such file or directory");
	assert_int_equal(err.code, -ENOENT);
	assert_int_equal(tape_result(t, live.at, after), 0);
	live_close(&live);
}

static void rules_decide_what_is_a_fault(void **state UNUSED)
{
	struct error err = ERROR_INIT;
	cleanup_area struct area area;
	struct live live;
	struct tape *t;
	uint32_t e;

	assert_int_equal(area_init(&area, NULL), 0);
	t = area_add_tape(&area, 1, "rules");
	e = tape_call(t, SYS_close, TAPE_ARGS(tape_imm(9999)), "may fail");
	tape_expect(t, e, PIE_RULE_ANY, 0);
	e = tape_call(t, SYS_close, TAPE_ARGS(tape_imm(9999)), "EBADF is fine");
	tape_expect(t, e, PIE_RULE_OK_OR, EBADF);
	e = tape_call(t, SYS_getppid, TAPE_ARGS(), "another number");
	tape_expect(t, e, PIE_RULE_EQUAL, 0x7fffffff);

	live_open(&live, &area);
	assert_int_not_equal(play_in_child(&live, t->index), 0);
	assert_int_equal(area_fault(&area, live.at, &err), -EPROTO);
	assert_non_null(strstr(err.text, "task 1: another number: getppid: gave "));
	assert_non_null(strstr(err.text, " where 2147483647 was expected"));
	live_close(&live);
}

static void the_epilogue_is_played_in_any_case(void **state UNUSED)
{
	cleanup_area struct area area;
	struct live live;
	struct tape *t;
	uint32_t skipped;
	uint32_t cleaned;
	uint32_t last;

	assert_int_equal(area_init(&area, NULL), 0);
	t = area_add_tape(&area, 1, "epilogue");
	(void)tape_call(t, SYS_close, TAPE_ARGS(tape_imm(9999)), "fails");
	skipped = tape_call(t, SYS_getpid, TAPE_ARGS(), "skipped");
	tape_epilogue(t);
	cleaned = tape_call(t, SYS_getpid, TAPE_ARGS(), "cleaned");
	(void)tape_call(t, SYS_close, TAPE_ARGS(tape_imm(9998)), "fails as well");
	last = tape_call(t, SYS_getpid, TAPE_ARGS(), "last");

	live_open(&live, &area);
	assert_int_equal(play_in_child(&live, t->index), 0);
	assert_int_equal(area_fault(&area, live.at, NULL), -EBADF);
	assert_int_equal(live.at->fault.entry, 0);
	assert_int_equal(tape_result(t, live.at, skipped), 0);
	assert_true(tape_result(t, live.at, cleaned) > 0);
	assert_true(tape_result(t, live.at, last) > 0);
	live_close(&live);
}

/* Three levels of forks whose members wait for each other. */
static void forked_players_meet_at_barriers(void **state UNUSED)
{
	const struct clone_args ca = { .exit_signal = SIGCHLD };
	cleanup_area struct area area;
	struct live live;
	struct tape *t[3];
	uint64_t word;
	uint64_t args;
	uint32_t fork[3] = { 0 };
	uint32_t wait;

	assert_int_equal(area_init(&area, NULL), 0);
	word = area_add_word(&area);
	args = area_add(&area, &ca, sizeof(ca));
	for (uint32_t i = 0; i < 3; i++)
		t[i] = area_add_tape(&area, i + 1, "tree");
	for (uint32_t i = 0; i < 3; i++) {
		if (i < 2)
			fork[i] = tape_fork(t[i], args, t[i + 1], "fork %u", i + 1);
		tape_post(t[i], word, "here");
		tape_barrier(t[i], word, 3, "all here");
		if (i < 2) {
			wait = tape_call(t[i], SYS_wait4, TAPE_ARGS(tape_slot(fork[i])), "reap");
			tape_expect(t[i], wait, PIE_RULE_AT_LEAST, 1);
		}
	}

	live_open(&live, &area);
	assert_int_equal(play_in_child(&live, t[0]->index), 0);
	assert_int_equal(area_fault(&area, live.at, NULL), 0);
	assert_int_equal(*(uint32_t *)((char *)live.at + word), 3);
	assert_int_equal(live.at->event, 3);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	live_close(&live);
}

static void a_pid_can_be_chosen_through_the_area(void **state UNUSED)
{
	struct clone_args ca = { .exit_signal = SIGCHLD, .set_tid_size = 1 };
	cleanup_area struct area area;
	struct live live;
	struct tape *t;
	struct tape *child;
	int32_t wanted;
	uint32_t fork_entry;
	uint32_t e;
	pid_t pid;

	if (geteuid() != 0)
		skip();
	pid = fork(); /* a number that was free a moment ago */
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	wanted = pid;

	assert_int_equal(area_init(&area, NULL), 0);
	ca.set_tid = area_add(&area, &wanted, sizeof(wanted));
	t = area_add_tape(&area, 1, "parent");
	child = area_add_tape(&area, 2, "child");
	fork_entry = tape_fork(t, area_add(&area, &ca, sizeof(ca)), child, "fork %d", wanted);
	tape_expect(t, fork_entry, PIE_RULE_EQUAL, wanted);
	e = tape_call(t, SYS_wait4, TAPE_ARGS(tape_slot(fork_entry)), "reap");
	tape_expect(t, e, PIE_RULE_EQUAL, wanted);
	e = tape_call(child, SYS_getpid, TAPE_ARGS(), "who");
	tape_expect(child, e, PIE_RULE_EQUAL, wanted);

	live_open(&live, &area);
	assert_int_equal(play_in_child(&live, t->index), 0);
	assert_int_equal(area_fault(&area, live.at, NULL), 0);
	live_close(&live);
}

/* The kernel would write there after it is unmapped, whenever it takes the processor away. */
static void forget_rseq(struct tape *tape)
{
	uint64_t size = getauxval(AT_RSEQ_FEATURE_SIZE);

	if (!__rseq_size)
		return;
	size = size <= 32 ? 32 : (size + 31) & ~UINT64_C(31);
	(void)tape_call(tape, SYS_rseq,
			TAPE_ARGS(tape_imm((uint64_t)(uintptr_t)__builtin_thread_pointer() +
					   (uint64_t)__rseq_offset),
				  tape_imm(size), tape_imm(RSEQ_FLAG_UNREGISTER),
				  tape_imm(RSEQ_SIG)),
			"leave restartable sequences");
}

/* The way of every restored task: out of our image, into the area, all else unmapped. */
static void becoming_leaves_nothing_but_the_area(void **state UNUSED)
{
	struct error err = ERROR_INIT;
	cleanup_area struct area area;
	struct live live;
	struct tape *build;
	struct tape *become;
	uint64_t path;
	uint64_t maps;
	uint32_t e;
	uint32_t got;
	uint32_t fd;
	uint32_t map_entry;
	int status;
	char *text;

	assert_int_equal(area_init(&area, NULL), 0);
	build = area_add_tape(&area, 5, "build");
	become = area_add_tape(&area, 5, "become");
	path = area_add_string(&area, "/proc/self/maps");
	maps = area_alloc(&area, 8192, 8);
	forget_rseq(build);
	map_entry = tape_call(build, SYS_mmap,
			      TAPE_ARGS(tape_imm(FAR_ADDR), tape_imm(1 << 20),
					tape_imm(PROT_READ | PROT_WRITE | PROT_EXEC),
					tape_imm(MAP_SHARED | MAP_FIXED_NOREPLACE), tape_imm(200)),
			      "the area, far away");
	tape_expect(build, map_entry, PIE_RULE_EQUAL, (int64_t)FAR_ADDR);
	tape_become(build, tape_imm(FAR_ADDR), become, "leave our image");

	(void)tape_call(become, SYS_munmap,
			TAPE_ARGS(tape_imm(0x1000), tape_imm(FAR_ADDR - 0x1000)), "unmap below");
	(void)tape_call(become, SYS_munmap,
			TAPE_ARGS(tape_imm(FAR_ADDR + (1 << 20)),
				  tape_imm(0x7ffffffff000 - FAR_ADDR - (1 << 20))),
			"unmap above");
	fd = tape_call(become, SYS_openat, TAPE_ARGS(tape_imm(0), tape_at(path)), "open maps");
	got = tape_call(become, SYS_read, TAPE_ARGS(tape_slot(fd), tape_at(maps), tape_imm(8191)),
			"read maps");
	e = tape_call(become, SYS_exit_group, TAPE_ARGS(tape_imm(42)), "done");
	(void)e;

	live_open(&live, &area);
	assert_true(area.size <= 1 << 20);
	assert_int_equal(ftruncate(live.fd, 1 << 20), 0);
	assert_int_equal(dup2(live.fd, 200), 200);
	status = play_in_child(&live, build->index);
	close(200);
	if (area_fault(&area, live.at, &err) < 0)
		fail_msg("%s", err.text);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 42);

	/* One line for the area; vsyscall is no mapping and can't be unmapped. */
	assert_true(tape_result(become, live.at, got) > 0);
	text = (char *)live.at + maps;
	assert_int_equal(strncmp(text, "200000000000-200000100000 rwxs", 30), 0);
	text = strchr(text, '\n') + 1;
	if (*text)
		assert_non_null(strstr(text, "[vsyscall]"));
	live_close(&live);
}

static void a_jump_sets_the_flags(void **state UNUSED)
{
	cleanup_area struct area area;
	struct live live;
	struct tape *t;
	uint64_t code;
	static const unsigned char exit_by_flags[] = {
		0x9c, 0x5f,		      /* pushf; pop rdi */
		0x83, 0xe7, 0x01,	      /* and edi, 1: carry */
		0xb8, 0xe7, 0x00, 0x00, 0x00, /* mov eax, exit_group */
		0x0f, 0x05,		      /* syscall */
	};

	for (unsigned int carry = 0; carry < 2; carry++) {
		assert_int_equal(area_init(&area, NULL), 0);
		t = area_add_tape(&area, 1, "jump");
		code = area_add(&area, exit_by_flags, sizeof(exit_by_flags));
		(void)tape_op(t, PIE_OP_JUMP, TAPE_ARGS(tape_at(code), tape_imm(0x202 | carry)),
			      "out");
		live_open(&live, &area);
		assert_int_equal(WEXITSTATUS(play_in_child(&live, t->index)), carry);
		live_close(&live);
		area_done(&area);
	}
	assert_int_equal(area_init(&area, NULL), 0);
}

static void tapes_are_printed_before_they_are_played(void **state UNUSED)
{
	cleanup_buf struct buf out = BUF_INIT;
	cleanup_area struct area area;
	struct tape *t;
	uint64_t path;
	uint32_t fd;
	uint32_t map;

	assert_int_equal(area_init(&area, NULL), 0);
	t = area_add_tape(&area, 7, "become");
	path = area_add_string(&area, "/usr/lib/libc.so.6");
	fd = tape_call(t, SYS_openat, TAPE_ARGS(tape_imm(3), tape_at(path)), "open %s",
		       "/usr/lib/libc.so.6");
	map = tape_call(t, SYS_mmap,
			TAPE_ARGS(tape_imm(0x7f1200000000), tape_imm(4096), tape_imm(PROT_READ),
				  tape_imm(MAP_PRIVATE), tape_slot(fd)),
			"mapping %x", 0x7f12);
	tape_expect(t, map, PIE_RULE_EQUAL, 0x7f1200000000);
	tape_epilogue(t);
	(void)tape_op(t, PIE_OP_JUMP, TAPE_ARGS(tape_imm(0x5000)), "%s", "");
	assert_int_equal(area_seal(&area, NULL), 0);
	area_explain(&area, &out);
	assert_non_null(strstr(buf_str(&out), "task 7: tape 0 (become), 3 entries\n"));
	assert_non_null(strstr(buf_str(&out), "-- open /usr/lib/libc.so.6\n"));
	assert_non_null(strstr(buf_str(&out), "  mmap(0x7f1200000000, 0x1000, 1, 2, result 0) must "
					      "give 0x7f1200000000  -- mapping 7f12\n"));
	assert_non_null(strstr(buf_str(&out), "in any case:\n"));
}

static void additions_after_the_seal_are_refused(void **state UNUSED)
{
	cleanup_area struct area area;
	struct tape *t;

	assert_int_equal(area_init(&area, NULL), 0);
	t = area_add_tape(&area, 7, "x");
	assert_int_equal(area_seal(&area, NULL), 0);
	assert_int_equal(tape_call(t, SYS_getpid, TAPE_ARGS(), "late"), 0);
	assert_true(area.failed);
	assert_null(area_add_tape(&area, 8, "late"));
	assert_int_equal(tape_call(NULL, SYS_getpid, TAPE_ARGS(), "no tape"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(arguments_of_all_kinds_reach_the_kernel),
		cmocka_unit_test(a_fault_is_told_by_its_label),
		cmocka_unit_test(rules_decide_what_is_a_fault),
		cmocka_unit_test(the_epilogue_is_played_in_any_case),
		cmocka_unit_test(forked_players_meet_at_barriers),
		cmocka_unit_test(a_pid_can_be_chosen_through_the_area),
		cmocka_unit_test(becoming_leaves_nothing_but_the_area),
		cmocka_unit_test(a_jump_sets_the_flags),
		cmocka_unit_test(tapes_are_printed_before_they_are_played),
		cmocka_unit_test(additions_after_the_seal_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
