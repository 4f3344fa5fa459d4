/* A queue of which somebody wants to be notified: refused, and it goes on. */
#include "live.h"

#include <mqueue.h>

int main(void)
{
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	struct timespec second = { .tv_sec = 5 };
	siginfo_t info;
	sigset_t set;
	mqd_t queue = SYS(mq_open("/cryopod-notify", O_RDWR | O_CREAT, 0600, NULL));

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	(void)SYS(sigprocmask(SIG_BLOCK, &set, NULL));
	event.sigev_value.sival_int = 4711;
	(void)SYS(mq_notify(queue, &event));
	live_freeze();
	(void)SYS(mq_send(queue, "x", 1, 0));
	CHECK(sigtimedwait(&set, &info, &second) == SIGUSR1 && info.si_value.sival_int == 4711,
	      "no notification");
	live_pass();
}
