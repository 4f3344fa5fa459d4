#!/usr/bin/env bats
# memcached: a gigabyte of items, four threads, clients that write meanwhile
load ../lib/setup
load servers
setup_file()    { test_begin; server_image memcached memcached python3; }
teardown_file() { test_end; }
teardown()      { remove_containers; assert_nothing_left; }

ITEMS=65536
SIZE=16000
MEMCACHED="memcached -u memcache -t 4 -m 1600 -c 512 -s /tmp/memcached.sock"

client() { cryopod exec cache python3 /programs/memcached-client.py "$@"; }
has_started() { client stats version; }
is_empty() { [ "$(client stats curr_items)" = 0 ]; }

fill() {
	run -0 client fill "$ITEMS" "$SIZE"
	assert_equal "$output" "stored $ITEMS"
}

assert_all_there() {
	run -0 client verify "$ITEMS" "$SIZE"
	assert_equal "$output" "equal $ITEMS"
	assert_equal "$(client stats evictions)" 0 evictions
}

@test "a gigabyte is equal, byte for byte, read back from the disk after a stop; the counters go on" {
	start_server cache memcached -- $MEMCACHED
	wait_for -t 60 has_started
	fill
	before=$(client stats cmd_set total_items curr_items)
	client count visits
	to_disk cache --leave-running
	# What happens after it is forgotten.
	assert_equal "$(client count visits)" 2 visits
	run -0 client forget
	wait_for -t 60 is_empty
	cryopod stop -t 60 cache >/dev/null
	[ "$(jq .container_statistics[0].criu_statistics.pages_written "$TEST_DIR/checkpoint.json")" -gt 250000 ]
	forget_pages cache
	from_disk cache
	set -- $(client stats cmd_set total_items curr_items)
	assert_equal "$(($1 - 1)) $(($2 - 1)) $(($3 - 1))" "$before" counters # one more: 'visits'
	assert_equal "$(client count visits)" 2 visits
	assert_equal "$(client stats threads)" 4 threads
	assert_all_there
}

@test "clients that write go through five rounds without losing a value" {
	start_server cache memcached -- sh -c "$MEMCACHED & server=\$!
		until python3 /programs/memcached-client.py stats version; do sleep 0.1; done >/dev/null 2>&1
		python3 /programs/memcached-client.py write 40 & client=\$!
		trap 'kill -TERM \$client' TERM
		wait \$client; wait \$client; code=\$?
		kill -TERM \$server; wait \$server
		exit \$code"
	wait_for -t 60 log_lines cache 3
	fill
	for _ in 1 2 3 4 5; do
		before=$(cryopod logs cache | wc -l)
		round cache
		wait_for -t 60 log_lines cache $((before + 3))
	done
	assert_all_there
	cryopod kill -s TERM cache >/dev/null
	assert_equal "$(cryopod wait cache)" 0 "exit code"
	assert_equal "$(cryopod logs cache | tail -n 1)" "all of 40 writers found their last value"
}
