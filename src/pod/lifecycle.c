#include "pod/lifecycle.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "pod/config.h"
#include "pod/conmon.h"
#include "pod/exit.h"
#include "pod/held.h"
#include "pod/oci.h"
#include "pod/pod.h"
#include "pod/spec.h"

/* After SIGKILL a process is gone at once, unless it sits in the kernel. */
#define KILL_WAIT_NS (UINT64_C(30) * NS_PER_SEC)

int lifecycle_exit_command(const struct pod *pod, const struct container *c, struct strv *words,
			   struct error *err)
{
	strv_add(words, pod->self);
	strv_add(words, "--root");
	strv_add(words, pod->root);
	strv_add(words, "--runroot");
	strv_add(words, pod->runroot);
	if (pod->settings.tmpdir) {
		strv_add(words, "--tmpdir");
		strv_add(words, pod->settings.tmpdir);
	}
	strv_add(words, "container");
	strv_add(words, "cleanup");
	strv_add(words, c->id);
	return strv_ok(words) ? 0 : err_oom(err);
}

int lifecycle_note_begin(struct pod *pod, struct held *held, struct error *err)
{
	struct container_state *s = &held->c.state;
	int r;

	(void)process_look(getpid(), &s->conmon); /* can't fail: it is us */
	s->needs_cleanup = true;
	r = state_set_string(&s->boot_id, pod->boot_id, err);
	return r < 0 ? r : held_save(pod, held, err);
}

int lifecycle_note_processes(const struct pod *pod, struct container *c, int conmon_pid,
			     int init_pid, struct error *err)
{
	c->state.conmon = (struct process){ 0 };
	c->state.init = (struct process){ 0 };
	/* One that is gone already has left its exit code: held_take will see. */
	(void)process_look(conmon_pid, &c->state.conmon);
	(void)process_look(init_pid, &c->state.init);
	return state_set_string(&c->state.boot_id, pod->boot_id, err);
}

static int run_conmon_create(struct pod *pod, struct container *c, struct error *err)
{
	cleanup_conmon struct conmon conmon = CONMON_INIT;
	cleanup_strv struct strv exit_command = STRV_INIT;
	cleanup_free char *bundle = NULL;
	struct conmon_start start = { .uuid = c->id, .exit_dir = pod->exits };
	int r = pod_path(pod, c->id, "userdata", &bundle, err);

	if (r == 0)
		r = lifecycle_exit_command(pod, c, &exit_command, err);
	if (r < 0)
		return r;
	start.bundle = bundle;
	start.log_path = container_config_string(c, "logPath");
	start.terminal = spec_has_terminal(c);
	start.stdin_open = container_config_bool(c, "stdin");
	start.exit_command = &exit_command;
	r = conmon_run(pod, c, &start, &conmon, err);
	return r < 0 ? r
		     : lifecycle_note_processes(pod, c, conmon.host_pid, conmon.container_pid, err);
}

/* A fresh start knows nothing of earlier checkpoints. */
static int forget_checkpoint(struct container_state *s, struct error *err)
{
	int r = state_set_string(&s->checkpoint_path, NULL, err);

	if (r == 0)
		r = state_set_string(&s->checkpoint_log, NULL, err);
	if (r == 0)
		r = state_set_string(&s->restore_log, NULL, err);
	s->checkpointed = false;
	s->restored = false;
	s->checkpointed_ns = 0;
	s->restored_ns = 0;
	return r;
}

static int init_steps(struct pod *pod, struct held *held, struct error *err)
{
	cleanup_free char *rootfs = NULL;
	int r = exit_forget(pod, held->c.id, err);

	if (r == 0)
		r = root_mount(pod, &held->c, &rootfs, err);
	if (r == 0)
		r = spec_write(pod, &held->c, rootfs, err);
	return r < 0 ? r : run_conmon_create(pod, &held->c, err);
}

int lifecycle_init(struct pod *pod, struct held *held, struct error *err)
{
	struct container *c = &held->c;
	int r;

	if (c->state.status != STATUS_CREATED && c->state.status != STATUS_EXITED)
		return err_set(err, -EBUSY,
			       "container %s has already been created in runtime: container state "
			       "improper",
			       c->id);
	r = forget_checkpoint(&c->state, err);
	if (r == 0)
		r = lifecycle_note_begin(pod, held, err);
	if (r == 0)
		r = init_steps(pod, held, err);
	if (r < 0) {
		(void)lifecycle_cleanup(pod, held, NULL); /* what fails here is tried again later */
		return r;
	}
	c->state.status = STATUS_INITIALIZED;
	c->state.exit_code = 0;
	return held_save(pod, held, err);
}

int lifecycle_start(struct pod *pod, struct held *held, struct error *err)
{
	struct container *c = &held->c;
	int r = 0;

	switch (c->state.status) {
	case STATUS_RUNNING:
		return err_set(err, -EALREADY, "container %s is already running", c->id);
	case STATUS_PAUSED:
		return err_set(err, -EBUSY,
			       "container %s must be in Created or Stopped state to be started: "
			       "container state improper",
			       c->id);
	case STATUS_REMOVING:
		return err_set(err, -EBUSY,
			       "container %s is being removed: container state improper", c->id);
	case STATUS_CREATED:
	case STATUS_EXITED:
		r = lifecycle_init(pod, held, err);
		break;
	case STATUS_INITIALIZED:
		break;
	}
	if (r < 0)
		return r;
	r = oci_call(pod, c, "start", NULL, NULL, err);
	if (r < 0)
		return r;
	c->state.status = STATUS_RUNNING;
	c->state.started_ns = clock_real_ns();
	return held_save(pod, held, err);
}

