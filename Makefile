# The menu. All building is meson's; this file only names the dishes.

BUILD ?= build
PROGRAMS = cryo cryorun cryopod

.PHONY: all deps demo test clean

all: $(BUILD)/build.ninja
	@ninja -C $(BUILD) --quiet
	@mkdir -p $(BUILD)/bin
	@for p in $(PROGRAMS); do [ ! -e $(BUILD)/src/cmd/$$p/$$p ] || ln -f $(BUILD)/src/cmd/$$p/$$p $(BUILD)/bin/$$p; done

$(BUILD)/build.ninja: | deps
	@meson setup $(BUILD) $(MESON_FLAGS) >/dev/null

deps:
	@tools/install-packages build

clean:
	rm -rf $(BUILD)
