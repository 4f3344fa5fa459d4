#include "pod/db.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/err.h"
#include "pod/container.h"

#define SCHEMA_VERSION 1
#define BUSY_TIMEOUT_MS 30000
/* Pages in the log before it is folded into the database: short logs open fast. */
#define WAL_PAGES 128
#define EXIT_CODE_KEPT_NS (UINT64_C(300) * NS_PER_SEC)

struct db {
	sqlite3 *sql;
};

static const char schema_1[] =
	"CREATE TABLE containers("
	" id TEXT PRIMARY KEY NOT NULL,"
	" name TEXT UNIQUE NOT NULL,"
	" serial INTEGER UNIQUE NOT NULL," /* the order of creation */
	" created_ns INTEGER NOT NULL,"
	" config TEXT NOT NULL);"
	"CREATE TABLE states("
	" id TEXT PRIMARY KEY NOT NULL REFERENCES containers(id) ON DELETE CASCADE,"
	" status INTEGER NOT NULL,"
	" init_pid INTEGER NOT NULL, init_start INTEGER NOT NULL,"
	" conmon_pid INTEGER NOT NULL, conmon_start INTEGER NOT NULL,"
	" started_ns INTEGER NOT NULL, finished_ns INTEGER NOT NULL,"
	" exit_code INTEGER NOT NULL,"
	" mounted INTEGER NOT NULL, needs_cleanup INTEGER NOT NULL,"
	" checkpointed INTEGER NOT NULL, checkpointed_ns INTEGER NOT NULL,"
	" checkpoint_path TEXT, checkpoint_log TEXT,"
	" restored INTEGER NOT NULL, restored_ns INTEGER NOT NULL,"
	" restore_log TEXT, boot_id TEXT);"
	/* of containers that are gone */
	"CREATE TABLE exit_codes("
	" id TEXT PRIMARY KEY NOT NULL, code INTEGER NOT NULL, when_ns INTEGER NOT NULL);";

static int db_fail(struct db *db, const char *doing, struct error *err)
{
	int code = sqlite3_extended_errcode(db->sql);
	const char *text = sqlite3_errmsg(db->sql);

	switch (code & 0xff) {
	case SQLITE_CONSTRAINT:
		return err_set(err, -EEXIST, "%s: %s", doing, text);
	case SQLITE_BUSY:
		return err_set(err, -EBUSY, "%s: another command holds the database", doing);
	case SQLITE_FULL:
		return err_set(err, -ENOSPC, "%s: %s", doing, text);
	case SQLITE_NOMEM:
		return err_oom(err);
	case SQLITE_READONLY:
	case SQLITE_PERM:
		return err_set(err, -EACCES, "%s: %s", doing, text);
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return err_set(err, -EBADMSG, "%s: %s", doing, text);
	default:
		return err_set(err, -EIO, "%s: %s", doing, text);
	}
}

static int db_exec(struct db *db, const char *sql, const char *doing, struct error *err)
{
	if (sqlite3_exec(db->sql, sql, NULL, NULL, NULL) != SQLITE_OK)
		return db_fail(db, doing, err);
	return 0;
}

static void statement_done(sqlite3_stmt **statement)
{
	(void)sqlite3_finalize(*statement); /* tells again what step told */
}
#define cleanup_statement __attribute__((cleanup(statement_done)))

static int db_prepare(struct db *db, const char *sql, sqlite3_stmt **ret, struct error *err)
{
	if (sqlite3_prepare_v2(db->sql, sql, -1, ret, NULL) != SQLITE_OK)
		return db_fail(db, "read the database", err);
	return 0;
}

/* Ends a transaction that was not committed. */
static void rollback_p(struct db **db)
{
	if (*db && !sqlite3_get_autocommit((*db)->sql))
		(void)sqlite3_exec((*db)->sql, "ROLLBACK", NULL, NULL, NULL); /* it is the net */
}
#define cleanup_rollback __attribute__((cleanup(rollback_p)))

/* --- opening ------------------------------------------------------------- */

static int user_version(struct db *db, int *ret, struct error *err)
{
	cleanup_statement sqlite3_stmt *st = NULL;
	int r = db_prepare(db, "PRAGMA user_version", &st, err);

	if (r < 0)
		return r;
	if (sqlite3_step(st) != SQLITE_ROW)
		return db_fail(db, "read the database's version", err);
	*ret = sqlite3_column_int(st, 0);
	return 0;
}

