/* Descriptors of namespaces refer to those that the program is in, whatever their numbers are now.
 */
#include "live.h"

#include <linux/nsfs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

static const char *const names[] = { "pid", "net", "ipc", "uts", "mnt", "user", "cgroup", "time" };
#define N (sizeof(names) / sizeof(names[0]))

int main(void)
{
	int fds[N];
	int types[N];

	for (unsigned int i = 0; i < N; i++) {
		char path[64];

		snprintf(path, sizeof(path), "/proc/self/ns/%s", names[i]);
		fds[i] = SYS(open(path, O_RDONLY | (i % 2 ? O_CLOEXEC : 0)));
		types[i] = SYS(ioctl(fds[i], NS_GET_NSTYPE));
	}
	live_freeze();
	for (unsigned int i = 0; i < N; i++) {
		struct stat own, held;
		char path[64];

		snprintf(path, sizeof(path), "/proc/self/ns/%s", names[i]);
		SYS(stat(path, &own));
		SYS(fstat(fds[i], &held));
		CHECK(own.st_ino == held.st_ino, "%s: it is another namespace", names[i]);
		CHECK(ioctl(fds[i], NS_GET_NSTYPE) == types[i], "%s: another kind", names[i]);
		CHECK(fcntl(fds[i], F_GETFD) == (i % 2 ? FD_CLOEXEC : 0), "%s: close-on-exec",
		      names[i]);
	}
	live_pass();
}
