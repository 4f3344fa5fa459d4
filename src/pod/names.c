/*
 * names: what containers are called.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "pod/create.h"

static const char *const adjectives[] = {
	"amber",    "ancient", "arctic", "autumn", "bold",   "brave",	"bright",   "brisk",
	"calm",	    "careful", "clear",	 "clever", "cold",   "cool",	"crisp",    "curious",
	"dancing",  "daring",  "deep",	 "eager",  "early",  "endless", "fair",	    "famous",
	"fearless", "fresh",   "frosty", "gentle", "glad",   "golden",	"graceful", "grand",
	"happy",    "hidden",  "honest", "humble", "icy",    "jolly",	"keen",	    "kind",
	"lively",   "lucky",   "merry",	 "mighty", "modest", "nimble",	"noble",    "patient",
	"polar",    "proud",   "quick",	 "quiet",  "rapid",  "restful", "serene",   "shining",
	"silent",   "snowy",   "steady", "still",  "swift",  "vivid",	"winter",   "wise",
};

static const char *const nouns[] = {
	"aurora",  "badger",  "beacon", "birch",     "brook",	"canyon",  "cedar",  "comet",
	"condor",  "crane",   "creek",	"delta",     "falcon",	"fjord",   "forest", "fox",
	"glacier", "harbor",  "hare",	"heron",     "hill",	"iceberg", "island", "lagoon",
	"lake",	   "lantern", "lark",	"lynx",	     "maple",	"meadow",  "moon",   "moose",
	"moth",	   "narwhal", "ocean",	"orca",	     "otter",	"owl",	   "panda",  "pebble",
	"penguin", "petrel",  "pine",	"planet",    "puffin",	"raven",   "reef",   "river",
	"robin",   "salmon",  "seal",	"snowdrift", "sparrow", "spruce",  "squid",  "star",
	"stoat",   "summit",  "tern",	"tundra",    "valley",	"walrus",  "willow", "wolf",
};

static int random_bytes(void *data, size_t len, struct error *err)
{
	ssize_t n = getrandom(data, len, 0);

	if (n < 0)
		return err_sys(err, "get random bytes");
	return (size_t)n == len ? 0 : err_set(err, -EIO, "get random bytes: too few");
}

int id_generate(char *ret, struct error *err)
{
	unsigned char bytes[ID_LEN / 2];
	int r;

	do {
		r = random_bytes(bytes, sizeof(bytes), err);
		if (r < 0)
			return r;
		for (size_t i = 0; i < sizeof(bytes); i++)
			(void)snprintf(ret + 2 * i, 3, "%02x", bytes[i]);
		/* A short id must not look like a number: some tools would take it for one. */
	} while (strspn(ret, "0123456789") >= 12);
	return 0;
}

int name_generate(char *ret, size_t size, struct error *err)
{
	uint32_t number = 0;
	int r = random_bytes(&number, sizeof(number), err);

	if (r < 0)
		return r;
	(void)snprintf(ret, size, "%s_%s", adjectives[number % ARRAY_SIZE(adjectives)],
		       nouns[(number >> 8) % ARRAY_SIZE(nouns)]);
	return 0;
}

int name_check(const char *name, struct error *err)
{
	static const char letters[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
	char all[80];
	size_t len = strlen(name);

	(void)snprintf(all, sizeof(all), "%s_.-", letters);
	if (len > 0 && len < 256 && strchr(letters, name[0]) && strspn(name, all) == len)
		return 0;
	return err_set(err, -EINVAL,
		       "names must match [a-zA-Z0-9][a-zA-Z0-9_.-]*: invalid argument");
}