static int make_tables(struct db *db, struct error *err)
{
	cleanup_rollback struct db *transaction = db;
	char set_version[48];
	int version = 0;
	int r;

	r = db_exec(db, "BEGIN IMMEDIATE", "begin making tables", err);
	if (r == 0)
		r = user_version(db, &version, err); /* another may have been quicker */
	if (r < 0)
		return r;
	if (version == 0) {
		(void)snprintf(set_version, sizeof(set_version), "PRAGMA user_version=%d",
			       SCHEMA_VERSION);
		r = db_exec(db, schema_1, "make tables", err);
		if (r == 0)
			r = db_exec(db, set_version, "set the database's version", err);
		if (r < 0)
			return r;
	}
	return db_exec(db, "COMMIT", "make tables", err);
}

static int check_version(struct db *db, struct error *err)
{
	int version = 0;
	int r = user_version(db, &version, err);

	if (r < 0)
		return r;
	if (version == 0) {
		/* Journal mode can't be changed inside a transaction; it is kept in the file. */
		r = db_exec(db, "PRAGMA journal_mode=WAL", "set the journal mode", err);
		return r < 0 ? r : make_tables(db, err);
	}
	if (version != SCHEMA_VERSION) {
		r = err_set(err, -EOPNOTSUPP, "the database has version %d, this program knows %d",
			    version, SCHEMA_VERSION);
		err_hint(err, "it was written by a newer cryopod: use that one, or another --root");
		return r;
	}
	return 0;
}

/*
 * The last one to close would fold the log into the database, with two fsyncs:
 * that is left to the automatic checkpoint of a later commit. The log survives.
 */
static int set_up(struct db *db, struct error *err)
{
	if (sqlite3_busy_timeout(db->sql, BUSY_TIMEOUT_MS) != SQLITE_OK ||
	    sqlite3_db_config(db->sql, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL) != SQLITE_OK ||
	    sqlite3_wal_autocheckpoint(db->sql, WAL_PAGES) != SQLITE_OK)
		return db_fail(db, "set up the database", err);
	return db_exec(db, "PRAGMA foreign_keys=ON; PRAGMA synchronous=NORMAL",
		       "set up the database", err);
}

int db_open(const char *path, struct db **ret_db, struct error *err)
{
	struct db *db = calloc(1, sizeof(*db));
	int r;

	if (!db)
		return err_oom(err);
	if (sqlite3_open_v2(path, &db->sql,
			    SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
			    NULL) != SQLITE_OK)
		r = db->sql ? db_fail(db, "open", err) : err_oom(err);
	else
		r = set_up(db, err);
	if (r == 0)
		r = check_version(db, err);
	if (r < 0) {
		db_close(db);
		return err_wrap(err, r, "database '%s'", path);
	}
	*ret_db = db;
	return 0;
}

void db_close(struct db *db)
{
	if (!db)
		return;
	(void)sqlite3_close(db->sql); /* all statements are finalized by their scopes */
	free(db);
}

/* --- rows ---------------------------------------------------------------- */

static void bind_text(sqlite3_stmt *st, int column, const char *text)
{
	(void)sqlite3_bind_text(st, column, text, -1, SQLITE_STATIC); /* NULL binds NULL */
}

static void bind_int(sqlite3_stmt *st, int column, int64_t value)
{
	(void)sqlite3_bind_int64(st, column, value);
}

static int bind_config(sqlite3_stmt *st, int column, const json_t *config, struct error *err)
{
	char *text = json_dumps(config, JSON_COMPACT | JSON_SORT_KEYS);

	if (!text)
		return err_oom(err);
	(void)sqlite3_bind_text(st, column, text, -1, free); /* frees it in any case */
	return 0;
}

static int step_done(struct db *db, sqlite3_stmt *st, const char *doing, struct error *err)
{
	if (sqlite3_step(st) != SQLITE_DONE)
		return db_fail(db, doing, err);
	return 0;
}

