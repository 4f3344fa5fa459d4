#include "../cmocka-all.h"

#include <stdio.h>

#include "folder.h"
#include "img/pb/core.pb-c.h"
#include "img/pb/ghost-file.pb-c.h"
#include "img/pb/regfile.pb-c.h"
#include "img/pb/sk-inet.pb-c.h"
#include "img/pb/sk-unix.pb-c.h"
#include "img/pb/vma.pb-c.h"
#include "img/show-style.h"
#include "img/show.h"

/* What a test writes, without line breaks and indentation. */
struct shown {
	struct jsonw json;
	char *text;
	size_t len;
};

static void begin(struct shown *shown)
{
	FILE *out = open_memstream(&shown->text, &shown->len);

	assert_non_null(out);
	jsonw_init(&shown->json, out);
}

static void end(struct shown *shown, const char *wanted)
{
	size_t n = 0;

	assert_int_equal(fclose(shown->json.out), 0);
	for (size_t i = 0; i < shown->len; i++) {
		shown->text[n++] = shown->text[i];
		if (shown->text[i] != '\n')
			continue;
		n--;
		while (i + 1 < shown->len && shown->text[i + 1] == ' ')
			i++;
	}
	shown->text[n] = '\0';
	assert_string_equal(shown->text, wanted);
	free(shown->text);
}

static void values_are_separated(void **state UNUSED)
{
	struct shown shown = { 0 };

	begin(&shown);
	jsonw_begin(&shown.json, '{');
	jsonw_key(&shown.json, "a");
	jsonw_begin(&shown.json, '[');
	jsonw_end(&shown.json, ']');
	jsonw_key(&shown.json, "b");
	jsonw_begin(&shown.json, '[');
	jsonw_uint(&shown.json, UINT64_MAX);
	jsonw_int(&shown.json, INT64_MIN);
	jsonw_bool(&shown.json, true);
	jsonw_begin(&shown.json, '{');
	jsonw_end(&shown.json, '}');
	jsonw_end(&shown.json, ']');
	jsonw_end(&shown.json, '}');
	end(&shown, "{\"a\": [],\"b\": [18446744073709551615,-9223372036854775808,true,{}]}");
}

static void strings_are_ascii_whatever_they_hold(void **state UNUSED)
{
	static const char text[] = "\"\\\n\t\r\b\f\x01\x7f \xc3\xa9\xe2\x82\xac\xf0\x9f\xa6\x80 "
				   "\xff\xc3(\xc0\xaf\xed\xa0\x80\xf5\x80\x80\x80\xe2\x82";
	struct shown shown = { 0 };

	begin(&shown);
	jsonw_string(&shown.json, text, sizeof(text) - 1);
	end(&shown, "\"\\\"\\\\\\n\\t\\r\\b\\f\\u0001\\u007f \\u00e9\\u20ac\\ud83e\\udd80 "
		    "\\udcff\\udcc3(\\udcc0\\udcaf\\udced\\udca0\\udc80\\udcf5\\udc80\\udc80"
		    "\\udc80\\udce2\\udc82\"");
}

static void base64_comes_in_lines(void **state UNUSED)
{
	struct shown shown = { 0 };
	char bytes[58] = "";

	begin(&shown);
	jsonw_begin(&shown.json, '[');
	for (size_t n = 0; n <= 3; n++) {
		jsonw_base64_begin(&shown.json);
		jsonw_base64_add(&shown.json, "xyz", n);
		jsonw_base64_end(&shown.json);
	}
	jsonw_base64_begin(&shown.json);
	for (size_t i = 0; i < sizeof(bytes); i++)
		jsonw_base64_add(&shown.json, &bytes[i], 1);
	jsonw_base64_end(&shown.json);
	jsonw_end(&shown.json, ']');
	end(&shown, "[\"\",\"eA==\\n\",\"eHk=\\n\",\"eHl6\\n\","
		    "\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
		    "\\nAA==\\n\"]");
}

static void check_record(const ProtobufCMessage *record, const char *wanted)
{
	struct shown shown = { 0 };

	begin(&shown);
	show_record(record, true, &shown.json);
	end(&shown, wanted);
}

static void flags_are_words(void **state UNUSED)
{
	VmaEntry vma = VMA_ENTRY__INIT;

	vma.start = UINT64_C(0xffffffffff600000);
	vma.prot = 5;
	vma.flags = 0x40000022;
	vma.fd = -1;
	check_record(
		&vma.base,
		"{\"start\": \"0xffffffffff600000\",\"end\": \"0x0\",\"pgoff\": 0,\"shmid\": 0,"
		"\"prot\": \"PROT_READ | PROT_EXEC\","
		"\"flags\": \"MAP_PRIVATE | MAP_ANON | 0x40000000\",\"status\": \"\",\"fd\": -1}");
}

static void numbers_inside_a_hexadecimal_message_are_too(void **state UNUSED)
{
	ThreadInfoX86 info = THREAD_INFO_X86__INIT;
	UserX86RegsEntry regs = USER_X86_REGS_ENTRY__INIT;
	UserX86FpregsEntry fpregs = USER_X86_FPREGS_ENTRY__INIT;
	struct shown shown = { 0 };

	info.gpregs = &regs;
	info.fpregs = &fpregs;
	regs.r15 = 255;
	fpregs.cwd = 255;
	begin(&shown);
	show_record(&info.base, true, &shown.json);
	assert_int_equal(fclose(shown.json.out), 0);
	assert_non_null(strstr(shown.text, "\"r15\": \"0xff\""));
	assert_non_null(strstr(shown.text, "\"cwd\": 255"));
	free(shown.text);
}

