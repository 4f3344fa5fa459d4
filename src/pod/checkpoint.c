#include "pod/checkpoint.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "pod/conmon.h"
#include "pod/exit.h"
#include "pod/export.h"
#include "pod/held.h"
#include "pod/lifecycle.h"
#include "pod/oci.h"
#include "pod/pod.h"
#include "pod/spec.h"
#include "pod/stats.h"

/* conmon notices the end of the processes at once; this is for a machine that is very busy. */
#define END_WAIT_NS (UINT64_C(30) * NS_PER_SEC)

/* How long processes that were sent SIGKILL may take to be gone. */
#define DYING_WAIT_NS NS_PER_SEC

static const char *const dump_leftovers[] = { "dump.log", "stats-dump", "config.dump",
					      "spec.dump" };

static const char *const restore_leftovers[] = {
	"pre-checkpoint", "volumes",
	"restore.log",	  "dump.log",
	"stats-dump",	  "stats-restore",
	"network.status", "rootfs-diff.tar",
	"deleted.files",  "devshm-checkpoint.tar",
};

#define HOLD_FEATURE "io.cryopod.runtime.checkpoint.hold"

/* The images of a checkpoint that was restored, on their way out: this and a number. */
#define USED_PREFIX "checkpoint.used."

/* Paths of one container, and an open userdata. */
struct place {
	char *userdata;
	char *images;	 /* userdata/checkpoint */
	char *inventory; /* the file that is written last */
	int fd;		 /* userdata */
};

static void place_done(struct place *p)
{
	free(p->userdata);
	free(p->images);
	free(p->inventory);
	cleanup_fd_p(&p->fd);
}
#define cleanup_place __attribute__((cleanup(place_done)))

static int place_open(const struct pod *pod, const char *id, struct place *p, struct error *err)
{
	int r = pod_path(pod, id, "userdata", &p->userdata, err);

	if (r == 0)
		r = pod_path(pod, id, "userdata/checkpoint", &p->images, err);
	if (r == 0)
		r = pod_path(pod, id, "userdata/checkpoint/inventory.img", &p->inventory, err);
	if (r < 0)
		return r;
	p->fd = open(p->userdata, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return p->fd < 0 ? err_sys(err, "open folder '%s'", p->userdata) : 0;
}

static int remove_all(const struct place *p, const char *const *names, size_t n, struct error *err)
{
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i++)
		r = file_remove_tree_at(p->fd, names[i], err);
	return r;
}

static int keep_path(const struct place *p, const char *name, char **field, struct error *err)
{
	char path[4096];

	(void)snprintf(path, sizeof(path), "%s/%s", p->userdata, name);
	return state_set_string(field, path, err);
}

static int read_stats(const struct place *p, const char *name, enum stats_kind kind,
		      struct checkpoint_result *ret, struct error *err)
{
	cleanup_free char *path = NULL;
	int r;

	if (asprintf(&path, "%s/%s", p->userdata, name) < 0) {
		path = NULL;
		return err_oom(err);
	}
	r = stats_read(path, kind, &ret->statistics, err);
	return r < 0 ? err_wrap(err, r, "displaying %s statistics not possible",
				kind == STATS_DUMP ? "checkpointing" : "restore")
		     : 0;
}

/* --- dump ---------------------------------------------------------------------- */

static void set_checkpointed(struct container *c)
{
	c->state.status = STATUS_EXITED;
	c->state.exit_code = 0;
	c->state.finished_ns = clock_real_ns();
	c->state.init = (struct process){ 0 };
	c->state.conmon = (struct process){ 0 };
	c->state.needs_cleanup = true;
	c->state.checkpointed = true;
	c->state.checkpointed_ns = c->state.finished_ns;
	c->state.restored = false;
	c->state.restored_ns = 0;
}

int checkpoint_adopt(const struct pod *pod, struct container *c, struct error *err)
{
	cleanup_free char *inventory = NULL;
	int r;

	if (!c->state.checkpoint_path || c->state.checkpointed || c->state.restored)
		return 0;
	r = pod_path(pod, c->id, "userdata/checkpoint/inventory.img", &inventory, err);
	if (r < 0)
		return r;
	if (access(inventory, F_OK) < 0)
		return 0;
	set_checkpointed(c);
	return 1;
}

/* An older checkpoint makes way, and comes back when there will be no new one. */
static int set_older_aside(const struct place *p, struct error *err)
{
	int r = file_remove_tree_at(p->fd, "checkpoint.old", err);

	if (r < 0)
		return r;
	if (renameat(p->fd, "checkpoint", p->fd, "checkpoint.old") < 0 && errno != ENOENT)
		return err_sys(err, "set '%s' aside", p->images);
	return 0;
}

