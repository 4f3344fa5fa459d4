# cryopod import: a root file system becomes an image.

load ../../lib/setup

setup_file() { test_begin; }
teardown_file() { test_end; }
teardown() { run -0 remove_images; assert_store_empty; assert_nothing_left; }

load images

layer_dir() { echo "$TEST_DIR/root/layers/"*/diff; }

@test "a tar gets an id, a name and its content" {
	run -0 cryopod import "$(busybox_tar)" box
	[[ $output =~ ^sha256:[0-9a-f]{64}$ ]]
	run -0 cryopod images --noheading
	[[ $output =~ ^localhost/box\ +latest\ +[0-9a-f]{12}\ +.*ago\ +[0-9.]+\ MB$ ]]
	[ -x "$(layer_dir)/bin/busybox" ]
	[ "$(stat -c %a "$(layer_dir)/tmp")" = 1777 ]
}

facts_of() { (cd "$1" && find . -exec stat -c '%N %A %u:%g %h %Y' {} + | sort); }

@test "a folder keeps owners, modes, links, devices, attributes and holes" {
	local dir=$TEST_DIR/folder to
	mkdir -p "$dir/sub"
	echo hello >"$dir/file"
	chown 1234:5678 "$dir/file"
	chmod 4711 "$dir/file"
	ln "$dir/file" "$dir/sub/same"
	ln -s /nowhere "$dir/link"
	mknod "$dir/null" c 1 3
	mkfifo "$dir/fifo"
	setfattr -n user.note -v hi "$dir/file"
	truncate -s 100M "$dir/sparse"
	echo x >"$dir/grüße 漢字"
	touch -d 2001-02-03T04:05:06.789 "$dir/file"
	chmod 1777 "$dir/sub"
	run -0 cryopod import "$dir" folder
	to=$(layer_dir)
	diff <(facts_of "$dir") <(facts_of "$to")
	[ "$(stat -c %t:%T "$to/null")" = 1:3 ]
	[ "$(getfattr --only-values -n user.note "$to/file" 2>/dev/null)" = hi ]
	[ "$(stat -c %i "$to/file")" = "$(stat -c %i "$to/sub/same")" ]
	[ "$(stat -c %s "$to/sparse")" = 104857600 ]
	[ "$(stat -c %b "$to/sparse")" -lt 100 ]
	cmp "$dir/grüße 漢字" "$to/grüße 漢字"
	rm -r "$dir"
}

@test "standard input, in every compression people use" {
	local filter
	for filter in cat gzip bzip2 xz zstd; do
		$filter <"$(busybox_tar)" | cryopod import - "from-$filter"
	done
	run -0 cryopod images -q
	# the same layer in all of them
	[ "$(ls "$TEST_DIR/root/layers" | wc -l)" = 1 ]
}

@test "changes go into the config" {
	run -0 cryopod import -c 'CMD ["/bin/sh", "-c", "ls"]' -c 'ENTRYPOINT /bin/run it' \
		-c 'ENV A=b C="d e"' -c ENV=A=z -c 'WORKDIR /tmp' -c 'USER 1:2' -c 'LABEL x=y' \
		-c 'VOLUME /data /more' -c 'STOPSIGNAL SIGINT' -c 'EXPOSE 80 53/udp' \
		-m 'a message' "$(busybox_tar)" box
	config=$(cat "$TEST_DIR/root/images/blobs/sha256/${output#sha256:}")
	jq -e '.config == {
		Cmd: ["/bin/sh", "-c", "ls"], Entrypoint: ["/bin/sh", "-c", "/bin/run it"],
		Env: ["C=d e", "A=z"], WorkingDir: "/tmp", User: "1:2", Labels: {x: "y"},
		Volumes: {"/data": {}, "/more": {}}, StopSignal: "SIGINT",
		ExposedPorts: {"80/tcp": {}, "53/udp": {}}}' <<<"$config"
	jq -e '.comment == "a message" and .history[0].comment == "a message"' <<<"$config"
	jq -e '.os == "linux" and .architecture == "amd64" and (.created | test("^20..-"))' <<<"$config"
}

@test "a wrong change is told, and nothing is made" {
	run -125 cryopod import -c 'FOO bar' "$(busybox_tar)" box
	assert_has 'invalid change "FOO bar" - invalid instruction FOO'
	run -125 cryopod import -c CMD "$(busybox_tar)" box
	assert_has 'must be formatted as KEY VALUE'
	run -125 cryopod import -c 'EXPOSE nine' "$(busybox_tar)" box
	assert_has "'nine' is not a port"
}

@test "other people's programs read the image" {
	run -0 cryopod import -c 'CMD sh' "$(busybox_tar)" box
	run -0 skopeo inspect --config "oci:$TEST_DIR/root/images:localhost/box:latest"
	[ "$(jq -r '.rootfs.diff_ids[0]' <<<"$output")" = "sha256:$(sha256sum <"$(busybox_tar)" | cut -d' ' -f1)" ]
}

@test "the name goes over to a newer image" {
	run -0 cryopod import "$(busybox_tar)" box
	first=${output#sha256:}
	run -0 cryopod import -c 'CMD new' "$(busybox_tar)" box
	run -0 cryopod images --noheading --no-trunc
	assert_equal "${#lines[@]}" 2
	[[ $output =~ \<none\>\ +\<none\>\ +sha256:$first ]]
}

@test "what is no tar, or hostile, is refused and nothing stays" {
	echo 'this is not a tar' >"$TEST_DIR/noise"
	run -125 cryopod import "$TEST_DIR/noise" box
	assert_has 'Error: '
	run -125 cryopod import "$TEST_DIR/absent" box
	assert_equal "$output" "Error: open '$TEST_DIR/absent': No such file or directory"
	(cd "$TEST_DIR" && echo x >evil && tar -Pcf evil.tar ../"${TEST_DIR##*/}"/evil)
	run -125 cryopod import "$TEST_DIR/evil.tar" box
	assert_has 'path leads out of the layer'
	head -c 100000 "$(busybox_tar)" >"$TEST_DIR/cut.tar"
	run -125 cryopod import "$TEST_DIR/cut.tar" box
	assert_has 'damaged archive'
	run -125 cryopod import "$(busybox_tar)" BIG
	assert_has 'repository name must be lowercase'
	run -125 cryopod import "$(busybox_tar)" 'a b'
	assert_has 'invalid reference format'
	run -125 cryopod import
	assert_has 'need to give the path to the tarball'
	assert_store_empty
}

@test "a full disk: one line, and nothing stays" {
	mkdir "$TEST_DIR/small"
	mount -t tmpfs -o size=3m small "$TEST_DIR/small"
	run -125 "$CRYOPOD" --root "$TEST_DIR/small/root" --runroot "$TEST_DIR/run" import "$(busybox_tar)" box
	assert_has "No space left on device"
	assert_equal "${#lines[@]}" 1
	[ -z "$(find "$TEST_DIR/small/root/images/tmp" "$TEST_DIR/small/root/layers" -mindepth 1)" ]
	umount "$TEST_DIR/small"
}
