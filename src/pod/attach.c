#include "pod/attach.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/fd.h"

#define STREAM_OUT 2
#define STREAM_ERR 3
#define PACKET_MAX 32769
#define KEYS_MAX 16

/* What the user sends us belongs to the container. SIGKILL and SIGSTOP can't be passed on. */
static const int passed_signals[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGALRM };

/* Our terminal in raw mode: a guard. */
struct raw {
	int fd; /* negative: not changed */
	struct termios old;
};

static void raw_end(struct raw *raw)
{
	if (raw->fd >= 0)
		(void)tcsetattr(raw->fd, TCSANOW, &raw->old); /* the terminal may be gone */
	raw->fd = -EBADF;
}

static int raw_begin(struct raw *raw, int fd, struct error *err)
{
	struct termios new;

	if (tcgetattr(fd, &raw->old) < 0)
		return err_sys(err, "read the terminal's mode");
	new = raw->old;
	cfmakeraw(&new);
	if (tcsetattr(fd, TCSANOW, &new) < 0)
		return err_sys(err, "set the terminal's mode");
	raw->fd = fd;
	return 0;
}

struct session {
	int fd;
	int signals;
	const char *bundle;
	const struct attach *attach;
	bool reading; /* our standard input is still open */
	unsigned char keys[KEYS_MAX];
	int n_keys;
	int matched; /* keys typed so far */
};

int attach_connect(const char *bundle, struct error *err)
{
	cleanup_fd int folder = open(bundle, O_PATH | O_DIRECTORY | O_CLOEXEC);
	cleanup_fd int fd = -EBADF;
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	if (folder < 0)
		return err_sys(err, "open folder '%s'", bundle);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return err_sys(err, "make a socket");
	/* A socket's name has 107 bytes, a folder's path may have more. */
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/attach",
		       folder);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return err_sys(err, "connect to '%s/attach'", bundle);
	return take_fd(&fd);
}

void attach_resize(const char *bundle)
{
	cleanup_fd int fd = -EBADF;
	struct winsize size;
	char path[4096];
	char line[64];

	if (ioctl(STDIN_FILENO, TIOCGWINSZ, &size) < 0)
		return;
	(void)snprintf(path, sizeof(path), "%s/ctl", bundle);
	fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return;
	(void)snprintf(line, sizeof(line), "1 %u %u\n", size.ws_row, size.ws_col);
	(void)fd_write_all(fd, line, strlen(line)); /* a wrong size is no reason to fail */
}

int detach_keys_parse(const char *words, unsigned char *ret, int max, struct error *err)
{
	int n = 0;

	while (*words) {
		size_t len = strcspn(words, ",");
		unsigned char key = 0;

		if (len == 1)
			key = (unsigned char)words[0];
		else if (len == 6 && strncmp(words, "ctrl-", 5) == 0 &&
			 strchr("@[\\]^_abcdefghijklmnopqrstuvwxyz", words[5]))
			key = (unsigned char)(words[5] & 0x1f);
		else
			return err_set(err, -EINVAL, "invalid detach keys: '%.*s'", (int)len,
				       words);
		if (n == max)
			return err_set(err, -EINVAL, "more than %d detach keys", max);
		ret[n++] = key;
		words += len + (words[len] == ',');
	}
	return n;
}

/* 0: ended. */
static int receive(struct session *s, struct error *err)
{
	unsigned char packet[PACKET_MAX];
	ssize_t n = recv(s->fd, packet, sizeof(packet), 0);
	int to;
	int r;

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return 1;
	if (n < 0 && errno != ECONNRESET)
		return err_sys(err, "read from conmon");
	if (n <= 0)
		return 0;
	to = packet[0] == STREAM_ERR && s->attach->err >= 0 ? s->attach->err : s->attach->out;
	if (to < 0)
		return 1;
	r = fd_write_all(to, packet + 1, (size_t)n - 1);
	if (r < 0)
		return err_set(err, r, "write output: %s", strerror(-r));
	return 1;
}

/*
 * Looks for the detach keys, which may come in several reads. What only began
 * like them is passed on later. Returns how many bytes of `out` to send.
 */
