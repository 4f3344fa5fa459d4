# cryopod rmi: names and images go.

load ../../lib/setup
load images

setup_file() { test_begin; }
teardown_file() { test_end; }
setup() { cryopod import "$(busybox_tar)" box; }
teardown() { remove_images; assert_store_empty; assert_nothing_left; }

@test "the last name takes the image with it" {
	local id
	id=$(image_id localhost/box:latest)
	cryopod tag box two
	run -0 cryopod rmi box
	assert_equal "$output" "Untagged: localhost/box:latest"
	compgen -G "$TEST_DIR/root/layers/*/diff"
	run -0 cryopod rmi two
	assert_equal "$output" $'Untagged: localhost/two:latest\nDeleted: '"$id"
	assert_store_empty
}

@test "by id only when it has one name, or by force" {
	local id
	id=$(image_id localhost/box:latest)
	cryopod tag box two
	run -2 cryopod rmi "$id"
	assert_has "unable to delete image \"$id\" by ID with more than one tag"
	run -0 cryopod rmi -f "$id"
	assert_store_empty
}

@test "a layer stays as long as an image needs it" {
	cryopod import -c 'CMD x' "$(busybox_tar)" second
	run -0 cryopod rmi box
	compgen -G "$TEST_DIR/root/layers/*/diff/bin/busybox"
	run -0 cryopod image exists second
	run -0 cryopod rmi second
	assert_store_empty
}

@test "an image that a container uses stays; by force both go" {
	local c
	c=$(cryopod create --name user box /bin/sh)
	run -2 cryopod rmi box
	assert_has "image used by $c: image is in use by a container"
	run -0 cryopod image exists box
	cryopod tag box two
	run -0 cryopod rmi two # another name of it may go
	run -2 cryopod rmi -a
	run -0 cryopod rmi -f box
	run -1 cryopod container exists user
	assert_store_empty
}

@test "unknown images are told, the others are removed" {
	run -1 cryopod rmi nope box
	assert_has "Error: nope: image not known"
	assert_store_empty
	run -0 cryopod rmi -i nope
	run -125 cryopod rmi
	assert_has "image name or ID must be specified"
	run -125 cryopod rmi -a nope
	assert_has "when using the --all switch"
	run -0 cryopod rmi -a
	assert_equal "$output" ""
}

@test "what a killed command left is removed by the next" {
	local root=$TEST_DIR/root
	mkdir -p "$root/images/tmp/work.abcdef/layer" "$root/layers/$(printf 'a%.0s' {1..64})/diff"
	touch "$root/images/tmp/work.abcdef/lock" "$root/images/blobs/sha256/$(printf 'b%.0s' {1..64})" \
		"$root/images/index.json.1.tmp"
	run -0 cryopod rmi box
	assert_store_empty
	[ ! -e "$root/images/index.json.1.tmp" ]
}

@test "killed at any moment, an import leaves a store that works" {
	local i pid ms
	for i in $(seq 25); do
		"$CRYOPOD" --root "$TEST_DIR/root" --runroot "$TEST_DIR/run" \
			import -c "LABEL i=$i" "$(busybox_tar)" "killed$i" >/dev/null 2>&1 3>&- &
		pid=$!
		sleep "0.$(printf %03d $((RANDOM % 120)))"
		kill -KILL "$pid" 2>/dev/null || true
		wait "$pid" || true
		run -0 cryopod images -q
		run -0 cryopod image exists box
	done
	cryopod import "$(busybox_tar)" last
	[ -z "$(ls "$TEST_DIR/root/images/tmp")" ]
}