static void bring_older_back(const struct place *p)
{
	/* Only tidying: the failure that brought us here is what is told. */
	(void)file_remove_tree_at(p->fd, "checkpoint", NULL);
	(void)renameat(p->fd, "checkpoint.old", p->fd, "checkpoint");
}

/* An export, and whose: what oci_call_held() hands back when all stands still. */
struct exporting {
	struct export *export; /* NULL: none wanted */
	const struct pod *pod;
	const struct container *c;
	bool written;
};

static int write_export(void *arg, struct error *err)
{
	struct exporting *x = arg;
	int r = export_write(x->export, x->pod, x->c, err);

	x->written = r == 0;
	return r;
}

static int call_dump(struct pod *pod, const struct container *c, const struct place *p,
		     const struct checkpoint_options *o, struct exporting *x,
		     struct checkpoint_result *ret, struct error *err)
{
	cleanup_strv struct strv words = STRV_INIT;
	uint64_t begin = clock_mono_ns();
	int r;

	strv_add(&words, "--image-path");
	strv_add(&words, p->images);
	strv_add(&words, "--work-path");
	strv_add(&words, p->userdata);
	if (o->leave_running)
		strv_add(&words, "--leave-running");
	for (size_t i = 0; i < o->words.n; i++)
		strv_add(&words, o->words.items[i]);
	if (!strv_ok(&words))
		return err_oom(err);
	if (x->export && oci_has_feature(pod, c, HOLD_FEATURE))
		r = oci_call_held(pod, c, "checkpoint", &words, write_export, x, err);
	else
		r = oci_call(pod, c, "checkpoint", &words, NULL, err);
	ret->runtime_us = (clock_mono_ns() - begin) / NS_PER_US;
	return r;
}

/* Says in the record that one is under way, or that none is. */
static int note_intent(struct pod *pod, struct held *held, const char *path, struct error *err)
{
	int r = state_set_string(&held->c.state.checkpoint_path, path, err);

	if (r == 0)
		r = state_set_string(&held->c.state.checkpoint_log, NULL, err);
	/* A restored container that is checkpointed again is no longer the restored one. */
	held->c.state.restored = false;
	held->c.state.restored_ns = 0;
	return r < 0 ? r : held_save(pod, held, err);
}

/*
 * The processes are gone. conmon will note an exit code for them, which means
 * nothing; it must not be taken for that of the restored container, so it is
 * waited for and removed.
 */
static int settle_dump(struct pod *pod, struct held *held, struct error *err)
{
	int r = exit_wait(pod, &held->c, END_WAIT_NS, err);

	if (r >= 0)
		r = exit_forget(pod, held->c.id, err);
	set_checkpointed(&held->c); /* whatever failed: the images are complete */
	if (r < 0) {
		(void)held_save(pod, held, NULL); /* the first failure is told */
		return r;
	}
	return lifecycle_cleanup(pod, held, err);
}

/*
 * The runtime failed, or was killed: has the dump been complete before that?
 * The images are only looked at when the processes are gone: while they live,
 * they are the container, whatever was written.
 */
static bool is_complete(struct pod *pod, const struct container *c, const struct place *p)
{
	return access(p->inventory, F_OK) == 0 && exit_wait(pod, c, DYING_WAIT_NS, NULL) > 0;
}

static int check_dump(const struct container *c, const struct checkpoint_options *o,
		      struct error *err)
{
	int r = checkpoint_check_status(c, err);

	if (r < 0)
		return r;
	if (container_config_bool(c, "autoRemove") && !o->export)
		return err_set(err, -EINVAL,
			       "cannot checkpoint containers that have been started with '--rm' "
			       "unless '--export' is used");
	return 0;
}

/* With a runtime that does not hold still, the container has ended or runs on already. */
static int finish_export(struct exporting *x, const struct checkpoint_options *o, struct error *err)
{
	int r = x->written ? 0 : write_export(x, err);

	if (r == 0)
		r = export_finish(x->export, err);
	if (r < 0 && !o->leave_running)
		err_hint(err,
			 "its checkpoint is complete: cryopod container restore brings it back");
	return r;
}

int checkpoint_make(struct pod *pod, struct held *held, const struct checkpoint_options *o,
		    struct checkpoint_result *ret, struct error *err)
{
	cleanup_place struct place p = { .fd = -EBADF };
	cleanup_export struct export *export = NULL;
	struct container *c = &held->c;
	struct exporting x = { .pod = pod, .c = c };
	int r = check_dump(c, o, err);

