/* Asking the kernel over netlink, and hearing why not. */
#include "../cmocka-all.h"

#include "base/netlink.h"

#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>

#include "base/err.h"

static int count_loopback(void *arg, const struct nlmsghdr *message, struct error *err)
{
	const struct ifinfomsg *link = mnl_nlmsg_get_payload(message);
	const struct nlattr *attr;

	(void)err;
	netlink_each_attr(attr, message, sizeof(*link))
	{
		if (mnl_attr_get_type(attr) == IFLA_IFNAME && !strcmp(mnl_attr_get_str(attr), "lo"))
			(*(int *)arg)++;
	}
	return 0;
}

static struct nlmsghdr *ask_links(struct netlink *nl)
{
	struct nlmsghdr *request = netlink_request(nl, RTM_GETLINK, 0);

	(void)mnl_nlmsg_put_extra_header(request, sizeof(struct ifinfomsg));
	return request;
}

static void dump_sees_the_loopback_device_once(void **state)
{
	cleanup_netlink struct netlink nl = NETLINK_INIT;
	struct error err = ERROR_INIT;
	int n = 0;

	(void)state;
	assert_int_equal(netlink_open(&nl, NETLINK_ROUTE, &err), 0);
	for (int i = 1; i <= 3; i++) {
		assert_int_equal(netlink_dump(&nl, ask_links(&nl), count_loopback, &n, &err), 0);
		assert_int_equal(n, i);
	}
}

static int refuse(void *arg, const struct nlmsghdr *message, struct error *err)
{
	(void)arg;
	(void)message;
	return err_set(err, -EDOM, "not this one");
}

static void a_callbacks_refusal_is_the_result(void **state)
{
	cleanup_netlink struct netlink nl = NETLINK_INIT;
	struct error err = ERROR_INIT;
	int n = 0;

	(void)state;
	assert_int_equal(netlink_open(&nl, NETLINK_ROUTE, &err), 0);
	assert_int_equal(netlink_dump(&nl, ask_links(&nl), refuse, NULL, &err), -EDOM);
	assert_string_equal(err.text, "not this one");
	/* What was left of that answer is not taken for the next one's. */
	assert_int_equal(netlink_dump(&nl, ask_links(&nl), count_loopback, &n, NULL), 0);
	assert_int_equal(n, 1);
}

static void the_kernels_errno_is_the_result(void **state)
{
	cleanup_netlink struct netlink nl = NETLINK_INIT;
	struct error err = ERROR_INIT;
	struct nlmsghdr *request;
	struct ifinfomsg *link;

	(void)state;
	assert_int_equal(netlink_open(&nl, NETLINK_ROUTE, &err), 0);
	request = netlink_request(&nl, RTM_GETLINK, 0);
	link = mnl_nlmsg_put_extra_header(request, sizeof(*link));
	link->ifi_index = 0x7ffffff0; /* nobody has that many */
	assert_int_equal(netlink_talk(&nl, request, &err), -ENODEV);
	assert_non_null(strstr(err.text, "No such device"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dump_sees_the_loopback_device_once),
		cmocka_unit_test(a_callbacks_refusal_is_the_result),
		cmocka_unit_test(the_kernels_errno_is_the_result),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
