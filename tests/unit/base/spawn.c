#include "../cmocka-all.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/spawn.h"
#include "cryo/error.h"

static void run(const char *const *argv, struct spawn *spawn, struct spawn_result *result)
{
	struct error err = ERROR_INIT;

	spawn->argv = (char *const *)argv;
	assert_int_equal(spawn_run(spawn, result, &err), 0);
}

static void test_outputs_are_captured_apart(void **state)
{
	static const char *const argv[] = { "sh", "-c",
					    "echo out; echo first >&2; echo last >&2; exit 3",
					    NULL };
	struct spawn spawn = SPAWN_INIT;
	cleanup_spawn struct spawn_result result = SPAWN_RESULT_INIT;
	struct error err = ERROR_INIT;

	(void)state;
	run(argv, &spawn, &result);
	assert_string_equal(buf_str(&result.out), "out\n");
	assert_string_equal(buf_str(&result.err), "first\nlast\n");
	assert_int_equal(WEXITSTATUS(result.status), 3);
	assert_int_equal(spawn_check("helper", &result, &err), -EIO);
	assert_string_equal(err.text, "helper: exit status 3: last");
}

static void test_much_output_is_cut_and_does_not_block(void **state)
{
	static const char *const argv[] = { "head", "-c", "1000000", "/dev/zero", NULL };
	struct spawn spawn = SPAWN_INIT;
	cleanup_spawn struct spawn_result result = SPAWN_RESULT_INIT;

	(void)state;
	spawn.max_captured = 1000;
	run(argv, &spawn, &result);
	assert_int_equal(result.out.len, 1000);
	assert_int_equal(spawn_check("head", &result, NULL), 0);
}

static void test_absent_program_is_told(void **state)
{
	static const char *const argv[] = { "no-such-program-here", NULL };
	struct spawn spawn = SPAWN_INIT;
	cleanup_spawn struct spawn_result result = SPAWN_RESULT_INIT;
	struct error err = ERROR_INIT;

	(void)state;
	spawn.argv = (char *const *)argv;
	assert_int_equal(spawn_run(&spawn, &result, &err), -ENOENT);
	assert_string_equal(err.text, "run 'no-such-program-here': No such file or directory");
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* no child is left */
}

static void test_deadline_kills(void **state)
{
	static const char *const argv[] = { "sleep", "60", NULL };
	struct spawn spawn = SPAWN_INIT;
	cleanup_spawn struct spawn_result result = SPAWN_RESULT_INIT;
	struct error err = ERROR_INIT;
	uint64_t begin = clock_mono_ns();

	(void)state;
	spawn.argv = (char *const *)argv;
	spawn.timeout_ns = 50 * NS_PER_MS;
	assert_int_equal(spawn_run(&spawn, &result, &err), -ETIMEDOUT);
	assert_true(clock_mono_ns() - begin < 30 * NS_PER_SEC);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

static void test_only_the_named_descriptors_arrive(void **state)
{
	static const char *const argv[] = { "sh", "-c", "cat <&3; ls /proc/self/fd | wc -l", NULL };
	struct spawn spawn = SPAWN_INIT;
	cleanup_spawn struct spawn_result result = SPAWN_RESULT_INIT;
	int stray = dup2(2, 77); /* without O_CLOEXEC: must not arrive all the same */
	int ends[2];

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_int_equal(write(ends[1], "hello\n", 6), 6);
	(void)close(ends[1]);
	spawn.fds = &ends[0];
	spawn.n_fds = 1;
	run(argv, &spawn, &result);
	/* 0, 1, 2, 3 and the folder that ls reads */
	assert_string_equal(buf_str(&result.out), "hello\n5\n");
	(void)close(ends[0]);
	(void)close(stray);
}

static void test_swapped_descriptors_are_placed(void **state)
{
	static const char *const argv[] = { "sh", "-c", "cat <&3; cat <&4", NULL };
	struct spawn spawn = SPAWN_INIT;
	cleanup_spawn struct spawn_result result = SPAWN_RESULT_INIT;
	int a[2];
	int b[2];
	int fds[2];

	(void)state;
	assert_int_equal(pipe2(a, O_CLOEXEC), 0);
	assert_int_equal(pipe2(b, O_CLOEXEC), 0);
	assert_int_equal(write(a[1], "a", 1), 1);
	assert_int_equal(write(b[1], "b", 1), 1);
	(void)close(a[1]);
	(void)close(b[1]);
	fds[0] = b[0] > a[0] ? b[0] : a[0]; /* the higher one becomes 3, the lower one 4 */
	fds[1] = b[0] > a[0] ? a[0] : b[0];
	spawn.fds = fds;
	spawn.n_fds = 2;
	run(argv, &spawn, &result);
	assert_string_equal(buf_str(&result.out), b[0] > a[0] ? "ba" : "ab");
	(void)close(a[0]);
	(void)close(b[0]);
}

static void test_helper_dies_with_its_parent(void **state)
{
	static const char *const argv[] = { "sleep", "60", NULL };
	char text[32] = { 0 };
	int status;
	int ends[2];
	pid_t middle;

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	middle = fork();
	if (middle == 0) {
		struct spawn spawn = SPAWN_INIT;
		pid_t pid = -1;

		spawn.argv = (char *const *)argv;
		spawn.out = ends[1];
		spawn.err = SPAWN_NULL;
		if (spawn_start(&spawn, &pid, NULL) < 0)
			_exit(1);
		(void)!write(ends[1], "x", 1);
		(void)pause();
		_exit(1);
	}
	(void)close(ends[1]);
	assert_int_equal(read(ends[0], text, 1), 1);
	assert_int_equal(kill(middle, SIGKILL), 0);
	assert_int_equal(waitpid(middle, &status, 0), middle);
	/* end of file comes when the last writer, the helper, is gone */
	assert_int_equal(read(ends[0], text, 1), 0);
	(void)close(ends[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_outputs_are_captured_apart),
		cmocka_unit_test(test_much_output_is_cut_and_does_not_block),
		cmocka_unit_test(test_absent_program_is_told),
		cmocka_unit_test(test_deadline_kills),
		cmocka_unit_test(test_only_the_named_descriptors_arrive),
		cmocka_unit_test(test_swapped_descriptors_are_placed),
		cmocka_unit_test(test_helper_dies_with_its_parent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
