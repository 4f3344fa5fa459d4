/* What prctl(PR_SET_MM) keeps: command line, environment, auxiliary vector, code, data, stack, exe.
 */
#include "live.h"

static char stat_before[2048], auxv_before[2048], exe_before[4096], cmdline_before[4096],
	environ_before[4096];

static size_t slurp(const char *path, char *buf, size_t size)
{
	int fd = SYS(open(path, O_RDONLY | O_CLOEXEC));
	ssize_t n = SYS(read(fd, buf, size - 1));

	buf[n] = '\0';
	(void)close(fd);
	return (size_t)n;
}

/* Fields 26-28 (code, stack) and 45-51 (data, brk, arguments, environment) of stat. */
static void layout(char *ret, size_t size)
{
	char text[2048], *save, *word;
	size_t used = 0;
	int field = 3;

	(void)slurp("/proc/self/stat", text, sizeof(text));
	for (word = strtok_r(strrchr(text, ')') + 2, " ", &save); word;
	     word = strtok_r(NULL, " ", &save), field++)
		if ((field >= 26 && field <= 28) || (field >= 45 && field <= 51))
			used += (size_t)snprintf(ret + used, size - used, "%d=%s ", field, word);
}

int main(void)
{
	char text[4096];
	size_t n_auxv, n_cmdline, n_environ;

	layout(stat_before, sizeof(stat_before));
	n_auxv = slurp("/proc/self/auxv", auxv_before, sizeof(auxv_before));
	n_cmdline = slurp("/proc/self/cmdline", cmdline_before, sizeof(cmdline_before));
	n_environ = slurp("/proc/self/environ", environ_before, sizeof(environ_before));
	CHECK(readlink("/proc/self/exe", exe_before, sizeof(exe_before) - 1) > 0, "readlink exe");
	live_freeze();
	layout(text, sizeof(text));
	CHECK(strcmp(text, stat_before) == 0, "layout was '%s', is '%s'", stat_before, text);
	CHECK(slurp("/proc/self/auxv", text, sizeof(text)) == n_auxv &&
		      memcmp(text, auxv_before, n_auxv) == 0,
	      "the auxiliary vector changed");
	CHECK(slurp("/proc/self/cmdline", text, sizeof(text)) == n_cmdline &&
		      memcmp(text, cmdline_before, n_cmdline) == 0,
	      "the command line is '%s'", text);
	CHECK(slurp("/proc/self/environ", text, sizeof(text)) == n_environ &&
		      memcmp(text, environ_before, n_environ) == 0,
	      "the environment is '%s'", text);
	memset(text, 0, sizeof(text));
	CHECK(readlink("/proc/self/exe", text, sizeof(text) - 1) > 0 &&
		      strcmp(text, exe_before) == 0,
	      "exe is '%s', not '%s'", text, exe_before);
	live_pass();
}
