/*
 * crew: a few threads that move data.
 *
 *	crew_run(crew, 100, move, &context, err)
 *
 * calls move(&context, worker, job, err) for the jobs 0..99, as many at a time as there are
 * workers. The calling thread is worker 0 and works as well; the others are
 * made when they are first needed, with all signals blocked. A job touches its
 * own bytes only: descriptors, buffers and other processes' memory, no state.
 */
#pragma once

#include <stddef.h>

struct crew;
struct error;

#define CREW_MAX 8 /* workers, with the caller: more only wait for memory */

typedef int crew_job(void *arg, unsigned int worker, size_t job, struct error *err);

/* One worker for each processor that we may use. NULL: out of memory. */
struct crew *crew_new(void);

/* How many workers there are at most: job()'s `worker` is below that. */
unsigned int crew_size(const struct crew *crew);

/*
 * Returns when no job runs any more. After a failure no further one begins;
 * told is the failure of the lowest job.
 */
int crew_run(struct crew *crew, size_t n_jobs, crew_job *job, void *arg, struct error *err);

/* Ends the threads. Accepts NULL. */
void crew_free(struct crew *crew);
