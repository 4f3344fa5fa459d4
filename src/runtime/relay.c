#include "runtime/relay.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/fd.h"

static const int passed_on[] = { SIGHUP,  SIGINT,  SIGQUIT, SIGTERM, SIGUSR1,
				 SIGUSR2, SIGCONT, SIGALRM, SIGTSTP };

int relay_open(int *ret_signals, struct error *err)
{
	sigset_t set;
	int fd;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGCHLD);
	(void)sigaddset(&set, SIGWINCH);
	for (size_t i = 0; i < ARRAY_SIZE(passed_on); i++)
		(void)sigaddset(&set, passed_on[i]);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return err_sys(err, "block signals");
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		return err_sys(err, "make a signalfd");
	*ret_signals = fd;
	return 0;
}

struct relay {
	int signals;
	int master;
	pid_t pid;
	bool input_open;
	bool ended;
	int status;
};

static void pass_window_size(const struct relay *relay)
{
	struct winsize size;

	if (relay->master >= 0 && ioctl(STDIN_FILENO, TIOCGWINSZ, &size) == 0)
		(void)ioctl(relay->master, TIOCSWINSZ, &size); /* it keeps the old size then */
}

static void reap(struct relay *relay)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		if (pid == relay->pid) {
			relay->ended = true;
			relay->status = status;
		}
}

static void take_signals(struct relay *relay)
{
	struct signalfd_siginfo info;

	while (read(relay->signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo == SIGCHLD)
			reap(relay);
		else if (info.ssi_signo == SIGWINCH)
			pass_window_size(relay);
		else if (!relay->ended) /* our child, not waited for: the id is its own */
			(void)kill(relay->pid, (int)info.ssi_signo);
	}
}

/* false: the source is at its end. */
static bool copy(int from, int to)
{
	char bytes[4096];
	ssize_t n = read(from, bytes, sizeof(bytes));

	if (n < 0)
		return errno == EINTR || errno == EAGAIN;
	return n > 0 && fd_write_all(to, bytes, (size_t)n) >= 0;
}

static int loop(struct relay *relay, struct error *err)
{
	bool output_open = relay->master >= 0;

	reap(relay);
	while (!relay->ended || output_open) {
		struct pollfd fds[] = {
			{ .fd = relay->signals, .events = POLLIN },
			{ .fd = output_open ? relay->master : -1, .events = POLLIN },
			{ .fd = output_open && relay->input_open ? STDIN_FILENO : -1,
			  .events = POLLIN },
		};
		/* After its end only what is already there is of interest: others may hold the
		 * terminal for long. */
		int n = poll(fds, ARRAY_SIZE(fds), relay->ended ? 0 : -1);

		if (n < 0 && errno != EINTR)
			return err_sys(err, "wait for the container");
		if (n == 0)
			break;
		if (fds[1].revents)
			output_open = copy(relay->master, STDOUT_FILENO);
		if (fds[2].revents)
			relay->input_open = copy(STDIN_FILENO, relay->master);
		if (fds[0].revents)
			take_signals(relay);
	}
	return 0;
}

int relay_run(int signals, pid_t pid, int master, int *ret_code, struct error *err)
{
	struct relay relay = {
		.signals = signals, .master = master, .pid = pid, .input_open = true
	};
	const bool raw = master >= 0 && isatty(STDIN_FILENO);
	struct termios old;
	struct termios now;
	int r;

	if (raw && tcgetattr(STDIN_FILENO, &old) == 0) {
		now = old;
		cfmakeraw(&now);
		(void)tcsetattr(STDIN_FILENO, TCSANOW, &now); /* else it echoes twice */
		pass_window_size(&relay);
	}
	r = loop(&relay, err);
	if (raw)
		(void)tcsetattr(STDIN_FILENO, TCSANOW, &old); /* nothing better to do */
	if (r < 0)
		return r;
	*ret_code = WIFSIGNALED(relay.status) ? 128 + WTERMSIG(relay.status)
					      : WEXITSTATUS(relay.status);
	return 0;
}
