#include "../cmocka-all.h"

#include <errno.h>
#include <stdatomic.h>

#include "base/cleanup.h"
#include "base/crew.h"
#include "base/err.h"

#define JOBS 1000

struct board {
	atomic_uint done[JOBS];
	atomic_uint begun;
	unsigned int size;
	size_t fails_from;
};

static int tick(void *arg, unsigned int worker, size_t job, struct error *err)
{
	struct board *board = arg;

	atomic_fetch_add(&board->begun, 1);
	if (worker >= board->size)
		return err_set(err, -EINVAL, "worker %u", worker);
	if (job >= board->fails_from)
		return err_set(err, -EIO, "job %zu", job);
	atomic_fetch_add(&board->done[job], 1);
	return 0;
}

static void each_job_once(void **state UNUSED)
{
	static struct board board;
	struct error err = ERROR_INIT;
	struct crew *crew = crew_new();

	assert_non_null(crew);
	board.size = crew_size(crew);
	board.fails_from = SIZE_MAX;
	for (unsigned int round = 1; round <= 20; round++) {
		assert_int_equal(crew_run(crew, JOBS, tick, &board, &err), 0);
		for (size_t i = 0; i < JOBS; i++)
			assert_int_equal(board.done[i], round);
	}
	assert_int_equal(crew_run(crew, 0, tick, &board, &err), 0);
	assert_int_equal(crew_run(crew, 1, tick, &board, &err), 0);
	assert_int_equal(board.done[0], 21);
	crew_free(crew);
}

static void failure_ends_it(void **state UNUSED)
{
	static struct board board;
	struct error err = ERROR_INIT;
	struct crew *crew = crew_new();

	assert_non_null(crew);
	board.size = crew_size(crew);
	board.fails_from = 10;
	assert_int_equal(crew_run(crew, JOBS, tick, &board, &err), -EIO);
	assert_int_equal(err.code, -EIO);
	assert_memory_equal(err.text, "job 1", 5);
	assert_true(board.begun <= 10 + crew_size(crew));
	for (size_t i = 0; i < 10; i++)
		assert_int_equal(board.done[i], 1);
	/* It can be used again. */
	board.fails_from = SIZE_MAX;
	assert_int_equal(crew_run(crew, 5, tick, &board, NULL), 0);
	crew_free(crew);
	crew_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_job_once),
		cmocka_unit_test(failure_ends_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
