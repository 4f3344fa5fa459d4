/* Packet sockets: device, protocol, memberships, options, filter, ring, fanout; and they hear. */
#include "live.h"

#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#ifndef SOL_PACKET
#define SOL_PACKET 263
#endif

static int get(int fd, int name)
{
	int value = -1;
	socklen_t len = sizeof(value);

	(void)SYS(getsockopt(fd, SOL_PACKET, name, &value, &len));
	return value;
}

static void set(int fd, int name, int value)
{
	(void)SYS(setsockopt(fd, SOL_PACKET, name, &value, sizeof(value)));
}

static int make(int type, int index)
{
	struct sockaddr_ll name = { .sll_family = AF_PACKET,
				    .sll_protocol = htons(ETH_P_IP),
				    .sll_ifindex = index };
	int fd = SYS(socket(AF_PACKET, type, 0));

	(void)SYS(bind(fd, (struct sockaddr *)&name, sizeof(name)));
	return fd;
}

static void make_noise(void)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_port = htons(9),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = SYS(socket(AF_INET, SOCK_DGRAM, 0));

	(void)SYS(sendto(fd, "noise", 5, 0, (struct sockaddr *)&to, sizeof(to)));
	(void)close(fd);
}

static bool hears(int fd)
{
	struct pollfd look = { .fd = fd, .events = POLLIN };
	char packet[2048];

	if (poll(&look, 1, 2000) <= 0)
		return false;
	while (recv(fd, packet, sizeof(packet), MSG_DONTWAIT) > 0)
		;
	return true;
}

int main(void)
{
	int index = (int)if_nametoindex("lo");
	int raw = make(SOCK_RAW, index);
	int cooked = make(SOCK_DGRAM, 0);
	int idle = SYS(socket(AF_PACKET, SOCK_RAW, 0));
	int deaf = make(SOCK_DGRAM, index);
	int ring = make(SOCK_RAW, index);
	struct packet_mreq promiscuous = { .mr_ifindex = index, .mr_type = PACKET_MR_PROMISC };
	struct sock_filter nothing = BPF_STMT(BPF_RET | BPF_K, 0);
	struct sock_fprog program = { 1, &nothing };
	struct tpacket_req want = { 4096, 4, 2048, 8 };
	struct tpacket_stats stats;
	struct sockaddr_ll name;
	socklen_t len = sizeof(name);

	set(raw, PACKET_AUXDATA, 1);
	set(raw, PACKET_ORIGDEV, 1);
	(void)SYS(setsockopt(raw, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &promiscuous,
			     sizeof(promiscuous)));
	(void)SYS(setsockopt(deaf, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)));
	set(ring, PACKET_VERSION, TPACKET_V2);
	set(ring, PACKET_RESERVE, 16);
	(void)SYS(setsockopt(ring, SOL_PACKET, PACKET_RX_RING, &want, sizeof(want)));
	set(cooked, PACKET_FANOUT, 0x1234 & 0xff);
	while (hears(cooked) && recv(cooked, &name, 1, MSG_DONTWAIT) > 0)
		;
	live_freeze();
	(void)SYS(getsockname(raw, (struct sockaddr *)&name, &len));
	CHECK(name.sll_ifindex == index && name.sll_protocol == htons(ETH_P_IP),
	      "bound to device %d, protocol %#x", name.sll_ifindex, ntohs(name.sll_protocol));
	CHECK(get(raw, PACKET_AUXDATA) == 1, "no auxiliary data");
	CHECK(get(raw, PACKET_ORIGDEV) == 1, "no original device");
	CHECK(get(cooked, PACKET_FANOUT) == (0x1234 & 0xff), "fanout %#x",
	      get(cooked, PACKET_FANOUT));
	CHECK(get(ring, PACKET_VERSION) == TPACKET_V2, "version");
	CHECK(get(ring, PACKET_RESERVE) == 16, "head room");
	make_noise();
	CHECK(hears(raw) && hears(cooked), "they hear nothing");
	CHECK(recv(deaf, &name, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN, "the filter is gone");
	CHECK(recv(idle, &name, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN, "it hears without leave");
	len = sizeof(stats);
	(void)SYS(getsockopt(ring, SOL_PACKET, PACKET_STATISTICS, &stats, &len));
	CHECK(stats.tp_packets > 0 && stats.tp_drops < stats.tp_packets, "nothing in the ring");
	/* A ring that is there can be taken away; to leave what was never joined fails. */
	memset(&want, 0, sizeof(want));
	(void)SYS(setsockopt(ring, SOL_PACKET, PACKET_RX_RING, &want, sizeof(want)));
	(void)SYS(setsockopt(raw, SOL_PACKET, PACKET_DROP_MEMBERSHIP, &promiscuous,
			     sizeof(promiscuous)));
	live_pass();
}
