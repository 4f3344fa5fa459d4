# images.bash: what the tests of image commands share.

# Containers first: an image in use does not go.
remove_images() {
	[ -z "$(ls "$TEST_DIR/root/containers" 2>/dev/null)" ] || cryopod rm -f -a >/dev/null
	cryopod rmi -a -f >/dev/null
}

# No blob, no layer, no half-done work: the store is as new.
assert_store_empty() {
	local root=$TEST_DIR/root left
	left=$(find "$root/images/blobs/sha256" "$root/layers" "$root/images/tmp" -mindepth 1 \
		-maxdepth 1 2>/dev/null)
	[ -z "$left" ] || fail "left in the store:" "$left"
}

image_id() { cryopod images --no-trunc --format '{{.Id}} {{.Repository}}:{{.Tag}}' | awk -v name="$1" '$2 == name { print $1 }'; }
