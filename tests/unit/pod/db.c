/*
 * db: records survive being written and read; names are unique; an old reader sees no half.
 */
#include "pod/db.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "pod/container.h"

#include "../cmocka-all.h"

struct fixture {
	char folder[64];
	char path[96];
	struct db *db;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	(void)snprintf(f->folder, sizeof(f->folder), "/tmp/test-pod-db.XXXXXX");
	assert_non_null(mkdtemp(f->folder));
	(void)snprintf(f->path, sizeof(f->path), "%s/cryopod.db", f->folder);
	assert_int_equal(db_open(f->path, &f->db, NULL), 0);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	db_close(f->db);
	assert_int_equal(file_remove_tree_at(AT_FDCWD, f->folder, NULL), 0);
	free(f);
	return 0;
}

static struct container make(char digit, const char *name)
{
	struct container c = CONTAINER_INIT;

	memset(c.id, digit, ID_LEN);
	c.name = strdup(name);
	c.created_ns = 1234567890123456789;
	c.config = json_pack("{s:s, s:b}", "rootfsImageName", "x", "autoRemove", 1);
	assert_non_null(c.config);
	return c;
}

static void a_record_comes_back_as_it_was(void **state)
{
	struct fixture *f = *state;
	struct container c = make('a', "one");
	struct container back = CONTAINER_INIT;

	c.state.status = STATUS_PAUSED;
	c.state.init = (struct process){ .host_pid = 77, .start_ticks = 99999999999 };
	c.state.exit_code = 137;
	c.state.checkpointed_ns = 42;
	assert_int_equal(state_set_string(&c.state.checkpoint_path, "/x/y", NULL), 0);
	assert_int_equal(state_set_string(&c.state.boot_id, "boot", NULL), 0);
	assert_int_equal(db_insert(f->db, &c, NULL), 0);
	assert_int_equal(db_load(f->db, c.id, &back, NULL), 0);
	assert_string_equal(back.name, "one");
	assert_int_equal(back.created_ns, c.created_ns);
	assert_int_equal(back.state.status, STATUS_PAUSED);
	assert_int_equal(back.state.init.host_pid, 77);
	assert_int_equal(back.state.init.start_ticks, 99999999999);
	assert_int_equal(back.state.exit_code, 137);
	assert_int_equal(back.state.checkpointed_ns, 42);
	assert_string_equal(back.state.checkpoint_path, "/x/y");
	assert_null(back.state.restore_log);
	assert_true(json_equal(back.config, c.config));
	assert_true(container_config_bool(&back, "autoRemove"));
	container_done(&c);
	container_done(&back);
}

static void a_changed_state_is_kept_over_closing(void **state)
{
	struct fixture *f = *state;
	struct container c = make('a', "one");
	struct container back = CONTAINER_INIT;

	assert_int_equal(db_insert(f->db, &c, NULL), 0);
	c.state.status = STATUS_RUNNING;
	c.state.mounted = true;
	assert_int_equal(db_save_state(f->db, &c, NULL), 0);
	db_close(f->db);
	f->db = NULL;
	assert_int_equal(db_open(f->path, &f->db, NULL), 0);
	assert_int_equal(db_load(f->db, c.id, &back, NULL), 0);
	assert_int_equal(back.state.status, STATUS_RUNNING);
	assert_true(back.state.mounted);
	container_done(&c);
	container_done(&back);
}

static void names_and_ids_are_unique(void **state)
{
	struct fixture *f = *state;
	struct container one = make('a', "one");
	struct container same_name = make('b', "one");
	struct container same_id = make('a', "two");
	struct container back = CONTAINER_INIT;

	assert_int_equal(db_insert(f->db, &one, NULL), 0);
	assert_int_equal(db_insert(f->db, &same_name, NULL), -EEXIST);
	assert_int_equal(db_insert(f->db, &same_id, NULL), -EEXIST);
	assert_int_equal(db_load(f->db, same_name.id, &back, NULL), -ENOENT);
	container_done(&one);
	container_done(&same_name);
	container_done(&same_id);
}

