#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/file.h"
#include "base/json.h"
#include "runtime/container.h"
#include "runtime/runtime.h"

/* A shell in the folder "rootfs", shut off from all but its own. */
static const char template[] =
	"{'ociVersion':'1.0.2',"
	"'process':{'terminal':true,'user':{'uid':0,'gid':0},'args':['sh'],"
	"'env':['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin','TERM=xterm'],"
	"'cwd':'/','capabilities':{"
	"'bounding':['CAP_AUDIT_WRITE','CAP_KILL','CAP_NET_BIND_SERVICE'],"
	"'effective':['CAP_AUDIT_WRITE','CAP_KILL','CAP_NET_BIND_SERVICE'],"
	"'permitted':['CAP_AUDIT_WRITE','CAP_KILL','CAP_NET_BIND_SERVICE']},"
	"'rlimits':[{'type':'RLIMIT_NOFILE','hard':1024,'soft':1024}],'noNewPrivileges':true},"
	"'root':{'path':'rootfs','readonly':true},'hostname':'cryorun','mounts':["
	"{'destination':'/proc','type':'proc','source':'proc'},"
	"{'destination':'/dev','type':'tmpfs','source':'tmpfs',"
	"'options':['nosuid','strictatime','mode=755','size=65536k']},"
	"{'destination':'/dev/pts','type':'devpts','source':'devpts',"
	"'options':['nosuid','noexec','newinstance','ptmxmode=0666','mode=0620','gid=5']},"
	"{'destination':'/dev/shm','type':'tmpfs','source':'shm',"
	"'options':['nosuid','noexec','nodev','mode=1777','size=65536k']},"
	"{'destination':'/dev/mqueue','type':'mqueue','source':'mqueue',"
	"'options':['nosuid','noexec','nodev']},"
	"{'destination':'/sys','type':'sysfs','source':'sysfs',"
	"'options':['nosuid','noexec','nodev','ro']},"
	"{'destination':'/sys/fs/cgroup','type':'cgroup','source':'cgroup',"
	"'options':['nosuid','noexec','nodev','relatime','ro']}],"
	"'linux':{'resources':{'devices':[{'allow':false,'access':'rwm'}]},'namespaces':["
	"{'type':'pid'},{'type':'network'},{'type':'ipc'},{'type':'uts'},{'type':'mount'},"
	"{'type':'cgroup'}],"
	"'maskedPaths':['/proc/acpi','/proc/asound','/proc/kcore','/proc/keys','/proc/latency_stats',"
	"'/proc/timer_list','/proc/timer_stats','/proc/sched_debug','/sys/firmware','/proc/scsi'],"
	"'readonlyPaths':['/proc/bus','/proc/fs','/proc/irq','/proc/sys','/proc/sysrq-trigger']}}";

static int parse_template(json_t **ret, struct error *err)
{
	cleanup_free char *text = strdup(template);

	if (!text)
		return err_oom(err);
	for (char *c = text; *c; c++)
		if (*c == '\'')
			*c = '"';
	return json_parse("template", text, strlen(text), ret, err);
}

/* A user namespace with the caller as its root; no limits, which the caller may not set. */
static int make_rootless(json_t *spec, struct error *err)
{
	json_t *lx = json_object_get(spec, "linux");
	json_t *namespaces = json_object_get(lx, "namespaces");

	if (json_array_append_new(namespaces, json_pack("{s:s}", "type", "user")) < 0 ||
	    json_object_set_new(lx, "uidMappings",
				json_pack("[{s:i,s:I,s:i}]", "containerID", 0, "hostID",
					  (json_int_t)geteuid(), "size", 1)) < 0 ||
	    json_object_set_new(lx, "gidMappings",
				json_pack("[{s:i,s:I,s:i}]", "containerID", 0, "hostID",
					  (json_int_t)getegid(), "size", 1)) < 0 ||
	    json_object_del(lx, "resources") < 0)
		return err_oom(err);
	return 0;
}

int runtime_write_spec(const char *bundle, bool rootless, struct error *err)
{
	cleanup_json json_t *spec = NULL;
	cleanup_free char *text = NULL;
	cleanup_fd int dir = -EBADF;
	int r;

	dir = open(bundle && *bundle ? bundle : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return err_sys(err, "open bundle '%s'", bundle);
	if (faccessat(dir, CONTAINER_CONFIG, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return err_set(err, -EEXIST, "file %s exists: remove it first", CONTAINER_CONFIG);
	r = parse_template(&spec, err);
	if (r >= 0 && rootless)
		r = make_rootless(spec, err);
	if (r >= 0)
		r = json_format(spec, 4, &text, err);
	if (r < 0)
		return r;
	return file_write_atomic_at(dir, CONTAINER_CONFIG, text, strlen(text), 0666, err);
}
