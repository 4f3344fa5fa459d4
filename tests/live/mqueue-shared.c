/* A message queue of a namespace that is not the tree's own stays as it is, and is opened again. */
#include "live.h"

#include <mqueue.h>

int main(void)
{
	struct mq_attr attr = { .mq_maxmsg = 4, .mq_msgsize = 16 };
	char got[16] = "";
	char name[64];
	mqd_t queue;

	(void)snprintf(name, sizeof(name), "/cryopod-live-%d", getpid());
	queue = SYS(mq_open(name, O_RDWR | O_CREAT | O_EXCL | O_NONBLOCK, 0600, &attr));
	(void)SYS(mq_send(queue, "stays", 5, 3));
	live_freeze();
	(void)mq_unlink(name);
	CHECK(mq_receive(queue, got, sizeof(got), NULL) == 5 && memcmp(got, "stays", 5) == 0,
	      "'%s'", got);
	CHECK(mq_receive(queue, got, sizeof(got), NULL) < 0 && errno == EAGAIN, "flags");
	live_pass();
}