static int send_signal(struct pod *pod, struct container *c, int signal, struct error *err)
{
	cleanup_strv struct strv number = STRV_INIT;

	strv_addf(&number, "%d", signal);
	return strv_ok(&number) ? oci_call(pod, c, "kill", NULL, &number, err) : err_oom(err);
}

/* A process that ended by itself meanwhile is no failure of the one who wanted it gone. */
static int signal_or_gone(struct pod *pod, struct held *held, int signal, struct error *err)
{
	int r = send_signal(pod, &held->c, signal, err);

	if (r < 0 && exit_wait(pod, &held->c, 0, NULL) > 0)
		return 0;
	return r;
}

/* Waits without the lock. 1: it has ended, and is written down as such. */
static int wait_ended(struct pod *pod, struct held *held, uint64_t timeout_ns, struct error *err)
{
	int ended;
	int r;

	held_release(held);
	ended = exit_wait(pod, &held->c, timeout_ns, err);
	if (ended < 0)
		return ended;
	r = held_retake(pod, held, err);
	if (r < 0)
		return r;
	return ended > 0 || !container_is_alive(&held->c);
}

static int kill_and_wait(struct pod *pod, struct held *held, struct error *err)
{
	int r = signal_or_gone(pod, held, SIGKILL, err);

	if (r == 0 && held->c.state.status == STATUS_PAUSED)
		(void)oci_call(pod, &held->c, "resume", NULL, NULL, NULL); /* so that it can die */
	if (r == 0)
		r = wait_ended(pod, held, KILL_WAIT_NS, err);
	if (r == 0)
		return err_set(err, -ETIMEDOUT, "container %s does not die of SIGKILL", held->c.id);
	return r < 0 ? r : 0;
}

int lifecycle_kill(struct pod *pod, struct held *held, int signal, struct error *err)
{
	struct container *c = &held->c;

	if (c->state.status != STATUS_RUNNING && c->state.status != STATUS_PAUSED)
		return err_set(err, -EBUSY,
			       "can only kill running containers. %s is in state %s: container "
			       "state improper",
			       c->id, status_name(c->state.status));
	if (signal == SIGKILL)
		return kill_and_wait(pod, held, err);
	return send_signal(pod, c, signal, err);
}

int lifecycle_stop(struct pod *pod, struct held *held, unsigned int timeout_s, struct error *err)
{
	struct container *c = &held->c;
	int signal = (int)json_integer_value(json_object_get(c->config, "stopSignal"));
	int r;

	if (!container_is_alive(c))
		return 0;
	if (c->state.status == STATUS_PAUSED) {
		r = lifecycle_unpause(pod, held, err);
		if (r < 0)
			return r;
	}
	if (c->state.status == STATUS_INITIALIZED || timeout_s == 0)
		return kill_and_wait(pod, held, err);
	r = signal_or_gone(pod, held, signal ? signal : SIGTERM, err);
	if (r == 0)
		r = wait_ended(pod, held, timeout_s * NS_PER_SEC, err);
	if (r != 0)
		return r < 0 ? r : 0;
	r = kill_and_wait(pod, held, err);
	return r < 0 ? r : 1;
}

int lifecycle_gone(const struct container *c, int r, struct error *err)
{
	if (r != -ENOENT || !container_config_bool(c, "autoRemove"))
		return r;
	if (err)
		*err = (struct error)ERROR_INIT;
	return 0;
}

int lifecycle_pause(struct pod *pod, struct held *held, struct error *err)
{
	struct container *c = &held->c;
	int r;

	if (c->state.status == STATUS_PAUSED)
		return err_set(err, -EBUSY, "\"%s\" is already paused: container state improper",
			       c->id);
	if (c->state.status != STATUS_RUNNING)
		return err_set(err, -EBUSY,
			       "\"%s\" is not running, can't pause: container state improper",
			       status_name(c->state.status));
	r = oci_call(pod, c, "pause", NULL, NULL, err);
	if (r < 0)
		return r;
	c->state.status = STATUS_PAUSED;
	return held_save(pod, held, err);
}

/* A pause may have succeeded without being written down: the runtime knows. */
static bool is_paused(const struct pod *pod, const struct container *c)
{
	cleanup_free char *state = NULL;

	if (c->state.status != STATUS_RUNNING)
		return c->state.status == STATUS_PAUSED;
	return oci_state(pod, c, &state, NULL) == 0 && strcmp(state, "paused") == 0;
}

int lifecycle_unpause(struct pod *pod, struct held *held, struct error *err)
{
	struct container *c = &held->c;
	int r;

	if (!is_paused(pod, c))
		return err_set(err, -EBUSY,
			       "\"%s\" is not paused, can't unpause: container state improper",
			       c->id);
	r = oci_call(pod, c, "resume", NULL, NULL, err);
	if (r < 0)
		return r;
	c->state.status = STATUS_RUNNING;
	return held_save(pod, held, err);
}
