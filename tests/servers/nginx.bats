#!/usr/bin/env bats
# nginx: master and workers, and a download that is half sent
load ../lib/setup
load servers
setup_file()    { test_begin; server_image nginx nginx-light curl; }
teardown_file() { test_end; }
teardown()      { remove_containers; assert_nothing_left; }

SIZE=134217728

# A server whose two workers serve a file of random bytes, over a unix socket of the container.
start_nginx() {
	start_server web nginx -- sh -c "head -c $SIZE /dev/urandom >/tmp/file && exec nginx -c /programs/nginx.conf"
	wait_for -t 60 web_answers
}

in_web() { cryopod exec web curl -sS --fail --unix-socket /run/web.sock "$@"; }
web_answers() { in_web http://web/status; }

# Requests served since the beginning: a number in memory that the workers share.
requests_of_server() { in_web http://web/status | awk 'NR == 3 { print $3 }'; }

# The client is a process of the container, too: it is started by its first process.
start_download() {
	start_server web nginx -- sh -c "head -c $SIZE /dev/urandom >/tmp/file
		nginx -c /programs/nginx.conf &
		until curl -sS --fail --unix-socket /run/web.sock http://web/status; do sleep 0.1; done >/dev/null 2>&1
		curl -sS --fail --unix-socket /run/web.sock -o /tmp/copy http://web/file
		echo \"curl \$?\"
		wait"
	wait_for -t 60 is_being_sent
}

hash_of() { cryopod exec web sha256sum "$1" | cut -d' ' -f1; }
copied() { cryopod exec web stat -c %s /tmp/copy; }
is_being_sent() { [ "$(copied)" -gt $((SIZE / 16)) ] && [ "$(copied)" -lt $((SIZE / 2)) ]; }

assert_file_is_whole() {
	wait_for -t 120 log_has web '^curl'
	assert_equal "$(cryopod logs web | grep ^curl)" "curl 0"
	assert_equal "$(copied)" "$SIZE" bytes
	assert_equal "$(hash_of /tmp/copy)" "$(hash_of /tmp/file)" sha256
}

@test "master and workers go on, with what they counted in shared memory" {
	start_nginx
	for _ in 1 2 3 4 5; do requests_of_server; done
	before=$(requests_of_server)
	to_disk web
	forget_pages web
	from_disk web
	assert_equal "$(requests_of_server)" $((before + 1)) "requests served"
	assert_equal "$(in_web http://web/file | sha256sum | cut -d' ' -f1)" "$(hash_of /tmp/file)" sha256
	# A master that is alive starts a new worker for one that dies.
	worker=$(workers | head -n 1)
	cryopod exec web kill -KILL "$worker"
	wait_for -t 30 worker_is_replaced "$worker"
	cryopod kill -s QUIT web >/dev/null
	assert_equal "$(cryopod wait web)" 0 "exit code"
}

workers() { cryopod exec web pgrep -f "worker process"; }
worker_is_replaced() { [ "$(workers | wc -l)" = 2 ] && ! workers | grep -qx "$1"; }

@test "a download that is half sent is whole in the end, read back from the disk" {
	start_download
	to_disk web
	forget_pages web
	from_disk web
	assert_file_is_whole
}

@test "a download goes through five rounds" {
	start_download
	for _ in 1 2 3 4 5; do
		before=$(copied)
		[ "$before" -lt "$SIZE" ]
		round web
		wait_for -t 60 copied_more_than "$before"
	done
	assert_file_is_whole
}

copied_more_than() { [ "$(copied)" -gt "$1" ]; }
