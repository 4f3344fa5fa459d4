# cryopod tag, untag: names of images.

load ../../lib/setup
load images

setup_file() { test_begin; }
teardown_file() { test_end; }
setup() { cryopod import "$(busybox_tar)" box; }
teardown() { remove_images; assert_store_empty; assert_nothing_left; }

names() { cryopod images --format '{{.Repository}}:{{.Tag}}' | sort | paste -sd' '; }

@test "a short name is local, a full one is as it is" {
	run -0 cryopod tag box other quay.io/team/app:v1 docker.io/thing
	assert_equal "$output" ""
	assert_equal "$(names)" \
		"docker.io/library/thing:latest localhost/box:latest localhost/other:latest quay.io/team/app:v1"
}

@test "a name moves from one image to another" {
	cryopod import -c 'CMD x' "$(busybox_tar)" second
	run -0 cryopod tag second box
	assert_equal "$(image_id localhost/box:latest)" "$(image_id localhost/second:latest)"
	assert_equal "$(cryopod images -f dangling=true -q | wc -l)" 1
}

@test "untag takes one name, or all of them" {
	cryopod tag box a b
	run -0 cryopod untag box a
	assert_equal "$(names)" "localhost/b:latest localhost/box:latest"
	run -0 cryopod untag box
	assert_equal "$(names)" "<none>:<none>"
}

@test "mistakes" {
	run -125 cryopod tag nope x
	assert_equal "$output" "Error: nope: image not known"
	run -125 cryopod tag box 'UPPER'
	assert_has 'repository name must be lowercase'
	run -125 cryopod tag box
	assert_has 'requires at least 2 arg(s), only received 1'
	run -125 cryopod untag box elsewhere
	assert_equal "$output" "Error: elsewhere: tag not known"
	assert_equal "$(names)" "localhost/box:latest"
}

@test "many at once lose nothing" {
	local i pids=()
	for i in $(seq 20); do cryopod tag box "n$i" & pids+=($!); done
	for i in "${pids[@]}"; do wait "$i"; done
	assert_equal "$(names | wc -w)" 21
}
