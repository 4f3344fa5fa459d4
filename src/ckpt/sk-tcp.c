#include "ckpt/sk-tcp.h"

#include <string.h>
#include <sys/socket.h>

bool tcp_sent_fin(uint32_t state)
{
	return state == TCP_STATE_FIN_WAIT1 || state == TCP_STATE_FIN_WAIT2 ||
	       state == TCP_STATE_CLOSING || state == TCP_STATE_LAST_ACK;
}

bool tcp_got_fin(uint32_t state)
{
	return state == TCP_STATE_CLOSE_WAIT || state == TCP_STATE_LAST_ACK ||
	       state == TCP_STATE_CLOSING;
}

bool tcp_is_open(uint32_t state)
{
	return state == TCP_STATE_ESTABLISHED || tcp_sent_fin(state) || tcp_got_fin(state);
}

bool tcp_is_over(const InetSkEntry *entry)
{
	return entry->type == SOCK_STREAM && entry->state == TCP_STATE_CLOSE && entry->src_port &&
	       entry->dst_port;
}

static void put_address(unsigned char to[16], uint32_t family, const uint32_t *address)
{
	static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };

	memcpy(to, mapped, sizeof(mapped));
	if (family == AF_INET)
		memcpy(to + sizeof(mapped), address, 4);
	else
		memcpy(to, address, 16);
}

struct tcp_tuple tcp_tuple_of(const InetSkEntry *entry)
{
	struct tcp_tuple tuple = { .own_port = entry->src_port, .peer_port = entry->dst_port };

	put_address(tuple.own, entry->family, entry->src_addr);
	put_address(tuple.peer, entry->family, entry->dst_addr);
	return tuple;
}

struct tcp_tuple tcp_tuple_of_peer(const InetSkEntry *entry)
{
	struct tcp_tuple tuple = { .own_port = entry->dst_port, .peer_port = entry->src_port };

	put_address(tuple.own, entry->family, entry->dst_addr);
	put_address(tuple.peer, entry->family, entry->src_addr);
	return tuple;
}

int tcp_tuple_compare(const struct tcp_tuple *a, const struct tcp_tuple *b)
{
	return memcmp(a, b, sizeof(*a)); /* no padding in it */
}