/* Parameters 1..18 of both the insert and the update of a state. */
static void bind_state(sqlite3_stmt *st, const struct container *c)
{
	const struct container_state *s = &c->state;

	bind_text(st, 1, c->id);
	bind_int(st, 2, (int)s->status);
	bind_int(st, 3, s->init.host_pid);
	bind_int(st, 4, (int64_t)s->init.start_ticks);
	bind_int(st, 5, s->conmon.host_pid);
	bind_int(st, 6, (int64_t)s->conmon.start_ticks);
	bind_int(st, 7, (int64_t)s->started_ns);
	bind_int(st, 8, (int64_t)s->finished_ns);
	bind_int(st, 9, s->exit_code);
	bind_int(st, 10, s->mounted);
	bind_int(st, 11, s->needs_cleanup);
	bind_int(st, 12, s->checkpointed);
	bind_int(st, 13, (int64_t)s->checkpointed_ns);
	bind_text(st, 14, s->checkpoint_path);
	bind_text(st, 15, s->checkpoint_log);
	bind_int(st, 16, s->restored);
	bind_int(st, 17, (int64_t)s->restored_ns);
	bind_text(st, 18, s->restore_log);
	bind_text(st, 19, s->boot_id);
}

static int insert_state(struct db *db, const struct container *c, struct error *err)
{
	cleanup_statement sqlite3_stmt *st = NULL;
	int r = db_prepare(db,
			   "INSERT INTO states VALUES"
			   "(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17,?18,?19)",
			   &st, err);

	if (r < 0)
		return r;
	bind_state(st, c);
	return step_done(db, st, "remember the container's state", err);
}

static int insert_container(struct db *db, const struct container *c, struct error *err)
{
	cleanup_statement sqlite3_stmt *st = NULL;
	int r = db_prepare(db,
			   "INSERT INTO containers(id, name, serial, created_ns, config) VALUES"
			   "(?1, ?2, (SELECT ifnull(max(serial), 0) + 1 FROM containers), ?3, ?4)",
			   &st, err);

	if (r < 0)
		return r;
	bind_text(st, 1, c->id);
	bind_text(st, 2, c->name);
	bind_int(st, 3, (int64_t)c->created_ns);
	r = bind_config(st, 4, c->config, err);
	return r < 0 ? r : step_done(db, st, "remember the container", err);
}

int db_insert(struct db *db, const struct container *c, struct error *err)
{
	cleanup_rollback struct db *transaction = db;
	int r = db_exec(db, "BEGIN IMMEDIATE", "begin remembering", err);

	if (r == 0)
		r = insert_container(db, c, err);
	if (r == 0)
		r = insert_state(db, c, err);
	return r < 0 ? r : db_exec(db, "COMMIT", "remember the container", err);
}

int db_save_state(struct db *db, const struct container *c, struct error *err)
{
	cleanup_statement sqlite3_stmt *st = NULL;
	int r = db_prepare(
		db,
		"UPDATE states SET status=?2, init_pid=?3, init_start=?4, conmon_pid=?5,"
		" conmon_start=?6, started_ns=?7, finished_ns=?8, exit_code=?9,"
		" mounted=?10, needs_cleanup=?11, checkpointed=?12, checkpointed_ns=?13,"
		" checkpoint_path=?14, checkpoint_log=?15, restored=?16, restored_ns=?17,"
		" restore_log=?18, boot_id=?19 WHERE id=?1",
		&st, err);

	if (r < 0)
		return r;
	bind_state(st, c);
	r = step_done(db, st, "remember the container's state", err);
	if (r == 0 && sqlite3_changes(db->sql) == 0)
		return err_set(err, -ENOENT, "container %s was removed meanwhile", c->id);
	return r;
}

int db_save_config(struct db *db, const struct container *c, struct error *err)
{
	cleanup_statement sqlite3_stmt *st = NULL;
	int r = db_prepare(db, "UPDATE containers SET name=?2, config=?3 WHERE id=?1", &st, err);

	if (r < 0)
		return r;
	bind_text(st, 1, c->id);
	bind_text(st, 2, c->name);
	r = bind_config(st, 3, c->config, err);
	if (r == 0)
		r = step_done(db, st, "remember the container", err);
	if (r == 0 && sqlite3_changes(db->sql) == 0)
		return err_set(err, -ENOENT, "container %s was removed meanwhile", c->id);
	return r;
}

static int remember_exit_code(struct db *db, const struct container *c, struct error *err)
{
	cleanup_statement sqlite3_stmt *st = NULL;
	int r = db_prepare(db, "INSERT OR REPLACE INTO exit_codes VALUES(?1, ?2, ?3)", &st, err);

	if (r < 0)
		return r;
	bind_text(st, 1, c->id);
	bind_int(st, 2, c->state.exit_code);
	bind_int(st, 3, (int64_t)clock_real_ns());
	return step_done(db, st, "remember the exit code", err);
}

