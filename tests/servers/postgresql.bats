#!/usr/bin/env bats
# PostgreSQL: transactions open, shared buffers, System V and POSIX shared memory, parallel and background workers
load ../lib/setup
load servers
setup_file()    { test_begin; server_image postgresql postgresql-15 util-linux; }
teardown_file() { test_end; }
teardown()      { remove_containers; assert_nothing_left; }

start_database() { # SECONDS
	start_server db postgresql -- sh /programs/postgresql.sh "$1"
	wait_for -t 120 log_has db '^initialized$'
	wait_for -t 60 more_transactions 0
}

in_db() { cryopod exec db sh /programs/postgresql.sh as "$@"; }
query() { in_db psql -XAtqc "$1"; }

# What the clients have committed so far.
transactions() { query "select count(*) from pgbench_history"; }
more_transactions() { [ "$(transactions)" -gt $(($1 + 100)) ]; }

# Each transaction adds its delta in four places; all of pgbench's are there, none failed.
assert_database_is_whole() {
	wait_for -t 300 log_has db '^pgbench'
	output=$(cryopod exec db cat /tmp/pgbench)
	assert_equal "$(cryopod logs db | grep ^pgbench)" "pgbench 0 0" || { echo "$output"; cryopod exec db tail -n 20 /tmp/server; return 1; }
	assert_has "number of failed transactions: 0 "
	assert_equal "$(transactions)" "$(sed -n 's/^number of transactions actually processed: //p' <<<"$output")" transactions
	assert_equal "$(query "select (select sum(abalance) from pgbench_accounts) = (select sum(delta) from pgbench_history)
		and (select sum(tbalance) from pgbench_tellers) = (select sum(delta) from pgbench_history)
		and (select sum(bbalance) from pgbench_branches) = (select sum(delta) from pgbench_history)")" t "sums agree"
	in_db pg_amcheck --install-missing --heapallindexed postgres
	! cryopod exec db grep -E 'PANIC|FATAL|ERROR' /tmp/server
	# It ends in an orderly way, and so does its container.
	in_db pg_ctl stop -D /var/lib/postgresql/data -m fast --no-wait
	assert_equal "$(cryopod wait db)" 0 "exit code"
	assert_equal "$(cryopod logs db | grep ^state)" "state: shut down"
}

@test "pgbench finishes after a restore with nothing left in the page cache; sums agree" {
	start_database 15
	before=$(transactions)
	to_disk db
	forget_pages db
	from_disk db
	wait_for -t 60 more_transactions "$before"
	assert_database_is_whole
}

@test "pgbench goes through five rounds" {
	start_database 30
	for _ in 1 2 3 4 5; do
		before=$(transactions)
		round db
		wait_for -t 60 more_transactions "$before"
	done
	assert_database_is_whole
}
