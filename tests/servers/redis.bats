#!/usr/bin/env bats
# Redis: an append-only file, a child that saves, scripts that were loaded
load ../lib/setup
load servers
setup_file()    { test_begin; server_image redis redis-server redis-tools; }
teardown_file() { test_end; }
teardown()      { remove_containers; assert_nothing_left; }

KEYS=10000
REDIS="redis-server /programs/redis.conf"

in_redis() { cryopod exec db redis-cli -s /tmp/redis.sock "$@"; }
answers() { [ "$(in_redis PING)" = PONG ]; }
info() { in_redis INFO "$1" | tr -d '\r' | awk -F: -v name="$2" '$1 == name { print $2 }'; }

# `sleep` leads: the server can end and start again without the end of the container.
start_redis() { # PROGRAM
	start_server db redis -- sh -c "mkdir /data; $1"
	wait_for -t 60 answers
	assert_equal "$(in_redis --eval /programs/redis-fill.lua , "$KEYS")" "$KEYS"
	SCRIPT=$(in_redis SCRIPT LOAD 'return redis.call("INCRBY", KEYS[1], ARGV[1])')
}

# A child saves all keys, and takes its time: 2 ms a key.
begin_save() {
	assert_equal "$(in_redis CONFIG SET rdb-key-save-delay 2000)" OK
	assert_equal "$(in_redis BGSAVE)" "Background saving started"
}
is_saving() { [ "$(info persistence rdb_bgsave_in_progress)" = 1 ]; }
has_saved() { [ "$(info persistence rdb_bgsave_in_progress)" = 0 ]; }

assert_save_ends() { # the digest of what is to be in it
	wait_for -t 120 has_saved
	assert_equal "$(info persistence rdb_last_bgsave_status)" ok
	in_redis CONFIG SET rdb-key-save-delay 0
	cryopod exec db redis-check-rdb /data/dump.rdb >&2
	assert_equal "$(digest_of_fresh --dbfilename dump.rdb --appendonly no)" "$1" "what was saved"
}

# Another server reads those files into nothing and says what it has.
digest_of_fresh() { # OPTION...
	cryopod exec db sh -c 'cp -a /data /fresh
		redis-server --port 0 --unixsocket /tmp/fresh.sock --dir /fresh --save "" --enable-debug-command local "$@" >/tmp/fresh.log & server=$!
		until [ "$(redis-cli -s /tmp/fresh.sock PING 2>&1)" = PONG ]; do sleep 0.1; done
		redis-cli -s /tmp/fresh.sock DEBUG DIGEST
		redis-cli -s /tmp/fresh.sock SHUTDOWN NOSAVE
		wait $server
		rm -r /fresh' sh "$@"
}

@test "mid-save, read back from the disk: the save ends, all keys are equal" {
	start_redis "exec $REDIS"
	in_redis EVALSHA "$SCRIPT" 1 visits 40
	digest=$(in_redis DEBUG DIGEST)
	begin_save
	is_saving
	to_disk db
	forget_pages db
	from_disk db
	is_saving
	assert_equal "$(in_redis DEBUG DIGEST)" "$digest" digest
	assert_save_ends "$digest"
	# The script and the way to the append-only file are still there.
	assert_equal "$(in_redis EVALSHA "$SCRIPT" 1 visits 2)" 42 visits
	digest=$(in_redis DEBUG DIGEST)
	assert_equal "$(digest_of_fresh --appendonly yes)" "$digest" "the append-only file"
}

@test "five rounds in one save, with a client that counts" {
	start_redis "$REDIS >/dev/null & server=\$!
		until redis-cli -s /tmp/redis.sock PING; do sleep 0.1; done >/dev/null 2>&1
		trap 'kill -TERM \$client' TERM
		redis-cli -s /tmp/redis.sock -r -1 -i 0.002 INCR count & client=\$!
		wait \$client; wait \$client
		redis-cli -s /tmp/redis.sock SHUTDOWN NOSAVE
		wait \$server"
	begin_save
	for _ in 1 2 3 4 5; do
		is_saving
		before=$(cryopod logs db | wc -l)
		round db
		wait_for -t 60 log_lines db $((before + 20))
	done
	wait_for -t 120 has_saved
	assert_equal "$(info persistence rdb_last_bgsave_status)" ok
	cryopod exec db redis-check-rdb /data/dump.rdb >&2
	cryopod kill -s TERM db >/dev/null
	assert_equal "$(cryopod wait db)" 0 "exit code"
	{ echo 0; cryopod logs db; } >"$TEST_DIR/count"
	assert_sequence "$TEST_DIR/count"
}
