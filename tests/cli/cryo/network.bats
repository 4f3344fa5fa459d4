# cryo dump and restore of a process with a network namespace of its own.

load ../../lib/setup

setup_file() { test_begin; }
teardown_file() { test_end; }
setup() { IMG=$(mktemp -d "$TEST_DIR/img.XXXX"); }
teardown() {
	leftovers_remove
	assert_nothing_left
}

begin() {
	rm -f "$TEST_DIR/pid"
	unshare --net setsid sh -c "echo \$\$ >'$TEST_DIR/pid'; exec sleep 1000" </dev/null >/dev/null 2>&1 3>&- &
	wait_for file_has "$TEST_DIR/pid" .
	wait_for is_sleep "$(cat "$TEST_DIR/pid")"
	pid=$(cat "$TEST_DIR/pid")
	[ "$(stat -Lc %i "/proc/$pid/ns/net")" != "$(stat -Lc %i /proc/self/ns/net)" ]
}
is_sleep() { [ "$(cat "/proc/$1/comm")" = sleep ]; }
inside() { nsenter --net="/proc/$pid/ns/net" "$@"; }
there_and_back() {
	cryo dump -t "$pid" -D "$IMG"
	wait_for process_gone "$pid"
	rm -f "$TEST_DIR/pid"
	cryo restore -D "$IMG" -d --pidfile "$TEST_DIR/pid"
	pid=$(cat "$TEST_DIR/pid")
}
# Nothing but what somebody has set: no counters, no order of the kernel's own routes.
network() {
	inside sh -c 'ip -o link; ip -o addr; ip route show table all; ip -6 route show table all; ip rule; ip -6 rule; ip neigh; sysctl -a 2>/dev/null | grep -E "^net.ipv[46].conf|ping_group"' |
		sed -E 's/[0-9]+sec/sec/g; s/ state (UP|DOWN|UNKNOWN|LOWERLAYERDOWN)//; s/ (LOWER_UP|NO-CARRIER|M-DOWN),?//; s/tentative//' | sort
}
settled() { ! inside ip -6 -o addr | grep -q tentative; }

@test "devices, addresses, routes, rules, neighbours and settings come back" {
	begin
	inside sh -e -c '
		sysctl -qw net.ipv4.conf.default.rp_filter=2 net.ipv6.conf.default.hop_limit=33
		ip link set lo up
		ip addr add 10.1.1.1/24 dev lo
		ip link add br0 type bridge
		ip link add v0 type veth peer name v1
		ip link set v0 master br0 up
		ip link set v1 mtu 1400 address 02:00:00:00:00:77 up
		ip link set br0 up
		ip addr add 192.168.7.1/24 dev v1
		ip addr add fd00::1/64 dev v1
		ip route add 1.2.3.0/24 via 192.168.7.9
		ip route add 4.5.6.0/24 via 1.2.3.4 dev v1 onlink
		ip -6 route add fd01::/64 via fd00::9
		ip rule add from 9.9.9.9 table 77
		ip -6 rule add from fd77::/64 table 88
		ip rule del table default
		ip route add default via 192.168.7.8 table 77
		ip neigh add 192.168.7.9 lladdr 02:00:00:00:00:01 dev v1 nud permanent
		sysctl -qw net.ipv4.conf.v1.rp_filter=1 net.ipv4.ip_forward=1
		sysctl -qw net.ipv4.conf.all.accept_redirects=1 net.ipv4.ping_group_range="0 5"
		sysctl -qw net.ipv6.conf.v1.accept_dad=0'
	wait_for settled
	network >"$TEST_DIR/before"
	for _ in 1 2; do
		there_and_back
		wait_for settled
		network | diff "$TEST_DIR/before" -
	done
}

@test "a device that was down stays down, an address that was taken away stays away" {
	begin
	inside ip link set lo up
	inside ip addr del 127.0.0.1/8 dev lo
	inside ip addr del ::1/128 dev lo
	there_and_back
	assert_equal "$(inside ip -o addr)" "" "addresses"
	inside ip link set lo down
	there_and_back
	assert_equal "$(inside ip -o link | grep -c UP)" 0 "devices that are up"
}

@test "packet filter rules come back" {
	begin
	inside nft -f - <<-RULES
		table inet filter {
			set friends { type ipv4_addr; elements = { 10.0.0.1, 10.0.0.7 } }
			chain input {
				type filter hook input priority 0; policy drop;
				ip saddr @friends tcp dport { 22, 80 } accept
				iifname "lo" counter accept
			}
		}
	RULES
	before=$(inside nft list ruleset)
	there_and_back
	assert_equal "$(inside nft list ruleset)" "$before"
}

@test "a device whose other end is outside is refused by name" {
	begin
	unshare --net sleep 1000 </dev/null >/dev/null 2>&1 3>&- &
	other=$!
	inside ip link add far0 type veth peer name far1
	wait_for is_sleep "$other"
	inside ip link set far1 netns "$other"
	run --separate-stderr cryo dump -t "$pid" -D "$IMG"
	kill "$other"
	assert_status 1
	[[ $stderr = *"the device 'far0' (veth): its other end lies in another network namespace"* ]]
	[[ $stderr = *"--empty-ns net"* ]]
	is_sleep "$pid"
	cryo dump -t "$pid" -D "$IMG" --empty-ns net
	cryo restore -D "$IMG" -d --empty-ns net
	inside ip -o link | grep LOOPBACK,UP
}
