#include "base/crew.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/err.h"

struct crew {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	pthread_t threads[CREW_MAX]; /* [0] is the caller's own: not used */
	unsigned int n_threads;	     /* made so far, with the caller */
	unsigned int size;
	bool ending;

	/* What is being done; changed under the lock. */
	crew_job *job;
	void *arg;
	size_t n_jobs;
	size_t next;	   /* that nobody has taken yet */
	size_t busy;	   /* jobs that are being done */
	size_t failed_job; /* valid if error.code */
	struct error error;
};

struct member {
	struct crew *crew;
	unsigned int worker;
};

static unsigned int count_processors(void)
{
	cpu_set_t set;
	int n;

	if (sched_getaffinity(0, sizeof(set), &set) < 0)
		return 1; /* more than CPU_SETSIZE of them: be modest */
	n = CPU_COUNT(&set);
	return n < 1 ? 1 : n > CREW_MAX ? CREW_MAX : (unsigned int)n;
}

struct crew *crew_new(void)
{
	struct crew *crew = calloc(1, sizeof(*crew));

	if (!crew)
		return NULL;
	pthread_mutex_init(&crew->lock, NULL);
	pthread_cond_init(&crew->changed, NULL);
	crew->n_threads = 1;
	crew->size = count_processors();
	return crew;
}

unsigned int crew_size(const struct crew *crew)
{
	return crew->size;
}

/* Does one job if there is any. The lock is held on entry and on return. */
static bool do_one(struct crew *crew, unsigned int worker)
{
	struct error error = ERROR_INIT;
	size_t job = crew->next;
	int r;

	if (job >= crew->n_jobs || crew->error.code)
		return false;
	crew->next++;
	crew->busy++;
	pthread_mutex_unlock(&crew->lock);
	r = crew->job(crew->arg, worker, job, &error);
	pthread_mutex_lock(&crew->lock);
	crew->busy--;
	if (r < 0 && (!crew->error.code || job < crew->failed_job)) {
		crew->error = error;
		crew->error.code = r;
		crew->failed_job = job;
	}
	if (!crew->busy)
		pthread_cond_broadcast(&crew->changed);
	return true;
}

static void *member_main(void *arg)
{
	struct member *member = arg;
	struct crew *crew = member->crew;
	unsigned int worker = member->worker;

	free(member);
	pthread_mutex_lock(&crew->lock);
	while (!crew->ending) {
		if (!do_one(crew, worker))
			pthread_cond_wait(&crew->changed, &crew->lock);
	}
	pthread_mutex_unlock(&crew->lock);
	return NULL;
}

/* One thread less is no failure: the work is done by those there are. */
static void add_member(struct crew *crew)
{
	struct member *member = malloc(sizeof(*member));
	sigset_t all;
	sigset_t old;

	if (!member)
		return;
	*member = (struct member){ .crew = crew, .worker = crew->n_threads };
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	if (pthread_create(&crew->threads[crew->n_threads], NULL, member_main, member) == 0)
		crew->n_threads++;
	else
		free(member);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
}

int crew_run(struct crew *crew, size_t n_jobs, crew_job *job, void *arg, struct error *err)
{
	size_t wanted = n_jobs < crew->size ? n_jobs : crew->size;
	int r;

	while (crew->n_threads < wanted) {
		unsigned int before = crew->n_threads;

		add_member(crew);
		if (crew->n_threads == before)
			break;
	}
	pthread_mutex_lock(&crew->lock);
	crew->job = job;
	crew->arg = arg;
	crew->n_jobs = n_jobs;
	crew->next = 0;
	crew->error = (struct error)ERROR_INIT;
	pthread_cond_broadcast(&crew->changed);
	while (do_one(crew, 0))
		;
	while (crew->busy)
		pthread_cond_wait(&crew->changed, &crew->lock);
	crew->n_jobs = 0;
	r = crew->error.code;
	if (r < 0 && err)
		*err = crew->error;
	pthread_mutex_unlock(&crew->lock);
	return r;
}

void crew_free(struct crew *crew)
{
	if (!crew)
		return;
	pthread_mutex_lock(&crew->lock);
	crew->ending = true;
	pthread_cond_broadcast(&crew->changed);
	pthread_mutex_unlock(&crew->lock);
	for (unsigned int i = 1; i < crew->n_threads; i++)
		(void)pthread_join(crew->threads[i], NULL); /* ours, joined once */
	pthread_mutex_destroy(&crew->lock);
	pthread_cond_destroy(&crew->changed);
	free(crew);
}