	if (r == 0 && o->export)
		r = export_open(o->export, c, &export, err);
	x.export = export;
	if (r == 0)
		r = place_open(pod, c->id, &p, err);
	if (r == 0)
		r = set_older_aside(&p, err);
	if (r == 0)
		r = note_intent(pod, held, p.images, err);
	if (r < 0)
		return r;
	r = call_dump(pod, c, &p, o, &x, ret, err);
	if (r < 0 && !o->leave_running && is_complete(pod, c, &p))
		r = 0;
	if (r < 0) {
		bring_older_back(&p);
		(void)note_intent(pod, held, NULL, NULL); /* without its file it means nothing */
		return r;
	}
	if (o->keep)
		r = keep_path(&p, "dump.log", &c->state.checkpoint_log, err);
	if (r == 0)
		r = o->leave_running ? note_intent(pod, held, NULL, err)
				     : settle_dump(pod, held, err);
	if (r == 0 && export)
		r = finish_export(&x, o, err);
	if (r == 0 && o->stats)
		r = read_stats(&p, "stats-dump", STATS_DUMP, ret, err);
	if (r == 0)
		r = file_remove_tree_at(p.fd, "checkpoint.old", err);
	if (r == 0 && !o->keep)
		r = remove_all(&p, dump_leftovers, ARRAY_SIZE(dump_leftovers), err);
	/* --rm: with its archive the container has done what it was for. */
	if (r == 0 && !o->leave_running && container_config_bool(c, "autoRemove"))
		r = lifecycle_remove(pod, held, true, 0, err);
	return r;
}

/* --- restore --------------------------------------------------------------------- */

static int check_restore(const struct container *c, const struct place *p, struct error *err)
{
	if (c->state.status != STATUS_CREATED && c->state.status != STATUS_EXITED)
		return err_set(err, -EBUSY,
			       "container %s is running or paused, cannot restore: container state "
			       "improper",
			       c->id);
	if (access(p->inventory, F_OK) < 0)
		return err_set(err, -errno,
			       "a complete checkpoint for this container cannot be found, cannot "
			       "restore: stat %s: no such file or directory",
			       p->inventory);
	return 0;
}

static int run_conmon_restore(struct pod *pod, struct container *c, const struct place *p,
			      const struct restore_options *o, struct error *err)
{
	cleanup_conmon struct conmon conmon = CONMON_INIT;
	cleanup_strv struct strv exit_command = STRV_INIT;
	struct conmon_start start = {
		.bundle = p->userdata,
		.uuid = c->id,
		.exit_dir = pod->exits,
		.log_path = container_config_string(c, "logPath"),
		.terminal = spec_has_terminal(c),
		.stdin_open = container_config_bool(c, "stdin"),
		.restore_from = p->images,
		.restore_words = &o->words,
		.exit_command = &exit_command,
	};
	int r = lifecycle_exit_command(pod, c, &exit_command, err);

	if (r == 0)
		r = conmon_run(pod, c, &start, &conmon, err);
	return r < 0 ? r
		     : lifecycle_note_processes(pod, c, conmon.host_pid, conmon.container_pid, err);
}

static int build(struct pod *pod, struct held *held, const struct place *p,
		 const struct restore_options *o, struct checkpoint_result *ret, struct error *err)
{
	cleanup_free char *rootfs = NULL;
	uint64_t begin;
	int r = exit_forget(pod, held->c.id, err);

	if (r == 0)
		r = root_mount(pod, &held->c, &rootfs, err);
	if (r == 0 && faccessat(p->fd, "config.json", F_OK, 0) < 0)
		r = spec_write(pod, &held->c, rootfs, err);
	begin = clock_mono_ns();
	if (r == 0)
		r = run_conmon_restore(pod, &held->c, p, o, err);
	ret->runtime_us = (clock_mono_ns() - begin) / NS_PER_US;
	return r;
}

static int note_restored(struct pod *pod, struct held *held, const struct place *p, bool keep,
			 struct error *err)
{
	struct container_state *s = &held->c.state;
	int r = keep ? keep_path(p, "checkpoint", &s->checkpoint_path, err)
		     : state_set_string(&s->checkpoint_path, NULL, err);

	if (r == 0 && !keep)
		r = state_set_string(&s->checkpoint_log, NULL, err);
	if (r == 0)
		r = keep ? keep_path(p, "restore.log", &s->restore_log, err)
			 : state_set_string(&s->restore_log, NULL, err);
	s->status = STATUS_RUNNING;
	s->checkpointed = false;
	s->checkpointed_ns = 0;
	s->restored = true;
	s->restored_ns = clock_real_ns();
	s->exit_code = 0;
	s->finished_ns = 0;
	if (s->started_ns == 0)
		s->started_ns = s->restored_ns;
	return r < 0 ? r : held_save(pod, held, err);
}

