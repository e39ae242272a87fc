// Gives up what a process needs no more once its sockets are open. Capabilities and no_new_privs
// belong to each thread (capabilities(7)), and a Node.js process has a dozen of them before its
// first line runs, so each thread is asked by a signal to give up its own.

#include <dirent.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <ctime>
#include <set>

#include "values.h"

namespace {

std::atomic<int> failure{0};
std::atomic<int> answers{0};

/** Of the calling thread; only system calls, because it runs in a signal handler. */
void give_up() {
  __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  const __user_cap_data_struct none[2] = {};
  prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  if (syscall(SYS_capset, &header, none) != 0) failure = errno;
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) failure = errno;
}

void on_signal(int) {
  const int error = errno;
  give_up();
  answers += 1;
  errno = error;
}

/** Whatever the kernel's struct sigaction is here: it is only read and written back. */
struct RawAction {
  unsigned char bytes[256];
};

bool raw_action(int signal, const RawAction* set, RawAction* get) {
  return syscall(SYS_rt_sigaction, signal, set, get, _NSIG / 8) == 0;
}

/**
 * The C library's own signal for setuid(2) in all threads is the only one that threads which block
 * all signals still take (Node.js has one). It is borrowed for a moment: the handler is installed
 * on an ordinary signal first, so that the library completes it, and then moved there.
 */
constexpr int kBorrowed = 33;

bool tell_thread(pid_t thread) {
  const int before = answers;
  if (syscall(SYS_tgkill, getpid(), thread, kBorrowed) != 0) return errno == ESRCH;
  for (int tries = 0; tries < 2000; tries += 1) {
    if (answers != before) return true;
    // A thread that ends now answers no more.
    if (syscall(SYS_tgkill, getpid(), thread, 0) != 0) return true;
    const timespec moment = {0, 1000000};
    nanosleep(&moment, nullptr);
  }
  errno = ETIMEDOUT;
  return false;
}

/** Every thread but this one; again until no new one has come. */
const char* tell_all() {
  std::set<pid_t> told = {static_cast<pid_t>(syscall(SYS_gettid))};
  for (bool more = true; more;) {
    more = false;
    DIR* folder = opendir("/proc/self/task");
    if (folder == nullptr) return "/proc/self/task";
    while (const dirent* entry = readdir(folder)) {
      const pid_t thread = atoi(entry->d_name);
      if (thread <= 0 || !told.insert(thread).second) continue;
      more = true;
      if (!tell_thread(thread)) {
        closedir(folder);
        return "threads";
      }
    }
    closedir(folder);
  }
  return nullptr;
}

const char* confine_all() {
  struct sigaction action = {};
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART;
  sigfillset(&action.sa_mask);
  struct sigaction before = {};
  RawAction complete = {};
  RawAction borrowed = {};
  if (sigaction(SIGRTMAX, &action, &before) != 0) return "signal";
  const bool ready = raw_action(SIGRTMAX, nullptr, &complete);
  sigaction(SIGRTMAX, &before, nullptr);
  if (!ready || !raw_action(kBorrowed, &complete, &borrowed)) return "signal";
  failure = 0;
  const char* step = tell_all();
  const int error = errno;
  raw_action(kBorrowed, &borrowed, nullptr);
  give_up();
  errno = failure != 0 ? failure.load() : error;
  return failure != 0 ? "capabilities" : step;
}

const char* become(const char* name) {
  errno = 0;
  const passwd* user = getpwnam(name);
  if (user == nullptr) {
    if (errno == 0) errno = ENOENT;
    return "user";
  }
  const uid_t uid = user->pw_uid;
  const gid_t gid = user->pw_gid;
  // The C library does these in all threads.
  if (initgroups(name, gid) != 0) return "groups";
  if (setresgid(gid, gid, gid) != 0) return "group";
  return setresuid(uid, uid, uid) == 0 ? nullptr : "user";
}

/** confine(user): becomes that user unless the name is empty, and gives all capabilities up. */
napi_value confine(napi_env env, napi_callback_info info) {
  size_t count = 1;
  napi_value word = nullptr;
  char name[256] = "";
  napi_get_cb_info(env, info, &count, &word, nullptr, nullptr);
  napi_get_value_string_utf8(env, word, name, sizeof name, nullptr);
  const char* step = name[0] == 0 ? nullptr : become(name);
  if (step == nullptr) step = confine_all();
  return step == nullptr ? nullptr : fail(env, step, errno);
}

}  // namespace

void define_privileges(napi_env env, napi_value exports) {
  define(env, exports, "confine", confine);
}
