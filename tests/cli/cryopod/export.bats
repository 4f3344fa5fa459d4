#!/usr/bin/env bats
# cryopod container checkpoint --export, restore --import
# shellcheck disable=SC2016 # programs for the shell of a container
load ../../lib/setup
setup_file()    { test_begin; test_image; }
teardown_file() { test_end; }
setup()         { A=$TEST_DIR/archive.tar; }
teardown() {
	remove_containers
	rm -rf "$TEST_DIR/root/volumes" "$A"
	assert_nothing_left
}

LOOP='i=0; while true; do echo $i; i=$((i + 1)); sleep 0.02; done'

start_looper() { # NAME [OPTION...]
	local name=$1
	shift
	cryopod run -d --name "$name" "$@" "$IMAGE" sh -c "$LOOP" >/dev/null
	wait_for log_lines "$name" 3
}

assert_goes_on() { # name
	local before
	before=$(cryopod logs "$1" | wc -l)
	wait_for log_lines "$1" $((before + 3))
	cryopod logs "$1" >"$TEST_DIR/log"
	assert_sequence "$TEST_DIR/log"
}

members() { tar -tf "$A" | sed 's/checkpoint\/.*/checkpoint\//' | sort -u | tr '\n' ' '; }
# All but what is bound into /etc anew, and the link counts of overlayfs' folders.
listing() { # CONTAINER FOLDER
	cryopod exec "$1" sh -c "cd $2 && find . ! -name 'host*' -print0 | sort -z | xargs -0 stat -c '%n %F %a %u:%g %s %Y'
		find . -type f ! -name 'host*' -print0 | sort -z >/tmp/files
		xargs -0 stat -c '%n %h' </tmp/files; xargs -0 md5sum </tmp/files"
}

@test "to an archive and back: it counts on, under its name and id" {
	start_looper c1
	id=$(cryopod inspect --format '{{.Id}}' c1)
	run -0 cryopod container checkpoint -e "$A" c1
	assert_equal "$output" c1
	assert_equal "$(stat -c %a "$A")" 600 "mode"
	assert_equal "$(cryopod inspect --format '{{.State.Checkpointed}}' c1)" true checkpointed
	for member in config.dump spec.dump network.status ctr.log stats-dump checkpoint/inventory.img \
		checkpoint/pages-1.img checkpoint/descriptors.json rootfs-diff.tar; do
		tar -tf "$A" "$member" >/dev/null || fail "no $member"
	done
	assert_equal "$(tar -xOf "$A" network.status)" null network.status
	run -125 cryopod container restore -i "$A"
	assert_has "that ID is already in use"
	cryopod rm c1 >/dev/null
	run -0 cryopod container restore --import "$A"
	assert_equal "$output" "$id"
	assert_equal "$(cryopod inspect --format '{{.Id}}' c1)" "$id" id
	assert_goes_on c1
}

@test "with --name: copies beside the original, which runs on" {
	start_looper c1
	cryopod container checkpoint -R -e "$A" c1 >/dev/null
	assert_goes_on c1
	for name in c2 c3; do
		run -0 cryopod container restore -i "$A" -n "$name"
		[[ $output =~ ^[0-9a-f]{64}$ ]]
		assert_goes_on "$name"
	done
	assert_goes_on c1
	run -125 cryopod container restore -i "$A" -n c2
	assert_has 'the container name "c2" is already in use'
	assert_equal "$(cryopod ps -q | wc -l)" 3 running
}

