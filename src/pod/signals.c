#include "pod/signals.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"

/* The kernel's own highest number; the C library keeps the first two real-time ones. */
#define SIGNAL_MAX 64
#define FIRST_RT 34

static const struct {
	const char *word;
	int number;
} signals[] = {
	{ "SIGHUP", SIGHUP },	    { "SIGINT", SIGINT },	{ "SIGQUIT", SIGQUIT },
	{ "SIGILL", SIGILL },	    { "SIGTRAP", SIGTRAP },	{ "SIGABRT", SIGABRT },
	{ "SIGBUS", SIGBUS },	    { "SIGFPE", SIGFPE },	{ "SIGKILL", SIGKILL },
	{ "SIGUSR1", SIGUSR1 },	    { "SIGSEGV", SIGSEGV },	{ "SIGUSR2", SIGUSR2 },
	{ "SIGPIPE", SIGPIPE },	    { "SIGALRM", SIGALRM },	{ "SIGTERM", SIGTERM },
	{ "SIGSTKFLT", SIGSTKFLT }, { "SIGCHLD", SIGCHLD },	{ "SIGCONT", SIGCONT },
	{ "SIGSTOP", SIGSTOP },	    { "SIGTSTP", SIGTSTP },	{ "SIGTTIN", SIGTTIN },
	{ "SIGTTOU", SIGTTOU },	    { "SIGURG", SIGURG },	{ "SIGXCPU", SIGXCPU },
	{ "SIGXFSZ", SIGXFSZ },	    { "SIGVTALRM", SIGVTALRM }, { "SIGPROF", SIGPROF },
	{ "SIGWINCH", SIGWINCH },   { "SIGIO", SIGIO },		{ "SIGPWR", SIGPWR },
	{ "SIGSYS", SIGSYS },	    { "SIGCLD", SIGCHLD },	{ "SIGIOT", SIGABRT },
	{ "SIGPOLL", SIGIO },
};

static int parse_number(const char *word, int from, int max)
{
	char *end = NULL;
	long n = strtol(word, &end, 10);

	if (end == word || *end || n < 0 || n + from > max || n + from < 1)
		return -EINVAL;
	return (int)n + from;
}

int signal_parse(const char *word)
{
	const char *bare = strncasecmp(word, "SIG", 3) == 0 ? word + 3 : word;

	if (word[0] >= '0' && word[0] <= '9')
		return parse_number(word, 0, SIGNAL_MAX);
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		if (strcasecmp(signals[i].word + 3, bare) == 0)
			return signals[i].number;
	if (strcasecmp(bare, "RTMIN") == 0)
		return FIRST_RT;
	if (strcasecmp(bare, "RTMAX") == 0)
		return SIGNAL_MAX;
	if (strncasecmp(bare, "RTMIN+", 6) == 0)
		return parse_number(bare + 6, FIRST_RT, SIGNAL_MAX);
	return -EINVAL;
}

const char *signal_word(int number)
{
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		if (signals[i].number == number)
			return signals[i].word;
	return NULL;
}
