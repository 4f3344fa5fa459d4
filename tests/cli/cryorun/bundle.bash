# bundle.bash: bundles for cryorun's tests, and the end of each test.
#
#	load bundle
#	setup_file()    { test_begin; bundles_begin; }
#	teardown_file() { test_end; }
#	teardown()      { containers_end; }

load ../../lib/setup

# The root file system all bundles of a file share.
bundles_begin() {
	busybox_root "$TEST_DIR/rootfs"
	"$CRYORUN" spec --bundle "$TEST_DIR"
	# The hard limits of the machine may be lower than the template's.
	jq --arg root "$TEST_DIR/rootfs" '.root.path = $root | .process.terminal = false
		| del(.process.rlimits) | .process.args = ["sleep", "1000"]' \
		"$TEST_DIR/config.json" >"$TEST_DIR/template.json"
}

# bundle NAME [JQ-FILTER...]: a bundle in $TEST_DIR/NAME, config.json changed by the filters.
bundle() {
	local name=$1 filter=.
	shift
	for f in "$@"; do filter+=" | $f"; done
	mkdir -p "$TEST_DIR/$name"
	# The container's environment carries the mark by which leftovers are found.
	# The groups are this file's own, too: others may run the same tests.
	jq --arg mark "TEST_DIR=$TEST_DIR" --arg group "$(group_of "$name")" \
		".process.env += [\$mark] | .linux.cgroupsPath = \$group | $filter" \
		"$TEST_DIR/template.json" >"$TEST_DIR/$name/config.json"
}

group_of() { echo "/${TEST_DIR##*/}/$1"; }

# script_bundle NAME SCRIPT [JQ-FILTER...]: the same, with a shell script as program.
script_bundle() {
	local name=$1 script=$2
	shift 2
	bundle "$name" "$@"
	jq --arg s "$script" '.process.args = ["/bin/sh", "-c", $s]' "$TEST_DIR/$name/config.json" \
		>"$TEST_DIR/$name/config.new"
	mv "$TEST_DIR/$name/config.new" "$TEST_DIR/$name/config.json"
}

# create NAME: from $TEST_DIR/NAME, away from our own descriptors.
create() { cryorun create --bundle "$TEST_DIR/$1" "$@" </dev/null >"$TEST_DIR/$1/out" 2>&1; }

init_of() { cryorun state "$1" | jq .pid; }
status_of() { cryorun state "$1" | jq -r .status; }
is_status() { [ "$(status_of "$1")" = "$2" ]; }

containers_end() {
	local id
	for id in $(cryorun list -q); do cryorun delete --force "$id"; done
	assert_nothing_left
	[ -z "$(ls "$TEST_DIR/runtime")" ] || fail "state is left: $(ls "$TEST_DIR/runtime")"
}