@test "the root: added, changed, deleted, other type, owner, mode, times, links, attributes" {
	cryopod run -d --name c1 "$IMAGE" sh -c '
		mkdir -p /t/deep/er; echo new >/t/new; echo more >>/etc/passwd; rm -r /var
		rm /bin/yes; mkdir /bin/yes; echo in >/bin/yes/in
		chmod 4711 /t/new; chown 12:34 /t/deep; chmod 750 /etc; touch -d 2001-02-03 /t/deep/er
		ln /t/new /t/twin; ln -s ../nowhere /t/dangling; mkfifo /t/fifo; mknod /t/null c 1 3
		dd if=/dev/zero of=/t/sparse bs=1 count=1 seek=50M 2>/dev/null
		touch "/t/a name with spaces and ü"
		mkdir /home/x; rm -r /home; mkdir /home; echo opaque >/home/o
		echo done; while true; do sleep 0.1; done' >/dev/null
	wait_for log_has c1 done
	root=$TEST_DIR/root/containers/$(cryopod inspect --format '{{.Id}}' c1)/merged
	setfattr -n user.note -v kept "$root/t/deep"
	for folder in /t /etc /bin /home; do listing c1 $folder; done >"$TEST_DIR/before"
	cryopod container checkpoint -c none -e "$A" c1 >/dev/null
	cryopod rm c1 >/dev/null
	cryopod container restore -i "$A" >/dev/null
	for folder in /t /etc /bin /home; do listing c1 $folder; done >"$TEST_DIR/after"
	diff "$TEST_DIR/before" "$TEST_DIR/after"
	run -0 cryopod exec c1 sh -c 'ls -d /var || true'
	assert_has "No such file"
	assert_equal "$(getfattr --only-values -n user.note "$root/t/deep" 2>/dev/null)" kept attribute
	[ "$(stat -c %b "$root/t/sparse")" -lt 1000 ] || fail "the sparse file was filled"
	cryopod rm -f -t 0 c1 >/dev/null
	# Without its root's changes it can't find what it had; the image's own are there again.
	cryopod container restore --ignore-rootfs -i "$A" >/dev/null
	run -0 cryopod exec c1 sh -c 'ls /t || true; ls -d /var /bin/yes'
	assert_has "/t: No such file"
	assert_has "/var"
}

@test "volumes travel along, or not" {
	start_looper c1 -v data:/data -v empty:/empty
	cryopod exec c1 sh -c 'echo content >/data/f; mkdir /data/.wh.d; chown 5:6 /data/f'
	cryopod container checkpoint -e "$A" c1 >/dev/null
	cryopod rm c1 >/dev/null
	run -125 cryopod container restore -i "$A"
	assert_has "volume with name data already exists. Use --ignore-volumes to not restore content of volumes"
	assert_equal "$(cryopod ps -aq)" "" containers
	rm -r "$TEST_DIR/root/volumes"
	cryopod container restore -i "$A" >/dev/null
	run -0 cryopod exec c1 sh -c 'cat /data/f; ls -A /data /empty; stat -c %u:%g /data/f'
	assert_has "content"
	assert_has ".wh.d"
	assert_has "5:6"
	cryopod exec c1 sh -c 'echo changed >/data/f'
	cryopod container restore --ignore-volumes -n c2 -i "$A" >/dev/null
	assert_equal "$(cryopod exec c2 cat /data/f)" changed "shared volume"
	cryopod rm -f -t 0 -a >/dev/null
	start_looper c1 -v data:/data
	cryopod container checkpoint --ignore-volumes --ignore-rootfs -e "$A" c1 >/dev/null
	assert_equal "$(members)" "artifacts/ checkpoint/ config.dump ctr.log network.status spec.dump stats-dump " members
}

@test "gzip, zstd, none; through pipes" {
	start_looper c1
	for how in none:ustar gzip:gzip zstd:Zstandard GZIP:gzip; do
		cryopod container checkpoint -R -c "${how%:*}" -e "$A" c1 >/dev/null
		case $(head -c 4 "$A" | od -An -tx1 | tr -d ' ') in
		1f8b*) assert_equal "${how#*:}" gzip ;;
		28b52ffd) assert_equal "${how#*:}" Zstandard ;;
		*) assert_equal "${how#*:}" ustar ;;
		esac
		cryopod container restore -n c2 -i "$A" >/dev/null
		assert_goes_on c2
		cryopod rm -f -t 0 c2 >/dev/null
	done
	cryopod container checkpoint -e - c1 >"$TEST_DIR/piped"
	cryopod rm c1 >/dev/null
	cryopod container restore -i - <"$TEST_DIR/piped" >/dev/null
	assert_goes_on c1
	cryopod container checkpoint -R -e - c1 | cryopod container restore -n c2 -i - >/dev/null
	assert_goes_on c2
	run -125 cryopod container checkpoint -c lz4 -e "$A" c1
	assert_has 'selected compression algorithm ("lz4") not supported. Please select one from: gzip, none, zstd'
}