static size_t filter_keys(struct session *s, const unsigned char *in, size_t n, unsigned char *out,
			  bool *ret_detach)
{
	size_t len = 0;

	for (size_t i = 0; i < n; i++) {
		if (in[i] == s->keys[s->matched]) {
			if (++s->matched == s->n_keys) {
				*ret_detach = true;
				return len;
			}
			continue;
		}
		for (int k = 0; k < s->matched; k++)
			out[len++] = s->keys[k];
		s->matched = 0;
		if (in[i] == s->keys[0])
			s->matched = 1;
		else
			out[len++] = in[i];
	}
	return len;
}

static int send_all(struct session *s, const unsigned char *data, size_t len, struct error *err)
{
	while (len > 0) {
		ssize_t n = send(s->fd, data, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EPIPE || errno == ECONNRESET || errno == ENOTCONN))
			return 0; /* the end is told by receive() */
		if (n < 0)
			return err_sys(err, "write to conmon");
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

/* 1: the detach keys were typed. */
static int pass_input(struct session *s, struct error *err)
{
	unsigned char in[4096];
	unsigned char out[sizeof(in) + KEYS_MAX];
	bool detach = false;
	size_t len;
	ssize_t n = read(s->attach->in, in, sizeof(in));
	int r;

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return 0;
	if (n <= 0) {
		s->reading = false;
		(void)shutdown(s->fd, SHUT_WR); /* fails only when the other side is gone */
		return 0;
	}
	if (s->n_keys == 0)
		return send_all(s, in, (size_t)n, err);
	len = filter_keys(s, in, (size_t)n, out, &detach);
	r = send_all(s, out, len, err);
	return r < 0 ? r : detach;
}

static void take_signal(struct session *s)
{
	struct signalfd_siginfo info;

	if (read(s->signals, &info, sizeof(info)) != (ssize_t)sizeof(info))
		return;
	if (info.ssi_signo == SIGWINCH)
		attach_resize(s->bundle);
	else if (s->attach->on_signal)
		s->attach->on_signal(s->attach->arg, (int)info.ssi_signo);
}

static int talk(struct session *s, struct error *err)
{
	int r;

	for (;;) {
		struct pollfd fds[3] = {
			{ .fd = s->fd, .events = POLLIN },
			{ .fd = s->reading ? s->attach->in : -1, .events = POLLIN },
			{ .fd = s->signals, .events = POLLIN },
		};

		if (poll(fds, 3, -1) < 0 && errno != EINTR)
			return err_sys(err, "wait for input and output");
		if (fds[2].revents)
			take_signal(s);
		if (fds[0].revents) {
			r = receive(s, err);
			if (r <= 0)
				return r;
		}
		if (fds[1].revents) {
			r = pass_input(s, err);
			if (r != 0)
				return r;
		}
	}
}

static void restore_mask(sigset_t *old)
{
	(void)sigprocmask(SIG_SETMASK, old, NULL); /* can't fail with these arguments */
}

int attach_run(int fd, const char *bundle, const struct attach *attach, struct error *err)
{
	__attribute__((cleanup(restore_mask))) sigset_t old;
	__attribute__((cleanup(raw_end))) struct raw raw = { .fd = -EBADF };
	cleanup_fd int signals = -EBADF;
	struct session s = {
		.fd = fd,
		.bundle = bundle,
		.attach = attach,
		.reading = attach->in >= 0,
	};
	sigset_t set;
	int r = 0;

	(void)sigemptyset(&set);
	if (attach->terminal)
		(void)sigaddset(&set, SIGWINCH);
	for (size_t i = 0; attach->on_signal && i < ARRAY_SIZE(passed_signals); i++)
		(void)sigaddset(&set, passed_signals[i]);
	(void)sigprocmask(SIG_BLOCK, &set, &old);
	signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (signals < 0)
		return err_sys(err, "take signals");
	s.signals = signals;
	if (attach->in < 0)
		(void)shutdown(fd, SHUT_WR);
	if (attach->terminal && attach->in >= 0 && isatty(attach->in)) {
		s.n_keys = detach_keys_parse(attach->detach_keys ? attach->detach_keys
								 : "ctrl-p,ctrl-q",
					     s.keys, KEYS_MAX, err);
		r = s.n_keys < 0 ? s.n_keys : raw_begin(&raw, attach->in, err);
	}
	if (r < 0)
		return r;
	if (attach->terminal)
		attach_resize(bundle);
	return talk(&s, err);
}