/* Removes everything of that kind, also what an earlier such process was killed at. */
static void remove_used_child(int userdata)
{
	DIR *dir = fdopendir(userdata);
	const struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		if (strncmp(entry->d_name, USED_PREFIX, strlen(USED_PREFIX)) == 0)
			(void)file_remove_tree_at(userdata, entry->d_name, NULL);
}

/*
 * The images are used up. Their files take long to delete when they are large
 * or many, and nobody waits for that: they are renamed here, and deleted by a
 * process of their own that holds neither our lock nor our output.
 */
static int discard_images(struct held *held, const struct place *p, struct error *err)
{
	char used[64];
	pid_t pid;
	int fd;

	(void)snprintf(used, sizeof(used), USED_PREFIX "%d", getpid());
	if (renameat(p->fd, "checkpoint", p->fd, used) < 0)
		return err_sys(err, "set '%s' aside", p->images);
	held_release(held);
	pid = fork();
	if (pid < 0) /* then it takes its time */
		return file_remove_tree_at(p->fd, used, err);
	if (pid > 0)
		return 0;
	fd = open(p->userdata, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	(void)setsid(); /* a signal for our terminal is none for it */
	for (int std = 0; std < 3; std++)
		(void)close(std);
	remove_used_child(fd);
	_exit(0);
}

static void undo_restore(struct pod *pod, struct held *held, const struct place *p)
{
	/* What fails here is tried again by the next command that takes the container. */
	(void)keep_path(p, "restore.log", &held->c.state.restore_log, NULL);
	(void)lifecycle_cleanup(pod, held, NULL);
}

int checkpoint_restore(struct pod *pod, struct held *held, const struct restore_options *o,
		       struct checkpoint_result *ret, struct error *err)
{
	cleanup_place struct place p = { .fd = -EBADF };
	int r;

	if (held->restored) { /* what is asked for is done: by a command that was killed */
		ret->statistics = o->stats ? json_object() : NULL;
		return o->stats && !ret->statistics ? err_oom(err) : 0;
	}
	r = place_open(pod, held->c.id, &p, err);
	if (r == 0)
		r = check_restore(&held->c, &p, err);
	if (r < 0)
		return r;
	/* With a starter and a restore log on record it is a restore that is under way. */
	r = keep_path(&p, "restore.log", &held->c.state.restore_log, err);
	if (r == 0)
		r = lifecycle_note_begin(pod, held, err);
	if (r == 0)
		r = build(pod, held, &p, o, ret, err);
	if (r < 0) {
		undo_restore(pod, held, &p);
		return r;
	}
	r = note_restored(pod, held, &p, o->keep, err);
	if (r == 0 && o->stats)
		r = read_stats(&p, "stats-restore", STATS_RESTORE, ret, err);
	if (r == 0 && !o->keep)
		r = remove_all(&p, restore_leftovers, ARRAY_SIZE(restore_leftovers), err);
	return r < 0 || o->keep ? r : discard_images(held, &p, err);
}

static int read_number(const struct place *p, const char *name, pid_t *ret, struct error *err)
{
	cleanup_free char *text = NULL;
	size_t len = 0;
	int r = file_read_at(p->fd, name, 64, &text, &len, err);

	if (r == 0)
		*ret = (pid_t)strtol(text, NULL, 10);
	return r;
}

int checkpoint_adopt_restore(struct pod *pod, struct held *held, struct error *err)
{
	cleanup_place struct place p = { .fd = -EBADF };
	cleanup_free char *state = NULL;
	struct container *c = &held->c;
	pid_t conmon = 0;
	pid_t init = 0;
	int r;

	if (c->state.conmon.host_pid == 0 || !c->state.restore_log)
		return 0;
	r = conmon_await_orphans(pod, c, err);
	if (r < 0)
		return r;
	/* Whatever the runtime says against it: then it did not succeed. */
	if (oci_state(pod, c, &state, NULL) < 0 || strcmp(state, "running") != 0)
		return 0;
	r = place_open(pod, c->id, &p, err);
	if (r == 0)
		r = read_number(&p, "conmon.pid", &conmon, err);
	if (r == 0)
		r = read_number(&p, "pidfile", &init, err);
	if (r == 0)
		r = lifecycle_note_processes(pod, c, conmon, init, err);
	if (r == 0)
		r = note_restored(pod, held, &p, false, err);
	if (r == 0)
		r = remove_all(&p, restore_leftovers, ARRAY_SIZE(restore_leftovers), err);
	if (r == 0)
		r = file_remove_tree_at(p.fd, "checkpoint", err);
	return r < 0 ? r : 1;
}