@test "--rm with --export: it is gone, the archive has it" {
	start_looper c1 --rm
	cryopod container checkpoint -e "$A" c1 >/dev/null
	assert_equal "$(cryopod ps -aq)" "" containers
	cryopod container restore -i "$A" >/dev/null
	assert_goes_on c1
	cryopod stop -t 0 c1 >/dev/null
	wait_for no_container c1
}
no_container() { ! cryopod container exists "$1"; }

@test "an archive that can't be written: the container runs on, nothing is left" {
	start_looper c1
	run -125 cryopod container checkpoint -e "$TEST_DIR/no/such/folder" c1
	assert_has "no/such/folder"
	assert_goes_on c1
	mkdir -p "$TEST_DIR/small"
	mount -t tmpfs -o size=16k cryopod-test "$TEST_DIR/small"
	run -125 cryopod container checkpoint -e "$TEST_DIR/small/a" c1
	left=$(ls -A "$TEST_DIR/small")
	umount "$TEST_DIR/small"
	assert_has "No space left on device"
	assert_equal "$left" "" "left on the small disk"
	assert_equal "$(field c1 Status)" running
	assert_goes_on c1
	cryopod container checkpoint -e "$A" c1 >/dev/null
}

@test "killed in the middle of an export: the container runs on" {
	start_looper c1
	cryopod exec c1 sh -c 'head -c 30000000 /dev/urandom >/big'
	for part in 1 2 3 4 5; do
		mkfifo "$TEST_DIR/pipe"
		in_background "$TEST_DIR/pipe" container checkpoint -c none -e - c1
		# As long as nobody reads on, it stands in the middle.
		exec 7<"$TEST_DIR/pipe"
		head -c "$((part * 100000))" <&7 >/dev/null
		kill -KILL "$pid"
		wait "$pid" || true
		exec 7<&-
		rm "$TEST_DIR/pipe"
		assert_goes_on c1
	done
	# To a file: it never gets its name.
	in_background /dev/null container checkpoint -c gzip -e "$A" c1
	wait_for is_stopped "$(field c1 Pid)"
	kill -KILL "$pid"
	wait "$pid" || true
	assert_equal "$(find "$TEST_DIR" -maxdepth 1 -name 'archive*')" "" "files left"
	assert_goes_on c1
	cryopod container checkpoint -e "$A" c1 >/dev/null
	cryopod rm c1 >/dev/null
	cryopod container restore -i "$A" >/dev/null
	assert_goes_on c1
}
in_background() { # OUTPUT WORD...
	local to=$1
	shift
	"$CRYOPOD" --root "$TEST_DIR/root" --runroot "$TEST_DIR/run" "$@" >"$to" 3>&- &
	pid=$!
}
field() { cryopod inspect --format "{{.State.$2}}" "$1"; }
is_stopped() { grep -q '^State:.t' "/proc/$1/status"; }

import_begun() { [ -n "$(find "$TEST_DIR/root/containers" -mindepth 2 -maxdepth 2 -name import)" ]; }

@test "killed in the middle of an import: nothing is in the way of the next one" {
	start_looper c1 -v data:/data
	cryopod exec c1 sh -c 'head -c 150000000 /dev/urandom | tee /big >/data/big; sync /data/big'
	sum=$(cryopod exec c1 md5sum </dev/null /data/big)
	cryopod container checkpoint -c none -e "$A" c1 >/dev/null
	cryopod rm c1 >/dev/null
	rm -r "$TEST_DIR/root/volumes"
	for _ in 1 2 3; do
		in_background /dev/null container restore -i "$A"
		wait_for import_begun
		kill -KILL "$pid"
		code=0
		wait "$pid" || code=$?
		assert_equal "$code" 137 "exit code of the import: was it done already?"
		assert_equal "$(cryopod ps -aq)$(ls "$TEST_DIR/root/volumes" 2>/dev/null)" "" "containers and volumes"
	done
	cryopod container restore -i "$A" >/dev/null
	assert_goes_on c1
	assert_equal "$(cryopod exec c1 md5sum /data/big)" "$sum" "the volume's content"
	run -1 import_begun
	assert_equal "$(find "$TEST_DIR/root/containers" -mindepth 1 -maxdepth 1 | wc -l)" 1 "folders of containers"
}

