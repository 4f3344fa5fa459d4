/*
 * tree-restore: who makes whom, so that each task ends up with the right
 * parent, session and process group.
 *
 * A session can't be joined, only inherited at birth or begun. So a child
 * whose session is not its parent's is made
 *	- before its parent begins a session of its own, if it is in the one the
 *	  parent was born in;
 *	- else by a task of that session: a carrier, a helper forked by the
 *	  session's leader, which then exits; or, if the leader is gone, a helper
 *	  with the leader's process id. The orphan falls to the wanted parent, who
 *	  is the PID namespace's init or made a subreaper for that time.
 * Groups are joined when all group leaders exist (helpers stand in for those
 * that are gone). Helpers and zombies then end; helpers are reaped.
 */
#include <errno.h>
#include <linux/sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "ckpt/restore-priv.h"
#include "ckpt/tty-restore.h"

static bool is_leader(const struct rtask *t)
{
	return t->sid == t->pid;
}

static bool outer_session(const struct restore *r, uint32_t sid)
{
	return sid == 0 || sid == r->outer_sid;
}

static bool outer_group(const struct restore *r, uint32_t pgid)
{
	return pgid == 0 || pgid == r->outer_pgid;
}

static bool same_session(const struct restore *r, uint32_t a, uint32_t b)
{
	return a == b || (outer_session(r, a) && outer_session(r, b));
}

/*
 * Can it be born in that session, by its own parent? So it is if the parent is in
 * it, or was born in it and has not begun its own yet. A task is born once: what
 * was promised to one of its children holds for the others.
 */
static bool bear_in(const struct restore *r, struct rtask *t, uint32_t sid)
{
	struct rtask *p = t->parent;

	if (t->forker || t == r->root)
		return same_session(r, t->born_sid, sid);
	if (!same_session(r, p->sid, sid)) {
		if (!is_leader(p) || !bear_in(r, p, sid))
			return false;
		t->before_setsid = true;
	}
	t->forker = p;
	t->born_sid = sid;
	return true;
}

static int find_outer(struct restore *r, struct error *err)
{
	const struct rtask *root = r->root;

	if (root->sid != root->pid)
		r->outer_sid = root->sid;
	if (root->pgid != root->pid && root->pgid)
		r->outer_pgid = root->pgid;
	if ((r->outer_sid && restore_find_task(r, r->outer_sid)) ||
	    (r->outer_pgid && restore_find_task(r, r->outer_pgid)))
		return err_set(
			err, -EBADMSG,
			"pstree.img: root task %u is in a session or group of its descendant",
			root->pid);
	if (root->sid != root->pid && !r->opts->shell_job) {
		err_set(err, -EINVAL, "task %u (%s) belongs to session %u, which was not dumped",
			root->pid, rtask_comm(root), root->sid);
		err_hint(err, "--shell-job lets it join the caller's session");
		return -EINVAL;
	}
	return 0;
}

/* `t`, made by `forker`, orphaned, must fall to its parent. */
static int check_adoption(const struct restore *r, const struct rtask *t, struct error *err)
{
	const struct rtask *up = t->forker;

	while (up && up != t->parent) {
		if (up->reaper || (up == r->root && r->new_pid_ns))
			break;
		up = up->forker;
	}
	if (up == t->parent)
		return 0;
	return err_set(err, -EOPNOTSUPP,
		       "task %u (%s): no way to make it a child of %u in session %u", t->pid,
		       rtask_comm(t), t->parent->pid, t->sid);
}

static bool is_mentioned(const struct restore *r, uint32_t id)
{
	for (size_t i = 0; i < r->n_tasks; i++)
		if (r->tasks[i]->pid == id || r->tasks[i]->sid == id || r->tasks[i]->pgid == id)
			return true;
	return false;
}

/* Any id will do for a carrier, but one that another task will want. */
static uint32_t carrier_pid(const struct restore *r)
{
	uint32_t pid = 2;

	while (is_mentioned(r, pid) ||
	       (!r->new_pid_ns && (kill((pid_t)pid, 0) == 0 || errno != ESRCH)))
		pid++;
	return pid;
}