static void found_by_name_id_and_beginning(void **state)
{
	struct fixture *f = *state;
	struct container one = make('a', "one");
	struct container two = make('a', "two");
	struct error err = ERROR_INIT;
	char id[ID_LEN + 1];

	two.id[10] = 'b';
	assert_int_equal(db_insert(f->db, &one, NULL), 0);
	assert_int_equal(db_insert(f->db, &two, NULL), 0);
	assert_int_equal(db_find(f->db, "two", id, NULL), 0);
	assert_string_equal(id, two.id);
	assert_int_equal(db_find(f->db, one.id, id, NULL), 0);
	assert_string_equal(id, one.id);
	assert_int_equal(db_find(f->db, "aaaaaaaaaab", id, NULL), 0);
	assert_string_equal(id, two.id);
	assert_int_equal(db_find(f->db, "aaaa", id, &err), -EEXIST);
	assert_non_null(strstr(err.text, "more than one result"));
	assert_int_equal(db_find(f->db, "", id, NULL), -ENOENT);
	assert_int_equal(db_find(f->db, "%", id, NULL), -ENOENT);
	assert_int_equal(db_find(f->db, "nope", id, &err), -ENOENT);
	assert_string_equal(err.text,
			    "no container with name or ID \"nope\" found: no such container");
	container_done(&one);
	container_done(&two);
}

static void latest_is_the_one_created_last(void **state)
{
	struct fixture *f = *state;
	struct container one = make('b', "one");
	struct container two = make('a', "two");
	struct strv ids = STRV_INIT;
	char id[ID_LEN + 1];

	assert_int_equal(db_latest(f->db, id, NULL), -ENOENT);
	assert_int_equal(db_insert(f->db, &one, NULL), 0);
	assert_int_equal(db_insert(f->db, &two, NULL), 0);
	assert_int_equal(db_latest(f->db, id, NULL), 0);
	assert_string_equal(id, two.id);
	assert_int_equal(db_ids(f->db, &ids, NULL), 0);
	assert_int_equal(ids.n, 2);
	assert_string_equal(ids.items[0], one.id);
	assert_int_equal(db_remove(f->db, &two, NULL), 0);
	assert_int_equal(db_latest(f->db, id, NULL), 0);
	assert_string_equal(id, one.id);
	strv_done(&ids);
	container_done(&one);
	container_done(&two);
}

static void a_removed_one_leaves_its_exit_code(void **state)
{
	struct fixture *f = *state;
	struct container c = make('a', "one");
	int code = -1;

	assert_int_equal(db_exit_code(f->db, c.id, &code, NULL), -ENOENT);
	assert_int_equal(db_insert(f->db, &c, NULL), 0);
	c.state.exit_code = 9;
	assert_int_equal(db_remove(f->db, &c, NULL), 0);
	assert_int_equal(db_exit_code(f->db, c.id, &code, NULL), 0);
	assert_int_equal(code, 9);
	assert_int_equal(db_save_state(f->db, &c, NULL), -ENOENT);
	assert_int_equal(db_save_config(f->db, &c, NULL), -ENOENT);
	container_done(&c);
}

/* Eight processes insert under their own names and one shared name. */
static void writers_at_once_lose_nothing(void **state)
{
	struct fixture *f = *state;
	struct strv ids = STRV_INIT;
	pid_t pids[8];
	int shared = 0;

	for (int i = 0; i < 8; i++) {
		pids[i] = fork();
		if (pids[i] == 0) {
			struct container own = make((char)('a' + i), "own");
			struct container same = make((char)('0' + i), "same");
			struct db *db = NULL;
			int r = db_open(f->path, &db, NULL);

			own.name[0] = (char)('A' + i);
			if (r == 0)
				r = db_insert(db, &own, NULL);
			_exit(r < 0 ? 100 : db_insert(db, &same, NULL) == 0 ? 1 : 0);
		}
		assert_true(pids[i] > 0);
	}
	for (int i = 0; i < 8; i++) {
		int status = 0;

		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_true(WIFEXITED(status) && WEXITSTATUS(status) <= 1);
		shared += WEXITSTATUS(status);
	}
	assert_int_equal(shared, 1);
	assert_int_equal(db_ids(f->db, &ids, NULL), 0);
	assert_int_equal(ids.n, 9);
	strv_done(&ids);
}

static void a_file_that_is_none_is_refused(void **state)
{
	struct fixture *f = *state;
	struct error err = ERROR_INIT;
	struct db *db = NULL;
	char path[128];

	(void)snprintf(path, sizeof(path), "%s/garbage", f->folder);
	assert_int_equal(
		file_write_atomic_at(AT_FDCWD, path, "this is no database, is it?", 27, 0600, NULL),
		0);
	assert_int_equal(db_open(path, &db, &err), -EBADMSG);
	assert_non_null(strstr(err.text, path));
	assert_int_equal(db_open("/nonexistent/cryopod.db", &db, &err), -EIO);
	assert_null(db);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(a_record_comes_back_as_it_was),  TEST(a_changed_state_is_kept_over_closing),
		TEST(names_and_ids_are_unique),	      TEST(found_by_name_id_and_beginning),
		TEST(latest_is_the_one_created_last), TEST(a_removed_one_leaves_its_exit_code),
		TEST(writers_at_once_lose_nothing),   TEST(a_file_that_is_none_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