static int forget_old_exit_codes(struct db *db, struct error *err)
{
	cleanup_statement sqlite3_stmt *st = NULL;
	int r = db_prepare(db, "DELETE FROM exit_codes WHERE when_ns < ?1", &st, err);

	if (r < 0)
		return r;
	bind_int(st, 1, (int64_t)(clock_real_ns() - EXIT_CODE_KEPT_NS));
	return step_done(db, st, "forget old exit codes", err);
}

static int delete_container(struct db *db, const char *id, struct error *err)
{
	cleanup_statement sqlite3_stmt *st = NULL;
	int r = db_prepare(db, "DELETE FROM containers WHERE id=?1", &st, err);

	if (r < 0)
		return r;
	bind_text(st, 1, id);
	return step_done(db, st, "forget the container", err);
}

int db_remove(struct db *db, const struct container *c, struct error *err)
{
	cleanup_rollback struct db *transaction = db;
	int r = db_exec(db, "BEGIN IMMEDIATE", "begin forgetting", err);

	if (r == 0)
		r = remember_exit_code(db, c, err);
	if (r == 0)
		r = forget_old_exit_codes(db, err);
	if (r == 0)
		r = delete_container(db, c->id, err);
	return r < 0 ? r : db_exec(db, "COMMIT", "forget the container", err);
}

int db_exit_code(struct db *db, const char *id, int *ret_code, struct error *err)
{
	cleanup_statement sqlite3_stmt *st = NULL;
	int r = db_prepare(db, "SELECT code FROM exit_codes WHERE id=?1", &st, err);

	if (r < 0)
		return r;
	bind_text(st, 1, id);
	r = sqlite3_step(st);
	if (r == SQLITE_DONE)
		return err_set(err, -ENOENT, "container %s was removed, its exit code is not known",
			       id);
	if (r != SQLITE_ROW)
		return db_fail(db, "read the exit code", err);
	*ret_code = sqlite3_column_int(st, 0);
	return 0;
}

static int column_string(sqlite3_stmt *st, int column, char **field, struct error *err)
{
	return state_set_string(field, (const char *)sqlite3_column_text(st, column), err);
}

static int load_state(sqlite3_stmt *st, int at, struct container_state *s, struct error *err)
{
	int status = sqlite3_column_int(st, at);
	int r;

	if (status < 0 || status > (int)STATUS_MAX)
		return err_set(err, -EBADMSG, "status %d is not known", status);
	s->status = (enum status)status;
	s->init.host_pid = (pid_t)sqlite3_column_int(st, at + 1);
	s->init.start_ticks = (uint64_t)sqlite3_column_int64(st, at + 2);
	s->conmon.host_pid = (pid_t)sqlite3_column_int(st, at + 3);
	s->conmon.start_ticks = (uint64_t)sqlite3_column_int64(st, at + 4);
	s->started_ns = (uint64_t)sqlite3_column_int64(st, at + 5);
	s->finished_ns = (uint64_t)sqlite3_column_int64(st, at + 6);
	s->exit_code = sqlite3_column_int(st, at + 7);
	s->mounted = sqlite3_column_int(st, at + 8) != 0;
	s->needs_cleanup = sqlite3_column_int(st, at + 9) != 0;
	s->checkpointed = sqlite3_column_int(st, at + 10) != 0;
	s->checkpointed_ns = (uint64_t)sqlite3_column_int64(st, at + 11);
	s->restored = sqlite3_column_int(st, at + 14) != 0;
	s->restored_ns = (uint64_t)sqlite3_column_int64(st, at + 15);
	r = column_string(st, at + 12, &s->checkpoint_path, err);
	if (r == 0)
		r = column_string(st, at + 13, &s->checkpoint_log, err);
	if (r == 0)
		r = column_string(st, at + 16, &s->restore_log, err);
	return r < 0 ? r : column_string(st, at + 17, &s->boot_id, err);
}

