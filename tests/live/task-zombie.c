/* Children that ended, by exit and by signal, wait to be asked how. */
#include "live.h"

int main(void)
{
	pid_t quit = SYS(fork()), killed, dumped;
	siginfo_t si;
	int status;

	if (quit == 0)
		_exit(42);
	killed = SYS(fork());
	if (killed == 0)
		for (;;)
			(void)pause();
	dumped = SYS(fork());
	if (dumped == 0) {
		for (;;)
			(void)pause();
	}
	(void)SYS(kill(killed, SIGKILL));
	(void)SYS(kill(dumped, SIGTERM));
	(void)SYS(waitid(P_PID, (id_t)quit, &si, WEXITED | WNOWAIT));
	(void)SYS(waitid(P_PID, (id_t)killed, &si, WEXITED | WNOWAIT));
	(void)SYS(waitid(P_PID, (id_t)dumped, &si, WEXITED | WNOWAIT));
	live_freeze();
	CHECK(waitpid(quit, &status, WNOHANG) == quit && WIFEXITED(status) &&
		      WEXITSTATUS(status) == 42,
	      "exit 42: %#x", (unsigned int)status);
	CHECK(waitpid(killed, &status, WNOHANG) == killed && WIFSIGNALED(status) &&
		      WTERMSIG(status) == SIGKILL,
	      "SIGKILL: %#x", (unsigned int)status);
	CHECK(waitpid(dumped, &status, WNOHANG) == dumped && WIFSIGNALED(status) &&
		      WTERMSIG(status) == SIGTERM,
	      "SIGTERM: %#x", (unsigned int)status);
	CHECK(wait(&status) < 0 && errno == ECHILD, "a child too many");
	live_pass();
}