static int make_in_session(struct restore *r, struct rtask *t, struct error *err)
{
	struct rtask *leader = restore_find_task(r, t->sid);
	struct rtask *carrier = NULL;

	if (!leader) {
		if (outer_session(r, t->sid))
			return err_set(err, -EOPNOTSUPP,
				       "task %u (%s) is in the caller's session, its parent is not",
				       t->pid, rtask_comm(t));
		leader = restore_add_task(r, RTASK_LEADER, t->sid);
		if (!leader)
			return err_oom(err);
		leader->sid = t->sid;
		leader->pgid = t->sid;
		leader->parent = t->parent;
		leader->forker = t->parent;
	}
	if (leader->kind == RTASK_LEADER && is_leader(leader)) {
		t->forker = leader;
	} else {
		carrier = restore_add_task(r, RTASK_CARRIER, carrier_pid(r));
		if (!carrier)
			return err_oom(err);
		carrier->sid = t->sid;
		carrier->parent = leader;
		carrier->forker = leader;
		t->forker = carrier;
	}
	t->parent->reaper = true;
	return 0;
}

/* Children say where their parents have to be born: so who inherits a session comes first. */
static int choose_forkers(struct restore *r, struct error *err)
{
	for (size_t i = 0; i < r->n_image_tasks; i++) {
		struct rtask *t = r->tasks[i];
		int ret = 0;

		if (t != r->root && !is_leader(t) && !bear_in(r, t, t->sid))
			ret = make_in_session(r, t, err);
		if (ret < 0)
			return ret;
	}
	for (size_t i = 0; i < r->n_image_tasks; i++) {
		struct rtask *t = r->tasks[i];

		if (t != r->root && !t->forker)
			(void)bear_in(r, t, t->parent->sid); /* that it always can */
	}
	return 0;
}

static int choose_group(struct restore *r, struct rtask *t, struct error *err)
{
	struct rtask *helper = NULL;
	struct rtask *forker = NULL;

	if (is_leader(t)) {
		if (t->pgid != t->pid)
			return err_set(err, -EBADMSG,
				       "pstree.img: session leader %u is in group %u", t->pid,
				       t->pgid);
		return 0;
	}
	if (t->pgid == t->pid || outer_group(r, t->pgid))
		return 0;
	if (restore_find_task(r, t->pgid))
		return 0;

	forker = restore_find_task(r, t->sid);
	if (!forker && outer_session(r, t->sid) && !is_leader(r->root))
		forker = r->root;
	if (!forker)
		forker = t->forker;
	helper = restore_add_task(r, RTASK_LEADER, t->pgid);
	if (!helper)
		return err_oom(err);
	helper->sid = t->sid;
	helper->pgid = t->pgid;
	helper->parent = forker;
	helper->forker = forker;
	return 0;
}

static bool is_helper(const struct rtask *t)
{
	return t->kind == RTASK_LEADER || t->kind == RTASK_CARRIER;
}

static bool joins_group(const struct restore *r, const struct rtask *t)
{
	if (t->kind == RTASK_CARRIER || is_leader(t) || t->pgid == t->pid)
		return false;
	if (outer_group(r, t->pgid)) /* inherited, unless an ancestor left it */
		return !r->new_pid_ns && t != r->root;
	return true;
}

int tree_plan(struct restore *r, struct error *err)
{
	int ret = find_outer(r, err);

	if (ret < 0)
		return ret;
	ret = choose_forkers(r, err);
	if (ret < 0)
		return ret;
	for (size_t i = 0; i < r->n_image_tasks; i++) {
		ret = choose_group(r, r->tasks[i], err);
		if (ret < 0)
			return ret;
	}
	for (size_t i = 0; i < r->n_image_tasks; i++) {
		struct rtask *t = r->tasks[i];

		if (t->forker != t->parent) {
			ret = check_adoption(r, t, err);
			if (ret < 0)
				return ret;
		}
	}
	restore_link_tasks(r);
	for (size_t i = 0; i < r->n_tasks; i++)
		r->any_joining = r->any_joining || joins_group(r, r->tasks[i]);
	return 0;
}

