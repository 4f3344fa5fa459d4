/*
 * netns-filter: packet filter rules of a network namespace.
 *
 * CRIU's images hold them as the text that "nft list ruleset" and
 * "iptables-save" print, so these programs write and read it: there is no other
 * source of that text. They run only where there are rules. Of iptables
 * the old kind is meant; the new one's rules are nftables'.
 */
#include <fcntl.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/log.h"
#include "base/netlink.h"
#include "base/scan.h"
#include "base/spawn.h"
#include "ckpt/dump-priv.h"
#include "ckpt/netns.h"
#include "ckpt/restore-priv.h"
#include "img/image.h"

#define TEXT_MAX ((size_t)64 << 20)
#define RUN_NS (UINT64_C(60) * 1000 * 1000 * 1000)

struct filter {
	enum img_kind kind;
	const char *package;
	const char *names; /* lists the tables; NULL: the kernel is asked */
	const char *const *save;
	const char *const *restore;
};

static const char *const nft_save[] = { "nft", "list", "ruleset", NULL };
static const char *const nft_restore[] = { "nft", "-f", "-", NULL };
static const char *const ip_save[] = { "iptables-legacy-save", "-c", NULL };
static const char *const ip_restore[] = { "iptables-legacy-restore", "-c", "-w", NULL };
static const char *const ip6_save[] = { "ip6tables-legacy-save", "-c", NULL };
static const char *const ip6_restore[] = { "ip6tables-legacy-restore", "-c", "-w", NULL };

static const struct filter filters[] = {
	{ IMG_KIND_IPTABLES, "iptables", "/proc/self/net/ip_tables_names", ip_save, ip_restore },
	{ IMG_KIND_IP6TABLES, "iptables", "/proc/self/net/ip6_tables_names", ip6_save,
	  ip6_restore },
	{ IMG_KIND_NFTABLES, "nftables", NULL, nft_save, nft_restore },
};

/* Where daemons and containers' managers run PATH often lacks the places of these. */
static int run(const struct filter *f, const char *const *words, int in,
	       struct spawn_result *result, struct error *err)
{
	struct spawn spawn = SPAWN_INIT;
	const char *argv[8] = { NULL };
	char path[64];
	int r;

	for (size_t i = 0; words[i] && i + 1 < ARRAY_SIZE(argv); i++)
		argv[i] = words[i];
	spawn.argv = (char *const *)argv;
	spawn.in = in;
	spawn.max_captured = TEXT_MAX;
	spawn.timeout_ns = RUN_NS;
	r = spawn_run(&spawn, result, err);
	if (r == -ENOENT) {
		(void)snprintf(path, sizeof(path), "/usr/sbin/%s", words[0]);
		argv[0] = path;
		r = spawn_run(&spawn, result, err);
	}
	if (r == -ENOENT) {
		r = err_set(err, -EOPNOTSUPP,
			    "the network namespace has packet filter rules, and the program '%s' "
			    "is not there",
			    words[0]);
		err_hint(err, "install the package '%s'", f->package);
		return r;
	}
	return r < 0 ? r : spawn_check(words[0], result, err);
}

/* ----------------------------------------------------------------------- dump */

static int count(void *arg, const struct nlmsghdr *message UNUSED, struct error *err UNUSED)
{
	(*(size_t *)arg)++;
	return 0;
}

static int count_nft(size_t *ret_n, struct error *err)
{
	cleanup_netlink struct netlink nl = NETLINK_INIT;
	struct nlmsghdr *request;
	struct nfgenmsg *body;
	int r = netlink_open(&nl, NETLINK_NETFILTER, NULL);

	if (r == -EPROTONOSUPPORT)
		return 0; /* no packet filters in this kernel */
	if (r < 0)
		return err_set(err, r, "open a netfilter socket");
	request = netlink_request(&nl, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETTABLE, 0);
	body = mnl_nlmsg_put_extra_header(request, sizeof(*body));
	body->nfgen_family = AF_UNSPEC;
	r = netlink_dump(&nl, request, count, ret_n, err);
	return r == -EINVAL || r == -EOPNOTSUPP ? 0 : r; /* no nftables */
}

static int count_legacy(const char *names, size_t *ret_n, struct error *err)
{
	cleanup_free char *text = NULL;
	int r = file_read_at(AT_FDCWD, names, 4096, &text, ret_n, err);

	return r == -ENOENT ? 0 : r;
}

/*
 * CRIU restores rules before connections, and counts on it that these are
 * among them: nothing may be heard before both ends are there. It takes them
 * out at the end. We do without.
 */
static int write_lock(struct dump *dump, uint32_t id, const struct filter *f, struct error *err)
{
	static const char rules[] = "*filter\n"
				    ":INPUT ACCEPT [0:0]\n"
				    ":FORWARD ACCEPT [0:0]\n"
				    ":OUTPUT ACCEPT [0:0]\n"
				    ":CRIU - [0:0]\n"
				    "-A INPUT -j CRIU\n"
				    "-A OUTPUT -j CRIU\n"
				    "-A CRIU -m mark --mark 0xc114 -j ACCEPT\n"
				    "-A CRIU -j DROP\n"
				    "COMMIT\n";
	cleanup_image struct image image = IMAGE_INIT;
	int r = dump_image_create(dump, &image, f->kind, id, err);

	if (r == 0)
		r = image_write_raw(&image, rules, sizeof(rules) - 1, err);
	return r < 0 ? r : image_finish(&image, err);
}