# repack FILTER: the archive unpacked into $TEST_DIR/x, changed by the command, packed again into $A.
repack() {
	rm -rf "$TEST_DIR/x"
	mkdir "$TEST_DIR/x"
	tar -xf "$TEST_DIR/good" -C "$TEST_DIR/x"
	(cd "$TEST_DIR/x" && eval "$1")
	# config.dump need not be first.
	tar -cf "$A" -C "$TEST_DIR/x" .
}

@test "archives of strangers: one line, and nothing is made" {
	start_looper c1 -v data:/data
	cryopod exec c1 sh -c 'echo x >/new; rm /bin/yes'
	cryopod container checkpoint -c none -e "$TEST_DIR/good" c1 >/dev/null
	cryopod rm c1 >/dev/null
	rm -r "$TEST_DIR/root/volumes"
	size=$(stat -c %s "$TEST_DIR/good")
	while IFS='|' read -r change text; do
		repack "$change"
		run -125 cryopod container restore -i "$A"
		assert_has "$text"
		assert_equal "${#lines[@]}" 1 "lines: $output"
		assert_equal "$(cryopod ps -aq)" "" "containers after: $change"
		assert_equal "$(ls "$TEST_DIR/root/containers")" "" "folders after: $change"
		assert_equal "$(ls "$TEST_DIR/root/volumes" 2>/dev/null)" "" "volumes after: $change"
	done <<-'EOF'
		rm config.dump|it has no config.dump: it is not a checkpoint
		rm spec.dump|it has no spec.dump
		rm checkpoint/inventory.img|no inventory.img
		echo nonsense >config.dump|config.dump
		jq '.id = "../../x"' config.dump >c; mv c config.dump|is no container id
		jq '.name = "../x"' config.dump >c; mv c config.dump|is no name
		jq '.pod = "p"' config.dump >c; mv c config.dump|cannot restore pod container without --pod
		jq '.Dependencies = ["x"]' config.dump >c; mv c config.dump|dependencies
		jq '. + {rootfsImageID: "", rootfsImageName: "localhost/none:1"}' config.dump >c; mv c config.dump|localhost/none:1
		jq '.namedVolumes[0].volumeName = "../../x"' config.dump >c; mv c config.dump|is no volume's name
		mv volumes/data.tar volumes/other.tar|volume 'other' is not one of the container's
		echo '["/../../x"]' >deleted.files|path leads out
		echo '{}' >deleted.files|deleted.files is no JSON array
		ln -sf /etc/passwd checkpoint/pages-1.img|is not a regular file
		mkdir checkpoint/d; touch checkpoint/d/f|no image lies there
		echo nonsense >rootfs-diff.tar|rootfs-diff.tar
	EOF
	# Cut anywhere, it is damaged.
	for part in 0 1 512 3000 $((size / 3)) $((size / 2)) $((size - 20000)); do
		head -c "$part" "$TEST_DIR/good" >"$A"
		run -125 cryopod container restore -i "$A"
		assert_equal "$(cryopod ps -aq)$(ls "$TEST_DIR/root/containers")" "" "after a cut at $part"
	done
	cryopod container restore -i "$TEST_DIR/good" >/dev/null
	assert_goes_on c1
}

@test "rules of import" {
	echo >"$TEST_DIR/f"
	while IFS='|' read -r words text; do
		# shellcheck disable=SC2086 # the words of a command line
		run -125 cryopod container restore $words
		assert_has "$text"
	done <<-EOF
		-n x c1|--name can only be used with image or --import
		--ignore-volumes c1|--ignore-volumes can only be used with image or --import
		-i $TEST_DIR/f -a|cannot use --import with --all or --latest
		-i $TEST_DIR/f c1|cannot use --import with positional arguments
		-i $TEST_DIR/f --tcp-established -n x|--tcp-established cannot be used with --name
		-i $TEST_DIR/none|failed to open checkpoint archive $TEST_DIR/none for import
		-i $TEST_DIR/f|$TEST_DIR/f
	EOF
}
