/*
 * signals: names of signals as people write them.
 */
#pragma once

/* "TERM", "SIGTERM", "15", "RTMIN+3" -> number; -EINVAL. */
int signal_parse(const char *word);

/* "SIGTERM"; NULL for those without a name. */
const char *signal_word(int number);
