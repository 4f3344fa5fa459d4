# cryopod load: archives that `docker save` and `podman save` write.

load ../../lib/setup
load images

setup_file() {
	test_begin
	mkdir "$TEST_DIR/layout"
	cryopod import "$(busybox_tar)" box
	# gzip layers, as other tools make them: Docker's archives know no zstd
	skopeo copy -q --dest-compress-format gzip "oci:$TEST_DIR/root/images:localhost/box:latest" \
		"dir:$TEST_DIR/plain" --dest-decompress
	skopeo copy -q "dir:$TEST_DIR/plain" "oci:$TEST_DIR/layout:gz"
	remove_images
}
teardown_file() { test_end; }
teardown() { remove_images; assert_store_empty; assert_nothing_left; }

@test "a docker-archive, its short names are Docker Hub's" {
	skopeo copy -q "oci:$TEST_DIR/layout:gz" "docker-archive:$TEST_DIR/d.tar:busybox:x"
	run -0 cryopod load -i "$TEST_DIR/d.tar"
	assert_equal "$output" "Loaded image: docker.io/library/busybox:x"
	run -0 cryopod image exists busybox:x
	compgen -G "$TEST_DIR/root/layers/*/diff/bin/busybox"
}

@test "an oci-archive, from standard input" {
	skopeo copy -q "oci:$TEST_DIR/layout:gz" "oci-archive:$TEST_DIR/o.tar:hello:y"
	run -0 cryopod load <"$TEST_DIR/o.tar"
	assert_equal "$output" "Loaded image: localhost/hello:y"
	[ -z "$(find "$TEST_DIR/root" -maxdepth 1 -name 'load.*')" ]
}

@test "an archive without a name: its id is told" {
	skopeo copy -q "oci:$TEST_DIR/layout:gz" "docker-archive:$TEST_DIR/n.tar"
	run -0 cryopod load -i "$TEST_DIR/n.tar"
	[[ $output =~ ^Loaded\ image:\ sha256:[0-9a-f]{64}$ ]]
	run -0 cryopod images --noheading
	[[ $output =~ ^\<none\>\ +\<none\> ]]
}

@test "several images in one archive, compressed" {
	skopeo copy -q "oci:$TEST_DIR/layout:gz" "docker-archive:$TEST_DIR/m.tar:first:1" \
		--additional-tag quay.io/x/again:2
	gzip -f "$TEST_DIR/m.tar"
	run -0 cryopod load -q -i "$TEST_DIR/m.tar.gz"
	assert_equal "$output" $'Loaded image: docker.io/library/first:1\nLoaded image: quay.io/x/again:2'
	run -0 cryopod images -q
	assert_equal "${#lines[@]}" 1
}

@test "what is no archive of images" {
	run -125 cryopod load -i "$(busybox_tar)"
	assert_has "is not an image archive: it has neither manifest.json nor index.json"
	run -125 cryopod load -i /etc/passwd
	assert_has "'/etc/passwd' is not an image archive"
	run -125 cryopod load -i "$TEST_DIR/absent"
	assert_equal "$output" "Error: open '$TEST_DIR/absent': No such file or directory"
	skopeo copy -q "oci:$TEST_DIR/layout:gz" "docker-archive:$TEST_DIR/c.tar:cut:1"
	truncate -s -20000 "$TEST_DIR/c.tar"
	run -125 cryopod load -i "$TEST_DIR/c.tar"
	assert_equal "${#lines[@]}" 1
	assert_store_empty
}
