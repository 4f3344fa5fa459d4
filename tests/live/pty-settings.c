/* A pty keeps its number, mode, size, locks, owner and the flags of each description. */
#include "pty.h"

static struct termios wanted;
static struct winsize size = { .ws_row = 33, .ws_col = 101, .ws_xpixel = 7, .ws_ypixel = 9 };

static void set(int slave)
{
	(void)SYS(tcgetattr(slave, &wanted));
	wanted.c_iflag |= IXANY;
	wanted.c_oflag &= (tcflag_t)~OPOST;
	wanted.c_lflag &= (tcflag_t) ~(ECHO | ISIG);
	wanted.c_cc[VINTR] = 7;
	wanted.c_cc[VMIN] = 3;
	(void)SYS(cfsetspeed(&wanted, B9600));
	(void)SYS(tcsetattr(slave, TCSANOW, &wanted));
	(void)SYS(ioctl(slave, TIOCSWINSZ, &size));
	(void)SYS(fchown(slave, 12, 34));
	(void)SYS(fchmod(slave, 0640));
}

static void check_mode(int fd, const char *which)
{
	struct termios now;
	struct winsize now_size;

	(void)SYS(tcgetattr(fd, &now));
	CHECK(now.c_iflag == wanted.c_iflag && now.c_oflag == wanted.c_oflag &&
		      now.c_cflag == wanted.c_cflag && now.c_lflag == wanted.c_lflag,
	      "%s: mode %x %x %x %x", which, now.c_iflag, now.c_oflag, now.c_cflag, now.c_lflag);
	CHECK(memcmp(now.c_cc, wanted.c_cc, 19) == 0, "%s: its characters changed", which);
	CHECK(cfgetospeed(&now) == B9600, "%s: its speed changed", which);
	(void)SYS(ioctl(fd, TIOCGWINSZ, &now_size));
	CHECK(memcmp(&now_size, &size, sizeof(size)) == 0, "%s: size %d x %d", which,
	      now_size.ws_row, now_size.ws_col);
}

int main(void)
{
	struct termios locked = { .c_lflag = ECHOK }, now_locked;
	int master, slave, second, third, number, flag = 0, other_master, other_slave;
	struct stat st;

	pty_prepare();
	master = pty_master();
	slave = pty_slave(master, O_RDWR);
	second = pty_slave(master, O_RDONLY | O_NONBLOCK);
	other_master = pty_master();
	other_slave = pty_slave(other_master, O_RDWR);
	set(slave);
	/* /proc says of this description, wrongly, that it is closed on exec. */
	third = SYS(ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC));
	(void)SYS(fcntl(third, F_SETFD, 0));
	number = pty_number(master);
	(void)SYS(ioctl(slave, TIOCSLCKTRMIOS, &locked));
	(void)SYS(fcntl(master, F_SETFL, O_NONBLOCK));
	(void)SYS(ioctl(other_slave, TIOCEXCL));
	flag = 1;
	(void)SYS(ioctl(other_master, TIOCPKT, &flag));
	(void)SYS(ioctl(other_master, TIOCSPTLCK, &flag));
	live_freeze();

	CHECK(pty_number(master) == number, "number %d became %d", number, pty_number(master));
	check_mode(slave, "slave");
	check_mode(master, "master");
	check_mode(second, "second slave");
	(void)SYS(ioctl(slave, TIOCGLCKTRMIOS, &now_locked));
	CHECK(now_locked.c_lflag == ECHOK, "locked modes %x", now_locked.c_lflag);
	(void)SYS(fstat(slave, &st));
	CHECK(st.st_uid == 12 && st.st_gid == 34 && (st.st_mode & 07777) == 0640,
	      "owner %u:%u mode %o", st.st_uid, st.st_gid, st.st_mode);
	CHECK((fcntl(master, F_GETFL) & (O_ACCMODE | O_NONBLOCK)) == (O_RDWR | O_NONBLOCK),
	      "flags of the master: %x", fcntl(master, F_GETFL));
	CHECK((fcntl(second, F_GETFL) & (O_ACCMODE | O_NONBLOCK)) == (O_RDONLY | O_NONBLOCK),
	      "flags of the second slave: %x", fcntl(second, F_GETFL));
	CHECK(fcntl(slave, F_GETFD) == FD_CLOEXEC, "close-on-exec is lost");
	CHECK(fcntl(third, F_GETFD) == 0, "what had no close-on-exec has one");
	flag = 0;
	(void)SYS(ioctl(other_slave, TIOCGEXCL, &flag));
	CHECK(flag == 1, "it is not exclusive any more");
	(void)SYS(ioctl(slave, TIOCGEXCL, &flag));
	CHECK(flag == 0, "the first one is exclusive");
	(void)SYS(ioctl(other_master, TIOCGPKT, &flag));
	CHECK(flag == 1, "packet mode is lost");
	(void)SYS(ioctl(other_master, TIOCGPTLCK, &flag));
	CHECK(flag == 1, "it is not locked any more");

	pty_type(slave, "out");
	pty_expect(master, "out");
	pty_type(master, "in!\n");
	pty_expect(slave, "in!");
	live_pass();
}