static int write_filter(struct dump *dump, uint32_t id, const struct filter *f, struct error *err)
{
	cleanup_spawn struct spawn_result result = SPAWN_RESULT_INIT;
	cleanup_image struct image image = IMAGE_INIT;
	size_t n = 0;
	int r = f->names ? count_legacy(f->names, &n, err) : count_nft(&n, err);

	if (r == 0 && !n && f->names && dump->connections)
		return write_lock(dump, id, f, err);
	if (r < 0 || !n)
		return r;
	log_debug("running %s", f->save[0]);
	r = run(f, f->save, SPAWN_NULL, &result, err);
	if (r == 0 && (!buf_ok(&result.out) || result.out.len >= TEXT_MAX))
		r = err_set(err, -E2BIG, "%s prints more than 64 MiB", f->save[0]);
	/* What the new iptables can't say in nftables' words, nft prints as a remark. */
	if (r == 0 && !f->names &&
	    (strstr(buf_str(&result.out), " xt match ") ||
	     strstr(buf_str(&result.out), " xt target ") ||
	     strstr(buf_str(&result.out), "# xt_"))) {
		r = err_set(err, -EOPNOTSUPP,
			    "the network namespace has rules of iptables-nft that nft can't "
			    "print, and this version can't save");
		err_hint(err, "use iptables-legacy or nft in the container");
	}
	if (r == 0)
		r = dump_image_create(dump, &image, f->kind, id, err);
	if (r == 0)
		r = image_write_raw(&image, buf_str(&result.out), result.out.len, err);
	return r < 0 ? r : image_finish(&image, err);
}

int netns_filters_write(struct dump *dump, uint32_t id, struct error *err)
{
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(filters) && r == 0; i++)
		r = write_filter(dump, id, &filters[i], err);
	return r;
}

/* -------------------------------------------------------------------- restore */

/*
 * CRIU keeps the network quiet during a dump with a chain of that name, which
 * is in its images: it takes it out after the restore. Here nothing was locked.
 */
static bool is_lock(const char *line, size_t len)
{
	return len > 6 && (!strncmp(line, ":CRIU ", 6) || !strncmp(line, "-A CRIU ", 8) ||
			   memmem(line, len, " -j CRIU", 8));
}

static void drop_lock(char *text)
{
	char *to = text;

	for (const char *line = text; *line;) {
		const char *next = scan_next_line(line);
		size_t len = (size_t)(next - line);

		if (!is_lock(line, len)) {
			memmove(to, line, len);
			to += len;
		}
		line = next;
	}
	*to = '\0';
}

/* Built-in chains that let all through are what is there anyway. */
static bool has_rules(const struct filter *f, const char *text)
{
	if (!f->names)
		return true;
	for (const char *line = text; *line; line = scan_next_line(line)) {
		const char *policy = strchr(line, ' ');

		if (line[0] == '-' || line[0] == '[')
			return true;
		if (line[0] == ':' && policy && strncmp(policy, " ACCEPT ", 8) != 0)
			return true;
	}
	return false;
}

static int feed(const struct filter *f, const char *text, struct error *err)
{
	static const char *const nft4[] = { "iptables-nft-restore", "-c", NULL };
	static const char *const nft6[] = { "ip6tables-nft-restore", "-c", NULL };
	cleanup_spawn struct spawn_result result = SPAWN_RESULT_INIT;
	cleanup_fd int fd = memfd_create("rules", MFD_CLOEXEC);
	const char *const *words = f->restore;
	int r;

	if (fd < 0)
		return err_sys(err, "memory for packet filter rules");
	r = fd_write_all(fd, text, strlen(text));
	if (r < 0 || lseek(fd, 0, SEEK_SET) < 0)
		return err_set(err, r < 0 ? r : -EIO, "memory for packet filter rules");
	/* Printed by the new program, of which the old one knows nothing. */
	if (f->kind != IMG_KIND_NFTABLES && strstr(text, "(nf_tables)"))
		words = f->kind == IMG_KIND_IPTABLES ? nft4 : nft6;
	return run(f, words, fd, &result, err);
}

int netns_filters_restore(const struct restore *r, uint32_t id, struct error *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(filters); i++) {
		cleanup_free char *text = NULL;
		char name[IMG_NAME_MAX];
		size_t len = 0;
		int ret;

		img_kind_file_name(filters[i].kind, id, name);
		ret = file_read_at(r->opts->images_dir, name, TEXT_MAX, &text, &len, err);
		if (ret == -ENOENT || (ret == 0 && !len))
			continue;
		if (ret < 0)
			return ret;
		drop_lock(text);
		if (!has_rules(&filters[i], text))
			continue;
		ret = feed(&filters[i], text, err);
		if (ret < 0)
			return err_wrap(err, ret, "'%s'", name);
	}
	return 0;
}
