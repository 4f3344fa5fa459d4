/* PR_SET_THP_DISABLE. */
#include "live.h"

int main(void)
{
	SYS(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0));
	live_freeze();
	CHECK(prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0) == 1, "huge pages are no longer disabled");
	live_pass();
}
