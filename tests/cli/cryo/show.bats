# cryo show and cryo verify on folders of images, and the program around them.

load ../../lib/setup

setup_file() {
	test_begin
	mkdir "$TEST_DIR/images"
	"$TOP/${BUILD:-build}/tests/interop/every-image" "$TEST_DIR/images"
}
teardown_file() { test_end; }

@test "a file is shown as one JSON document" {
	run cryo show "$TEST_DIR/images/fs-1.img"
	assert_status 0
	assert_equal "$(jq -r .magic <<<"$output")" FS
	assert_equal "$(jq '.entries | length' <<<"$output")" 4
}

@test "a folder is shown with a member for each image" {
	cryo show -D "$TEST_DIR" images >"$TEST_DIR/all"
	assert_equal "$(jq length "$TEST_DIR/all")" "$(find "$TEST_DIR/images" -type f | wc -l)"
	assert_equal "$(jq -r '."core-1.img".entries[0].mtype' "$TEST_DIR/all")" \
		"$(cryo show "$TEST_DIR/images/core-1.img" | jq -r '.entries[0].mtype')"
}

@test "of raw bytes only the size is shown with --nopl" {
	run cryo show --nopl "$TEST_DIR/images/pipes-data.img"
	assert_status 0
	assert_has '... <57B>'
}

@test "what is no image is refused in one line" {
	echo "no image, but long enough" >"$TEST_DIR/text"
	run --separate-stderr cryo show "$TEST_DIR/text"
	assert_status 1
	assert_equal "$stderr" "cryo: image '$TEST_DIR/text': is no image with records"
	run --separate-stderr cryo show "$TEST_DIR/absent"
	assert_status 1
	assert_equal "$stderr" "cryo: open '$TEST_DIR/absent': No such file or directory"
}

@test "an output that can't be written is a failure" {
	run bash -c "'$CRYO' show '$TEST_DIR/images' >/dev/full"
	assert_status 1
	assert_has "No space left on device"
}

@test "a folder with loose ends is not whole" {
	run cryo verify "$TEST_DIR/images"
	assert_status 1
	assert_has "the images are damaged"
	run cryo verify "$TEST_DIR"
	assert_status 1
	assert_has "no image files in the folder"
}

@test "the command may stand anywhere, and odd spellings of -v pass" {
	for words in "show -v4 fs-1.img" "-v4 show fs-1.img" "show -vv fs-1.img" \
		"--verbosity=0 show fs-1.img" "show -verbosity=0 fs-1.img" \
		"show --no-default-config --no-display-stats fs-1.img"; do
		# shellcheck disable=SC2086 # words
		run cryo -D "$TEST_DIR/images" $words
		assert_status 0
	done
}

@test "options come from a config file, and the command line has the last word" {
	printf '# a comment\n\nimages-dir "%s" # where\nverbosity 4\nnopl\n' "$TEST_DIR/images" \
		>"$TEST_DIR/config"
	run cryo show --config "$TEST_DIR/config" pipes-data.img
	assert_status 0
	assert_has '<57B>'
	run cryo show --config="$TEST_DIR/config" -D / pipes-data.img
	assert_status 1
	echo 'images-dir "open' >"$TEST_DIR/config"
	run cryo show --config "$TEST_DIR/config"
	assert_status 1
	assert_has "line 1: the quote is not closed"
}

@test "the error is in the log file too" {
	run cryo show -W "$TEST_DIR" -o show.log absent
	assert_status 1
	grep -q "open 'absent': No such file or directory" "$TEST_DIR/show.log"
	assert_equal "$(stat -c %a "$TEST_DIR/show.log")" 600
}

@test "mistakes in the command line say where the help is" {
	run cryo show --nonsense
	assert_status 1
	assert_has "unknown flag: --nonsense"
	assert_has "See 'cryo show --help'"
	run cryo nonsense
	assert_status 1
	assert_has "'cryo help' lists the commands"
	run cryo help show
	assert_status 0
	assert_has "--nopl"
	run cryo --version
	assert_status 0
	run cryo
	assert_status 0
	assert_has "verify"
}
