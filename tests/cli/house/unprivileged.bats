# Without root nothing can be done, and that is what is said.

load ../../lib/setup

setup_file() { test_begin; }
teardown_file() { test_end; }
teardown() {
	leftovers_remove
	assert_nothing_left
}

as_nobody() { setpriv --reuid 65534 --regid 65534 --clear-groups "$@"; }

setup() {
	# The programs must be reachable for somebody who may not enter root's folders.
	mkdir -p "$TEST_DIR/bin"
	chmod 755 "$TEST_DIR" "$TEST_DIR/bin"
	install -m 755 "$CRYO" "$CRYORUN" "$CRYOPOD" "$TEST_DIR/bin"
	mkdir -p -m 777 "$TEST_DIR/open"
}

@test "cryo says that dump and restore need root" {
	run as_nobody "$TEST_DIR/bin/cryo" dump -t 1 -D "$TEST_DIR/open"
	assert_status 1
	assert_has "needs root"
	assert_has "hint: run it with sudo"
	run as_nobody "$TEST_DIR/bin/cryo" restore -D "$TEST_DIR/open"
	assert_status 1
	assert_has "needs root"
}

@test "cryorun says why it can't see its containers" {
	mkdir -m 700 "$TEST_DIR/closed"
	run as_nobody "$TEST_DIR/bin/cryorun" --root "$TEST_DIR/closed" list
	assert_status 1
	assert_has "cryorun needs root"
	run as_nobody "$TEST_DIR/bin/cryorun" --root "$TEST_DIR/closed" state c
	assert_status 1
	assert_has "cryorun needs root"
}

@test "cryopod refuses with Podman's words" {
	run as_nobody "$TEST_DIR/bin/cryopod" container checkpoint -a
	assert_status 125
	assert_has "Error: checkpointing a container requires root"
	run as_nobody "$TEST_DIR/bin/cryopod" container restore -a
	assert_status 125
	assert_has "Error: restoring a container requires root"
	run as_nobody "$TEST_DIR/bin/cryopod" ps
	assert_status 125
	assert_has "requires root"
}
