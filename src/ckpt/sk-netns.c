#include "ckpt/sk-netns.h"

#include <sys/ioctl.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "ckpt/dump-priv.h"
#include "ckpt/restore-priv.h"

#ifndef SIOCGSKNS
#define SIOCGSKNS 0x894C
#endif

int sk_netns_id(const struct dump *dump, int fd, const char *where, uint32_t *ret_id,
		struct error *err)
{
	cleanup_fd int netns = ioctl(fd, SIOCGSKNS);
	struct stat st;

	if (netns < 0 || fstat(netns, &st) < 0)
		return err_sys(err, "%s: network namespace of the socket", where);
	if (st.st_ino != dump->ns[DUMP_NS_NET].root_ino)
		return err_set(err, -EOPNOTSUPP,
			       "%s: the socket belongs to another network namespace than the tree",
			       where);
	*ret_id = dump->ns[DUMP_NS_NET].root_id;
	return 0;
}

int sk_netns_check(const struct restore *r, uint32_t id, uint32_t ns_id, struct error *err)
{
	if (!ns_id || ns_id == r->root->ids->net_ns_id)
		return 0;
	return err_set(err, -EOPNOTSUPP,
		       "socket %u belongs to another network namespace than the tree", id);
}