static bool ends_early(const struct rtask *t)
{
	return is_helper(t) || t->kind == RTASK_ZOMBIE;
}

/* The parent may have died before the call took effect: then nobody would tell. */
void tree_tape_pdeathsig(const struct restore *r, struct rtask *t)
{
	uint32_t entry;

	tape_call(t->build, SYS_prctl, TAPE_ARGS(tape_imm(PR_SET_PDEATHSIG), tape_imm(SIGKILL)),
		  "not to outlive its parent while it is built");
	entry = tape_call(t->build, SYS_getppid, TAPE_ARGS(), "its parent lives");
	if (t->parent)
		tape_expect(t->build, entry, PIE_RULE_EQUAL, t->parent->pid);
	else if (t == r->root && !r->opts->sibling)
		tape_expect(t->build, entry, PIE_RULE_EQUAL, r->new_pid_ns ? 0 : getpid());
}

/* Those that inherit its memory, or the others. */
static void tape_forks(struct restore *r, struct rtask *t, bool before_setsid, bool inheriting)
{
	for (struct rtask *c = t->first_fork; c; c = c->next_fork) {
		struct clone_args args = { .exit_signal = SIGCHLD };
		int32_t tid;

		if (c->before_setsid != before_setsid || (c->donor != NULL) != inheriting)
			continue;
		tid = (int32_t)c->pid;
		args.set_tid = area_add(&r->area, &tid, sizeof(tid));
		args.set_tid_size = 1;
		c->fork_entry =
			tape_fork(t->build, area_add(&r->area, &args, sizeof(args)), c->birth,
				  "making process %u (%s)", c->pid, rtask_comm(c));
		tape_expect(t->build, c->fork_entry, PIE_RULE_EQUAL, c->pid);
	}
}

/* Its memory is made now: in the area, as M's is unmapped. What follows is planned there. */
static int tape_memory(struct restore *r, struct rtask *t, struct error *err)
{
	tape_become(t->build, tape_imm(r->base), t->memory, "getting its memory");
	t->build = t->memory;
	return mem_tape(r, t, err);
}

/*
 * Children that inherit memory come after it was made. The others come before,
 * as far as sessions allow, so that no page tables are copied for nothing.
 */
int tree_tape_children(struct restore *r, struct rtask *t, struct error *err)
{
	int ret = 0;

	if (t->forker == t->parent && t != r->root)
		tree_tape_pdeathsig(r, t);
	if (t->reaper && !(t == r->root && r->new_pid_ns))
		tape_call(t->build, SYS_prctl,
			  TAPE_ARGS(tape_imm(PR_SET_CHILD_SUBREAPER), tape_imm(1)),
			  "adopting orphans");
	tape_forks(r, t, true, false);
	if (t->donates_early)
		ret = tape_memory(r, t, err);
	tape_forks(r, t, true, true);
	if (is_leader(t)) {
		uint32_t entry =
			tape_call(t->build, SYS_setsid, TAPE_ARGS(), "beginning a session");

		tape_expect(t->build, entry, PIE_RULE_EQUAL, t->pid);
		ttys_tape_session(r, t);
	}
	tape_forks(r, t, false, false);
	if (t->is_donor && !t->donates_early)
		ret = tape_memory(r, t, err);
	tape_forks(r, t, false, true);
	if (t->is_donor)
		mem_tape_finish(t);
	if (!is_leader(t) && t->kind != RTASK_CARRIER && t->pgid == t->pid)
		tape_call(t->build, SYS_setpgid, TAPE_ARGS(), "beginning process group %u",
			  t->pgid);
	return ret;
}

