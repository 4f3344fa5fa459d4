/* CLOCK_MONOTONIC and CLOCK_BOOTTIME stand still while the task is only images. */
#include "live.h"

int main(void)
{
	uint64_t mono, boot, real, last_mono, last_boot;

	live_say("ready");
	do { /* the freeze falls between two looks that follow each other closely */
		mono = live_now_ns(CLOCK_MONOTONIC);
		boot = live_now_ns(CLOCK_BOOTTIME);
		real = live_now_ns(CLOCK_REALTIME);
		live_pause_ms(1);
		last_mono = live_now_ns(CLOCK_MONOTONIC);
		last_boot = live_now_ns(CLOCK_BOOTTIME);
		CHECK(last_mono >= mono && last_boot >= boot, "a clock went back");
		CHECK(last_mono - mono < 700000000U,
		      "CLOCK_MONOTONIC jumped by %lu ms, the world by %lu",
		      (last_mono - mono) / 1000000, (live_now_ns(CLOCK_REALTIME) - real) / 1000000);
		CHECK(last_boot - boot < 700000000U, "CLOCK_BOOTTIME jumped by %lu ms",
		      (last_boot - boot) / 1000000);
	} while (!live_gone_on());
	live_pass();
}
