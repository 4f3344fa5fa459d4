#!/usr/bin/env bats
# OpenJDK 17: an HTTP server whose compiled code, threads and timers go on
load ../lib/setup
load servers
JAVA=/usr/lib/jvm/java-17-openjdk-amd64/bin/java
# What the package's configuration makes once, too: the archive of shared classes.
setup_file()    { test_begin; server_image java openjdk-17-jdk-headless curl -- "$JAVA" -Xshare:dump; }
teardown_file() { test_end; }
teardown()      { remove_containers; assert_nothing_left; }

WARM=50000

start_java() {
	# Without nodelay each answer waits 40 ms for an acknowledgement.
	start_server app java -- "$JAVA" -Dsun.net.httpserver.nodelay=true -XX:+UseG1GC -Xmx256m /programs/Steps.java
	wait_for -t 120 state
	served=0
}

state() { cryopod exec app curl -sS --fail http://127.0.0.1:8080/state; }
field() { state | cut -d' ' -f"$1"; }

# Requests one after the other: lines of "checksum seconds".
requests() { # FIRST LAST
	cryopod exec app curl -sS --fail --max-time 300 -w '%{time_total}\n' "http://127.0.0.1:8080/work?number=[$1-$2]" \
		>"$TEST_DIR/answers" || return 1
	served=$((served + $2 - $1 + 1))
}

# Median time of a thousand requests, in microseconds. What they answer has to be always the same.
thousand() {
	requests 1 1000
	cut -d' ' -f1 "$TEST_DIR/answers" >"$TEST_DIR/sums"
	[ -e "$TEST_DIR/first-sums" ] || cp "$TEST_DIR/sums" "$TEST_DIR/first-sums"
	cmp "$TEST_DIR/first-sums" "$TEST_DIR/sums" || return 1
	assert_equal "$(wc -l <"$TEST_DIR/answers")" 1000 answers || return 1
	sort -n -k2 "$TEST_DIR/answers" | awk 'NR == 500 { printf "%d\n", $2 * 1000000 }'
}

warm_up() {
	thousand >"$TEST_DIR/cold"
	requests 1 "$WARM"
	thousand >"$TEST_DIR/warm"
	cold=$(cat "$TEST_DIR/cold") warm=$(cat "$TEST_DIR/warm")
	echo "a request takes $cold us at first, $warm us when warm" >&2
}

no_connections() { # none but the listening one
	! cryopod exec app sh -c 'cat /proc/net/tcp /proc/net/tcp6' | awk '$4 == "01" || $4 == "08"' | grep -q .
}

assert_all_goes_on() {
	local ticks
	assert_equal "$(field 1)" "$served" requests
	assert_equal "$(field 3 | tr -d '\n')" 100 waiters
	ticks=$(field 2)
	wait_for ticks_more_than "$ticks"
	cryopod kill -s TERM app >/dev/null
	assert_equal "$(cryopod wait app)" 143 "exit code"
	assert_equal "$(cryopod logs app | tail -n 1)" "end $served"
}
ticks_more_than() { [ "$(field 2)" -gt "$1" ]; }

@test "fast as before, read back from the disk" {
	start_java
	warm_up
	wait_for no_connections
	to_disk app
	forget_pages app
	from_disk app
	thousand >"$TEST_DIR/after"
	after=$(cat "$TEST_DIR/after")
	echo "and $after us after the restore" >&2
	[ "$after" -le $((warm * 3 / 2)) ]
	assert_all_goes_on
}

# The machine may be busy with something else at one moment: what counts is the median of five.
@test "five rounds in a row, fast after each" {
	start_java
	warm_up
	for _ in 1 2 3 4 5; do
		wait_for no_connections
		round app
		thousand
	done >"$TEST_DIR/times"
	echo "after the restores: $(tr '\n' ' ' <"$TEST_DIR/times") us" >&2
	[ "$(sort -n "$TEST_DIR/times" | sed -n 3p)" -le $((warm * 3 / 2)) ]
	assert_all_goes_on
}