static int load_row(sqlite3_stmt *st, struct container *c, struct error *err)
{
	const char *id = (const char *)sqlite3_column_text(st, 0);
	const char *config = (const char *)sqlite3_column_text(st, 3);
	json_error_t where;
	int r;

	if (!id || strlen(id) != ID_LEN || !config)
		return err_set(err, -EBADMSG, "a row without id or config");
	(void)snprintf(c->id, sizeof(c->id), "%s", id);
	c->created_ns = (uint64_t)sqlite3_column_int64(st, 2);
	c->config = json_loads(config, 0, &where);
	if (!json_is_object(c->config))
		return err_set(err, -EBADMSG, "config: %s", where.text);
	r = column_string(st, 1, &c->name, err);
	return r < 0 ? r : load_state(st, 4, &c->state, err);
}

int db_load(struct db *db, const char *id, struct container *ret, struct error *err)
{
	cleanup_statement sqlite3_stmt *st = NULL;
	struct container c = CONTAINER_INIT;
	int r = db_prepare(db,
			   "SELECT c.id, c.name, c.created_ns, c.config, status, init_pid,"
			   " init_start, conmon_pid, conmon_start, started_ns, finished_ns,"
			   " exit_code, mounted, needs_cleanup, checkpointed, checkpointed_ns,"
			   " checkpoint_path, checkpoint_log, restored, restored_ns, restore_log,"
			   " boot_id FROM containers c JOIN states s ON s.id = c.id WHERE c.id=?1",
			   &st, err);

	if (r < 0)
		return r;
	bind_text(st, 1, id);
	r = sqlite3_step(st);
	if (r == SQLITE_DONE)
		return err_set(err, -ENOENT, "no container with ID \"%s\" found: no such container",
			       id);
	if (r != SQLITE_ROW)
		return db_fail(db, "read the container", err);
	r = load_row(st, &c, err);
	if (r < 0) {
		container_done(&c);
		return err_wrap(err, r, "database: container '%s'", id);
	}
	container_done(ret);
	*ret = c;
	return 0;
}

/* --- looking for ids ----------------------------------------------------- */

static void take_id(sqlite3_stmt *st, char *ret_id)
{
	const char *id = (const char *)sqlite3_column_text(st, 0);

	(void)snprintf(ret_id, ID_LEN + 1, "%s", id ? id : "");
}

/* How many rows (0, 1, or 2 for "several") the query gives; the first one's id. */
static int query_id(struct db *db, const char *sql, const char *word, char *ret_id,
		    struct error *err)
{
	cleanup_statement sqlite3_stmt *st = NULL;
	int found = 0;
	int r = db_prepare(db, sql, &st, err);

	if (r < 0)
		return r;
	if (word)
		bind_text(st, 1, word);
	while (found < 2 && (r = sqlite3_step(st)) == SQLITE_ROW)
		if (found++ == 0)
			take_id(st, ret_id);
	if (r != SQLITE_ROW && r != SQLITE_DONE)
		return db_fail(db, "look for a container", err);
	return found;
}

int db_find(struct db *db, const char *word, char *ret_id, struct error *err)
{
	int n = query_id(db, "SELECT id FROM containers WHERE name=?1 OR id=?1 ORDER BY id=?1 DESC",
			 word, ret_id, err);

	if (n == 0 && word[0] != '\0')
		n = query_id(db, "SELECT id FROM containers WHERE substr(id, 1, length(?1))=?1",
			     word, ret_id, err);
	if (n < 0)
		return n;
	if (n == 0)
		return err_set(err, -ENOENT,
			       "no container with name or ID \"%s\" found: no such container",
			       word);
	if (n > 1)
		return err_set(
			err, -EEXIST,
			"more than one result for container name or ID %s: container already "
			"exists",
			word);
	return 0;
}

int db_latest(struct db *db, char *ret_id, struct error *err)
{
	int n = query_id(db, "SELECT id FROM containers ORDER BY serial DESC LIMIT 1", NULL, ret_id,
			 err);

	if (n < 0)
		return n;
	return n > 0 ? 0
		     : err_set(err, -ENOENT,
			       "no containers to use as the latest: no such container");
}

int db_ids(struct db *db, struct strv *ids, struct error *err)
{
	cleanup_statement sqlite3_stmt *st = NULL;
	int r = db_prepare(db, "SELECT id FROM containers ORDER BY serial", &st, err);

	if (r < 0)
		return r;
	while ((r = sqlite3_step(st)) == SQLITE_ROW)
		strv_add(ids, (const char *)sqlite3_column_text(st, 0));
	if (r != SQLITE_DONE)
		return db_fail(db, "list the containers", err);
	return strv_ok(ids) ? 0 : err_oom(err);
}
