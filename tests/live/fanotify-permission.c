/* A listener that is asked for permission is refused: frozen, it would stop whoever opens a file.
 */
#include "live.h"

#include <sys/fanotify.h>

int main(void)
{
	const char *path = live_path("file");
	int group;

	(void)close(SYS(open(path, O_RDWR | O_CREAT, 0600)));
	group = SYS(fanotify_init(FAN_CLASS_CONTENT, O_RDONLY));
	SYS(fanotify_mark(group, FAN_MARK_ADD, FAN_OPEN_PERM, AT_FDCWD, path));
	live_freeze();
	live_pass();
}