static void devices_have_two_parts(void **state UNUSED)
{
	GhostFileEntry ghost = GHOST_FILE_ENTRY__INIT;

	ghost.has_dev = ghost.has_rdev = true;
	ghost.dev = 8 << 20 | 1;
	ghost.rdev = 8 << 8 | 1;
	check_record(&ghost.base,
		     "{\"uid\": 0,\"gid\": 0,\"mode\": 0,\"dev\": \"8:1\",\"rdev\": \"8:1\"}");
}

static void check_address(uint32_t *words, size_t n, const char *wanted)
{
	InetSkEntry sk = INET_SK_ENTRY__INIT;
	FownEntry fown = FOWN_ENTRY__INIT;
	SkOptsEntry opts = SK_OPTS_ENTRY__INIT;
	struct shown shown = { 0 };

	sk.fown = &fown;
	sk.opts = &opts;
	sk.src_addr = words;
	sk.n_src_addr = n;
	begin(&shown);
	show_record(&sk.base, true, &shown.json);
	assert_int_equal(fclose(shown.json.out), 0);
	if (!strstr(shown.text, wanted))
		fail_msg("no %s in %s", wanted, shown.text);
	free(shown.text);
}

static void addresses_are_text(void **state UNUSED)
{
	uint32_t loopback = 0x0100007f;
	uint32_t local[4] = { 0, 0, 0, 0x01000000 };
	uint32_t mapped[4] = { 0, 0, 0xffff0000, 0x0100007f };
	uint32_t two_gaps[4] = { 0x00000120, 0x01000000, 0, 0x02000000 };
	uint32_t one_zero[4] = { 0xb80d0120, 0x03000000, 0x05000400, 0x07000600 };
	uint32_t none[4] = { 0 };
	uint32_t odd[2] = { 1, 2 };

	check_address(&loopback, 1, "\"127.0.0.1\"");
	check_address(local, 4, "\"::1\"");
	check_address(mapped, 4, "\"::ffff:7f00:1\"");
	check_address(two_gaps, 4, "\"2001:0:0:1::2\"");
	check_address(one_zero, 4, "\"2001:db8:0:3:4:5:6:7\"");
	check_address(none, 4, "\"::\"");
	check_address(odd, 2, "1,\n");
}

static void socket_names_are_quoted_printable(void **state UNUSED)
{
	UnixSkEntry sk = UNIX_SK_ENTRY__INIT;
	FownEntry fown = FOWN_ENTRY__INIT;
	SkOptsEntry opts = SK_OPTS_ENTRY__INIT;
	struct shown shown = { 0 };
	uint8_t name[] = "\0a=b c\xff ";

	sk.fown = &fown;
	sk.opts = &opts;
	sk.type = 1;
	sk.state = 99;
	sk.name = (ProtobufCBinaryData){ .data = name, .len = sizeof(name) - 1 };
	begin(&shown);
	show_record(&sk.base, true, &shown.json);
	assert_int_equal(fclose(shown.json.out), 0);
	assert_non_null(strstr(shown.text, "\"name\": \"=00a=3Db c=FF=20\""));
	assert_non_null(strstr(shown.text, "\"type\": \"STREAM\""));
	assert_non_null(strstr(shown.text, "\"state\": 99"));
	free(shown.text);
}

/* The table is searched by halves: its first, last and some middle rows must be found. */
static void styles_are_found(void **state UNUSED)
{
	static const struct {
		const char *message;
		const char *field;
		enum show_as as;
	} rows[] = {
		{ "bpfmap_file_entry", "flags", SHOW_FLAGS },
		{ "ghost_file_entry", "dev", SHOW_DEVICE },
		{ "ghost_file_entry", "rdev", SHOW_OLD_DEVICE },
		{ "irmap_cache_entry", "dev", SHOW_OLD_DEVICE },
		{ "mm_entry", "mm_arg_end", SHOW_HEX },
		{ "task_core_entry", "task_state", SHOW_WORD },
		{ "unix_sk_entry", "name", SHOW_QUOTED },
		{ "user_x86_cet_entry", "ssp", SHOW_HEX },
		{ "vma_entry", "end", SHOW_HEX },
		{ "vma_entry", "status", SHOW_FLAGS },
		{ "vma_entry", "pgoff", SHOW_PLAIN },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(show_style(rows[i].message, rows[i].field)->as, rows[i].as);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_are_separated),
		cmocka_unit_test(strings_are_ascii_whatever_they_hold),
		cmocka_unit_test(base64_comes_in_lines),
		cmocka_unit_test(flags_are_words),
		cmocka_unit_test(numbers_inside_a_hexadecimal_message_are_too),
		cmocka_unit_test(devices_have_two_parts),
		cmocka_unit_test(addresses_are_text),
		cmocka_unit_test(socket_names_are_quoted_printable),
		cmocka_unit_test(styles_are_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