/* Helpers among the children are reaped; zombies are waited for and left. */
static void tape_wait_children(struct rtask *t)
{
	for (struct rtask *c = t->first_child; c; c = c->next_child) {
		if (!ends_early(c))
			continue;
		tape_call(t->build, SYS_waitid,
			  TAPE_ARGS(tape_imm(P_PID), tape_imm(c->pid), tape_imm(0),
				    tape_imm(is_helper(c) ? WEXITED : WEXITED | WNOWAIT)),
			  "waiting for the end of process %u (%s)", c->pid, rtask_comm(c));
	}
}

static void tape_die(struct rtask *t)
{
	uint32_t code = t->core && t->core->tc ? t->core->tc->exit_code : 0;
	struct tape *tape = t->build;

	if (t->core && t->core->tc && t->core->tc->comm)
		tape_call(tape, SYS_prctl,
			  TAPE_ARGS(tape_imm(PR_SET_NAME),
				    tape_at(area_add_string(tape->area, t->core->tc->comm))),
			  "being called '%s'", t->core->tc->comm);
	if (WIFSIGNALED((int)code)) {
		uint64_t none = area_alloc(tape->area, 32, 8); /* SIG_DFL; also an empty mask */

		tape_call(tape, SYS_prctl, TAPE_ARGS(tape_imm(PR_SET_DUMPABLE), tape_imm(0)),
			  "leaving no core file");
		tape_call(tape, SYS_rt_sigaction,
			  TAPE_ARGS(tape_imm((uint64_t)WTERMSIG((int)code)), tape_at(none),
				    tape_imm(0), tape_imm(8)),
			  "being killed by signal %d", WTERMSIG((int)code));
		tape_expect(tape, (uint32_t)(tape->n - 1), PIE_RULE_ANY, 0); /* not for SIGKILL */
		tape_call(tape, SYS_kill,
			  TAPE_ARGS(tape_imm(t->pid), tape_imm((uint64_t)WTERMSIG((int)code))),
			  "being killed by signal %d", WTERMSIG((int)code));
		tape_call(tape, SYS_rt_sigprocmask,
			  TAPE_ARGS(tape_imm(SIG_SETMASK), tape_at(none), tape_imm(0), tape_imm(8)),
			  "being killed by signal %d", WTERMSIG((int)code));
	}
	tape_call(tape, SYS_exit_group, TAPE_ARGS(tape_imm((uint64_t)WEXITSTATUS((int)code))),
		  "ending with status %d", WEXITSTATUS((int)code));
}

void tree_tape_groups(struct restore *r, struct rtask *t)
{
	bool together = r->owners || (r->ttys && r->ttys->want_groups);
	bool joining = together || r->any_joining;
	bool ending = r->any_ending;
	uint32_t all = (uint32_t)r->n_tasks;
	struct tape *tape = t->build;

	if (joining) {
		tape_post_last(tape, r->words.grouped, all, "own group made");
		if (joins_group(r, t)) {
			uint64_t pgid = outer_group(r, t->pgid) ? (uint64_t)getpgrp() : t->pgid;

			tape_barrier(tape, r->words.grouped, all, "all groups made");
			tape_call(tape, SYS_setpgid, TAPE_ARGS(tape_imm(0), tape_imm(pgid)),
				  "joining process group %u", t->pgid);
		}
		tape_post_last(tape, r->words.joined, all, "in its group");
		if (ending || together)
			tape_barrier(tape, r->words.joined, all, "all in their groups");
		ttys_tape_foreground(r, t);
	}
	if (!ending)
		return;
	if (!rtask_lives(t)) {
		tape_wait_children(t);
		tape_die(t);
		return;
	}
	tape_wait_children(t);
	tape_post_last(tape, r->words.cleared, r->n_living, "its helpers are gone");
	tape_barrier(tape, r->words.cleared, r->n_living, "all helpers are gone");
	if (t->reaper && !(t == r->root && r->new_pid_ns))
		tape_call(tape, SYS_prctl, TAPE_ARGS(tape_imm(PR_SET_CHILD_SUBREAPER), tape_imm(0)),
			  "adopting orphans no more");
	if (t->forker != t->parent && t != r->root)
		tree_tape_pdeathsig(r, t);
}
