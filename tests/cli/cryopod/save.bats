# cryopod save: an image into an archive that other tools load.

load ../../lib/setup
load images

setup_file() { test_begin; }
teardown_file() { test_end; }
setup() { cryopod import -c 'CMD ["/bin/sh"]' "$(busybox_tar)" box; }
teardown() { remove_images; assert_store_empty; assert_nothing_left; }

layer_of() { ls "$TEST_DIR/root/layers"; }

@test "every archive comes back as the same layer and name" {
	local format before
	before=$(layer_of)
	for format in docker-archive oci-archive; do
		run -0 cryopod save --format "$format" -o "$TEST_DIR/$format.tar" box
		assert_equal "$output" ""
		remove_images
		run -0 cryopod load -i "$TEST_DIR/$format.tar"
		assert_equal "$output" "Loaded image: localhost/box:latest"
		assert_equal "$(layer_of)" "$before"
		[ ! -e "$TEST_DIR/$format.tar.part" ]
	done
}

@test "an oci-archive keeps the id" {
	local id
	id=$(image_id localhost/box:latest)
	(cd "$TEST_DIR" && cryopod save -q --format oci-archive -o relative.tar box)
	remove_images
	cryopod load -i "$TEST_DIR/relative.tar"
	assert_equal "$(image_id localhost/box:latest)" "$id"
}

@test "to standard output, by id, without a name" {
	local id
	id=$(image_id localhost/box:latest)
	cryopod save "$id" >"$TEST_DIR/nameless.tar"
	run -0 tar -xOf "$TEST_DIR/nameless.tar" manifest.json
	jq -e '.[0].RepoTags == null or .[0].RepoTags == []' <<<"$output"
	[ -z "$(find "$TEST_DIR/root" -maxdepth 1 -name 'save.*')" ]
}

@test "folders that skopeo reads" {
	run -0 cryopod save --format oci-dir -o "$TEST_DIR/oci" box
	run -0 skopeo inspect "oci:$TEST_DIR/oci:localhost/box:latest"
	run -0 cryopod save --format docker-dir -o "$TEST_DIR/dir" box
	run -0 skopeo inspect "dir:$TEST_DIR/dir"
}

@test "mistakes leave an older archive alone" {
	echo old >"$TEST_DIR/file"
	run -125 cryopod save -o "$TEST_DIR/file" nope
	assert_equal "$output" "Error: nope: image not known"
	run -125 cryopod save --format zip -o "$TEST_DIR/file" box
	assert_has 'unknown format "zip"'
	run -125 cryopod save -o "$TEST_DIR/absent/file" box
	assert_has "Error: copying to docker-archive:$TEST_DIR/absent/file.part"
	assert_has "no such file or directory"
	run -125 cryopod save
	assert_has "one image must be given"
	assert_equal "$(cat "$TEST_DIR/file")" old
}
