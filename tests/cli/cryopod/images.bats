# cryopod images, image exists: what is in the store.

load ../../lib/setup
load images

setup_file() {
	test_begin
	SOURCE_DATE_EPOCH=1000000000 cryopod import "$(busybox_tar)" old:v1
	cryopod import -c 'CMD new' "$(busybox_tar)" quay.io/team/new
	cryopod tag old:v1 old:v2
}
teardown_file() { remove_images; assert_store_empty; test_end; }
teardown() { assert_nothing_left; }

@test "the table is Podman's" {
	run -0 cryopod images
	[[ ${lines[0]} =~ ^REPOSITORY\ +TAG\ +IMAGE\ ID\ +CREATED\ +SIZE$ ]]
	[[ ${lines[1]} =~ ^quay.io/team/new\ \ latest\ +[0-9a-f]{12}\ \ .*ago\ \ +[0-9.]+\ MB$ ]]
	[[ ${lines[2]} =~ ^localhost/old\ +v1\ +[0-9a-f]{12}\ \ [0-9]+\ years\ ago\ +[0-9.]+\ MB$ ]]
	[[ ${lines[3]} =~ ^localhost/old\ +v2 ]]
	assert_equal "${#lines[@]}" 4
	run -0 cryopod images --noheading
	assert_equal "${#lines[@]}" 3
}

@test "ids only, each once" {
	run -0 cryopod images -q
	assert_equal "${#lines[@]}" 2
	[[ ${lines[0]} =~ ^[0-9a-f]{12}$ ]]
	run -0 cryopod images -q --no-trunc
	[[ ${lines[0]} =~ ^sha256:[0-9a-f]{64}$ ]]
}

@test "formats" {
	run -0 cryopod images --format '{{.Repository}}:{{.Tag}}'
	assert_equal "$output" $'quay.io/team/new:latest\nlocalhost/old:v1\nlocalhost/old:v2'
	run -0 cryopod images --format json
	jq -e 'length == 2 and .[1].Names == ["localhost/old:v1", "localhost/old:v2"] and
		.[1].Created == 1000000000 and .[1].CreatedAt == "2001-09-09T01:46:40Z"' <<<"$output"
	run -125 cryopod images --format '{{.Nope}}'
	assert_has Nope
}

@test "by name and by filter" {
	run -0 cryopod images --noheading old
	assert_equal "${#lines[@]}" 2
	run -0 cryopod images --noheading old:v2
	assert_equal "${#lines[@]}" 1
	run -0 cryopod images --noheading nothing
	assert_equal "$output" ""
	run -0 cryopod images --noheading -f dangling=true
	assert_equal "$output" ""
	run -125 cryopod images -f size=3
	assert_has "filter 'size=3' is not known here"
	run -0 cryopod image list -q
	assert_equal "${#lines[@]}" 2
}

@test "image exists, by every way to name it" {
	local id digest
	id=$(image_id localhost/old:v1)
	digest=$(cryopod images --format '{{.Digest}} {{.Repository}}' | awk '/old/ { print $1; exit }')
	for name in old:v1 localhost/old:v2 "$id" "${id:0:6}" "sha256:$id" "old@$digest" \
		team/new new quay.io/team/new:latest; do
		run -0 cryopod image exists "$name"
	done
	for name in old old:v3 docker.io/old:v1 other "${id:0:6}zz" "x@$digest"; do
		run -1 cryopod image exists "$name"
		assert_equal "$output" ""
	done
}

@test "an id that begins like two images" {
	local first
	# among enough images, two begin alike
	for i in $(seq 17); do cryopod import -c "LABEL i=$i" "$(busybox_tar)" "many:$i"; done
	first=$(cryopod images -q | cut -c1 | sort | uniq -d | head -n 1)
	run -125 cryopod rmi "$first"
	assert_has "several images have an id that begins so"
	for i in $(seq 17); do cryopod rmi "many:$i"; done
}

@test "a damaged index is told, and left alone" {
	cp "$TEST_DIR/root/images/index.json" "$TEST_DIR/saved"
	echo '{"manifests": [' >"$TEST_DIR/root/images/index.json"
	run -125 cryopod images
	assert_has "is not valid JSON"
	run -125 cryopod rmi -a
	assert_equal "$(cat "$TEST_DIR/root/images/index.json")" '{"manifests": ['
	mv "$TEST_DIR/saved" "$TEST_DIR/root/images/index.json"
	run -0 cryopod images -q
	assert_equal "${#lines[@]}" 2
}
