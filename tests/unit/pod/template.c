/*
 * template: what --format understands, and what it refuses.
 */
#include "pod/template.h"

#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"

#include "../cmocka-all.h"

static json_t *sample(void)
{
	json_t *value =
		json_pack("{s:s, s:i, s:{s:b, s:n}, s:[s,s], s:{s:s}}", "Name", "c1", "Pid", 7,
			  "State", "Running", 1, "Error", "List", "a", "b", "Labels", "k", "v");

	assert_non_null(value);
	return value;
}

static void expect(const char *template, const char *wanted)
{
	json_t *value = sample();
	struct buf out = BUF_INIT;
	struct error err = ERROR_INIT;

	assert_int_equal(template_render(template, value, &out, &err), 0);
	assert_string_equal(buf_str(&out), wanted);
	buf_done(&out);
	json_decref(value);
}

static void refuse(const char *template, const char *why)
{
	json_t *value = sample();
	struct buf out = BUF_INIT;
	struct error err = ERROR_INIT;

	assert_int_equal(template_render(template, value, &out, &err), -EINVAL);
	if (!strstr(err.text, why))
		fail_msg("'%s': %s", template, err.text);
	buf_done(&out);
	json_decref(value);
}

static void fields(void **state)
{
	(void)state;
	expect("", "");
	expect("plain \\n\\t text", "plain \n\t text");
	expect("{{.Name}}-{{ .Pid }}", "c1-7");
	expect("{{.State.Running}} {{.State.Error}}", "true <nil>");
	expect("{{.List}} {{.Labels}}", "[a b] map[k:v]");
	expect("{{json .Labels}} {{json .Name}}", "{\"k\":\"v\"} \"c1\"");
	expect("{{index .List 1}} {{index .Labels \"k\"}} {{len .List}}", "b v 2");
	expect("{{println .Name}}", "c1\n");
}

static void ranges(void **state)
{
	(void)state;
	expect("{{range .List}}<{{.}}>{{end}}!", "<a><b>!");
	expect("{{range .List}}{{range .}}x{{end}}y{{end}}", "yy");
}

static void refusals(void **state)
{
	(void)state;
	refuse("{{.Nope}}", "can't evaluate field Nope");
	refuse("{{.Name.Deeper}}", "can't evaluate field Deeper");
	refuse("{{.Name", "'{{' without '}}'");
	refuse("{{}}", "empty action");
	refuse("{{if .Name}}x{{end}}", "not supported");
	refuse("{{printf \"%s\" .Name}}", "not supported");
	refuse("{{end}}", "unexpected {{end}}");
	refuse("{{range .List}}x", "has no end");
	refuse("{{index .List 9}}", "is not there");
	refuse("{{Name}}", "not supported");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields),
		cmocka_unit_test(ranges),
		cmocka_unit_test(refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
