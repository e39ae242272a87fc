// AF_PACKET sockets with TPACKET_V3 rings (packet_mmap.rst in Linux' Documentation/networking):
// opens them, maps the rings into one ArrayBuffer, says which block is ready, gives blocks back,
// waits in the thread's own event loop. What is in a block is read in TypeScript.

#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include <algorithm>

#include "values.h"

#ifndef PACKET_IGNORE_OUTGOING
#define PACKET_IGNORE_OUTGOING 23
#endif

namespace {

/** Bytes in front of each frame, beside those that the kernel leaves: room for a tag, aligned. */
constexpr int kReserve = 16;
/** Readable bytes behind the last block. */
constexpr size_t kGuard = 65536;
constexpr unsigned kFrameSize = 2048;
/** Bytes of each block that are ours, behind the kernel's 48. */
constexpr unsigned kPrivate = 16;
/** Interfaces of one ring. */
constexpr unsigned kLanes = 8;

struct Ring;

/** One interface of a ring: its socket, which is not owned here, and its part of the area. */
struct Lane {
  Ring* ring = nullptr;
  int fd = -1;
  uint8_t* base = nullptr;
  unsigned current = 0;
  uv_poll_t poll;
  bool has_poll = false;
};

/** Rings of one or more interfaces in one area, so that a batch can hold frames of all of them. */
struct Ring {
  napi_env env = nullptr;
  Lane lanes[kLanes];
  unsigned count = 0;
  uint8_t* area = nullptr;
  size_t mapped = 0;
  unsigned blocks = 0;
  unsigned block_size = 0;
  napi_ref buffer = nullptr;
  napi_ref callback = nullptr;
  napi_async_context context = nullptr;
  napi_async_cleanup_hook_handle hook = nullptr;
  bool finalized = false;

  size_t lane_bytes() const { return static_cast<size_t>(blocks) * block_size; }

  bool polls() const {
    for (const Lane& lane : lanes) {
      if (lane.has_poll) return true;
    }
    return false;
  }
};

/** Frees a ring once neither libuv nor JavaScript holds it; a thread that ends waits for libuv. */
void release_memory(Ring* ring) {
  if (ring->polls()) return;
  if (ring->hook != nullptr && ring->area == nullptr) {
    napi_remove_async_cleanup_hook(ring->hook);
    ring->hook = nullptr;
  }
  if (ring->finalized) delete ring;
}

void on_poll_closed(uv_handle_t* handle) {
  Lane* lane = static_cast<Lane*>(handle->data);
  lane->has_poll = false;
  release_memory(lane->ring);
}

/** Ends waiting and unmaps. JavaScript can be called only when its thread is not ending. */
void shut(Ring* ring, bool alive) {
  if (alive && ring->buffer != nullptr) {
    napi_value buffer = nullptr;
    napi_get_reference_value(ring->env, ring->buffer, &buffer);
    // Whoever still looks at the ring sees an empty buffer and not somebody else's memory.
    if (buffer != nullptr) napi_detach_arraybuffer(ring->env, buffer);
    napi_delete_reference(ring->env, ring->buffer);
    napi_delete_reference(ring->env, ring->callback);
    napi_async_destroy(ring->env, ring->context);
  }
  ring->buffer = nullptr;
  for (Lane& lane : ring->lanes) {
    uv_handle_t* handle = reinterpret_cast<uv_handle_t*>(&lane.poll);
    if (lane.has_poll && !uv_is_closing(handle)) uv_close(handle, on_poll_closed);
    lane.fd = -1;
  }
  if (ring->area != nullptr) munmap(ring->area, ring->mapped);
  ring->area = nullptr;
}

void on_thread_end(napi_async_cleanup_hook_handle, void* data) {
  Ring* ring = static_cast<Ring*>(data);
  shut(ring, false);
  release_memory(ring);
}

void on_collected(napi_env, void* data, void*) {
  Ring* ring = static_cast<Ring*>(data);
  ring->finalized = true;
  release_memory(ring);
}

/** The poll is stopped before JavaScript is told: a block not yet taken would wake it for ever. */
void on_event(uv_poll_t* poll, int, int) {
  uv_poll_stop(poll);
  Ring* ring = static_cast<Lane*>(poll->data)->ring;
  napi_handle_scope scope;
  napi_open_handle_scope(ring->env, &scope);
  napi_value function = nullptr;
  napi_value self = nullptr;
  napi_get_reference_value(ring->env, ring->callback, &function);
  napi_get_global(ring->env, &self);
  napi_make_callback(ring->env, ring->context, self, function, 0, nullptr, nullptr);
  napi_close_handle_scope(ring->env, scope);
}

bool attach_filter(int fd, const void* program, size_t length) {
  sock_fprog filter;
  filter.len = static_cast<unsigned short>(length / sizeof(sock_filter));
  filter.filter = static_cast<sock_filter*>(const_cast<void*>(program));
  return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter) == 0;
}

template <typename T>
bool set_packet(int fd, int option, const T& value) {
  return setsockopt(fd, SOL_PACKET, option, &value, sizeof value) == 0;
}

/** Joins or founds a group. 0 when done, with the group's number in `group`, else errno. */
int join(int fd, int* group, Bytes program) {
  uint32_t type = PACKET_FANOUT_CBPF;
  if (*group < 0) type |= PACKET_FANOUT_FLAG_UNIQUEID;
  const uint32_t id = *group < 0 ? 0 : static_cast<uint32_t>(*group) & 0xffff;
  if (!set_packet(fd, PACKET_FANOUT, id | (type << 16))) return errno;
  uint32_t got = 0;
  socklen_t size = sizeof got;
  if (getsockopt(fd, SOL_PACKET, PACKET_FANOUT, &got, &size) != 0) return errno;
  *group = static_cast<int>(got & 0xffff);
  sock_fprog steering;
  steering.len = static_cast<unsigned short>(program.length / sizeof(sock_filter));
  steering.filter = static_cast<sock_filter*>(program.data);
  return set_packet(fd, PACKET_FANOUT_DATA, steering) ? 0 : errno;
}

/** An area for all lanes, with readable bytes behind it: a search may look past the last frame. */
bool reserve_area(Ring* ring) {
  ring->mapped = ring->count * ring->lane_bytes() + kGuard;
  void* whole =
      mmap(nullptr, ring->mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (whole == MAP_FAILED) return false;
  ring->area = static_cast<uint8_t*>(whole);
  for (unsigned at = 0; at < ring->count; at += 1) {
    ring->lanes[at].base = ring->area + at * ring->lane_bytes();
  }
  return true;
}

/** A socket as it is opened, before any ring uses it. */
struct Socket {
  int fd = -1;
  bool ethernet = false;
  bool outgoing = false;
  int group = -1;
};

/** A socket of the interface's kind with its options. Null, or the step that failed by errno. */
const char* open_socket(Socket* opened, const char* name) {
  ifreq request = {};
  const int probe = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (probe < 0) return "socket";
  strncpy(request.ifr_name, name, IFNAMSIZ - 1);
  const bool known = ioctl(probe, SIOCGIFHWADDR, &request) == 0;
  const int error = errno;
  close(probe);
  errno = error;
  if (!known) return "interface";
  const int type = request.ifr_hwaddr.sa_family;
  opened->ethernet = type == ARPHRD_ETHER || type == ARPHRD_LOOPBACK;
  // Protocol 0: nothing is received before bind says from where.
  opened->fd = socket(AF_PACKET, (opened->ethernet ? SOCK_RAW : SOCK_DGRAM) | SOCK_CLOEXEC, 0);
  if (opened->fd < 0) return "socket";
  if (!set_packet<int>(opened->fd, PACKET_VERSION, TPACKET_V3)) return "version";
  if (!set_packet<int>(opened->fd, PACKET_RESERVE, kReserve)) return "reserve";
  opened->outgoing = !set_packet<int>(opened->fd, PACKET_IGNORE_OUTGOING, 1);
  return nullptr;
}

bool request_ring(int fd, napi_env env, napi_value plan) {
  tpacket_req3 request = {};
  request.tp_block_nr = static_cast<unsigned>(number_of(env, plan, "blocks", 0));
  request.tp_block_size = static_cast<unsigned>(number_of(env, plan, "blockBytes", 0));
  request.tp_frame_size = kFrameSize;
  request.tp_frame_nr = request.tp_block_size / kFrameSize * request.tp_block_nr;
  request.tp_retire_blk_tov = static_cast<unsigned>(number_of(env, plan, "retire_ms", 40));
  request.tp_sizeof_priv = kPrivate;
  return set_packet(fd, PACKET_RX_RING, request);
}

const char* bind_socket(int fd, const char* name, bool promiscuous) {
  const int index = static_cast<int>(if_nametoindex(name));
  if (index == 0) return "interface";
  sockaddr_ll address = {};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(ETH_P_ALL);
  address.sll_ifindex = index;
  if (bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return "bind";
  if (!promiscuous) return nullptr;
  packet_mreq membership = {};
  membership.mr_ifindex = index;
  membership.mr_type = PACKET_MR_PROMISC;
  return set_packet(fd, PACKET_ADD_MEMBERSHIP, membership) ? nullptr : "promiscuous";
}

const char* open_lane(Socket* opened, napi_env env, napi_value plan) {
  const std::string name = text_of(env, plan, "interface");
  const char* step = open_socket(opened, name.c_str());
  if (step != nullptr) return step;
  const int fd = opened->fd;
  if (!request_ring(fd, env, plan)) return "ring";
  // Until everything is in place nothing is let in: a member of a group that has not joined yet
  // would get every frame.
  const sock_filter nothing = {BPF_RET | BPF_K, 0, 0, 0};
  if (!attach_filter(fd, &nothing, sizeof nothing)) return "filter";
  step = bind_socket(fd, name.c_str(), flag_of(env, plan, "promiscuous"));
  if (step != nullptr) return step;
  const Bytes steering = bytes_of(env, plan, "steering");
  if (steering.data != nullptr) {
    opened->group = static_cast<int>(number_of(env, plan, "group", -1));
    errno = join(fd, &opened->group, steering);
    if (errno != 0) return "fan-out";
  }
  const Bytes filter = bytes_of(env, plan, opened->ethernet ? "ethernetFilter" : "ipFilter");
  const int off = 0;
  const bool done = filter.data != nullptr
                        ? attach_filter(fd, filter.data, filter.length)
                        : setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &off, sizeof off) == 0;
  return done ? nullptr : "filter";
}

/** openLane(plan): {fd, ethernet, outgoing, group}; see addon.ts. */
napi_value open_lane_value(napi_env env, napi_callback_info info) {
  size_t count = 1;
  napi_value plan = nullptr;
  napi_get_cb_info(env, info, &count, &plan, nullptr, nullptr);
  Socket opened;
  const char* step = open_lane(&opened, env, plan);
  if (step != nullptr) {
    const int error = errno;
    if (opened.fd >= 0) close(opened.fd);
    return fail(env, step, error);
  }
  napi_value result = nullptr;
  napi_value value = nullptr;
  napi_create_object(env, &result);
  napi_create_int32(env, opened.fd, &value);
  napi_set_named_property(env, result, "fd", value);
  napi_get_boolean(env, opened.ethernet, &value);
  napi_set_named_property(env, result, "ethernet", value);
  napi_get_boolean(env, opened.outgoing, &value);
  napi_set_named_property(env, result, "outgoing", value);
  napi_create_int32(env, opened.group, &value);
  napi_set_named_property(env, result, "group", value);
  return result;
}

/** closeLane(fd): no ring may use it any more. */
napi_value close_lane(napi_env env, napi_callback_info info) {
  size_t count = 1;
  napi_value word = nullptr;
  int32_t fd = -1;
  napi_get_cb_info(env, info, &count, &word, nullptr, nullptr);
  if (napi_get_value_int32(env, word, &fd) == napi_ok && fd > 2) close(fd);
  return nullptr;
}

tpacket_block_desc* block_at(const Lane* lane, unsigned index) {
  uint8_t* block = lane->base + static_cast<size_t>(index) * lane->ring->block_size;
  return reinterpret_cast<tpacket_block_desc*>(block);
}

uint32_t load_status(const tpacket_block_desc* block) {
  return __atomic_load_n(&block->hdr.bh1.block_status, __ATOMIC_ACQUIRE);
}

/**
 * Words of a block that a reader writes: the first is 1 while it has the block in hand, the second
 * how many of its frames were used.
 */
uint32_t* hand_of(tpacket_block_desc* block) {
  return reinterpret_cast<uint32_t*>(reinterpret_cast<uint8_t*>(block) + block->offset_to_priv);
}

void give_back(tpacket_block_desc* block) {
  hand_of(block)[0] = 0;
  __atomic_store_n(&block->hdr.bh1.block_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
}

/**
 * Gives back what a reader before had in hand when it died; a frame in it may be why it did, so
 * the rest of the block goes unread. Gives the frames lost so.
 */
double drop_hand(const Lane* lane) {
  double lost = 0;
  for (unsigned at = 0; at < lane->ring->blocks; at += 1) {
    tpacket_block_desc* block = block_at(lane, at);
    const uint32_t* hand = hand_of(block);
    if ((load_status(block) & TP_STATUS_USER) == 0 || hand[0] == 0) continue;
    const uint32_t count = block->hdr.bh1.num_pkts;
    lost += count - std::min(hand[1], count);
    give_back(block);
  }
  return lost;
}

/** The full block with the lowest number; false where none is full. */
bool find_full(Lane* lane) {
  bool found = false;
  uint64_t best = 0;
  for (unsigned at = 0; at < lane->ring->blocks; at += 1) {
    const tpacket_block_desc* block = block_at(lane, at);
    if ((load_status(block) & TP_STATUS_USER) == 0) continue;
    const uint64_t number = block->hdr.bh1.seq_num;
    if (found && number >= best) continue;
    found = true;
    best = number;
    lane->current = at;
  }
  return found;
}

/** Finds the place to read on, where another reader of this ring may have stopped anywhere. */
void resume(Lane* lane) {
  if (find_full(lane)) return;
  // Nothing is full: the block that the kernel fills has the highest number.
  uint64_t best = 0;
  for (unsigned at = 0; at < lane->ring->blocks; at += 1) {
    const uint64_t number = block_at(lane, at)->hdr.bh1.seq_num;
    if (at > 0 && number <= best) continue;
    best = number;
    lane->current = at;
  }
  // The kernel may have gone on meanwhile; then the first full one is the next.
  find_full(lane);
}

const char* attach_lane(Ring* ring, Lane* lane, int fd) {
  lane->ring = ring;
  lane->fd = fd;
  const int access = PROT_READ | PROT_WRITE;
  void* map = mmap(lane->base, ring->lane_bytes(), access, MAP_SHARED | MAP_FIXED, fd, 0);
  if (map == MAP_FAILED) return "map";
  uv_loop_t* loop = nullptr;
  napi_get_uv_event_loop(ring->env, &loop);
  const int status = uv_poll_init(loop, &lane->poll, fd);
  errno = -status;
  if (status != 0) return "poll";
  lane->has_poll = true;
  lane->poll.data = lane;
  return nullptr;
}

const char* attach_all(Ring* ring, napi_value plan, double* lost) {
  napi_env env = ring->env;
  napi_value sockets = member(env, plan, "fds");
  uint32_t count = 0;
  napi_get_array_length(env, sockets, &count);
  ring->count = count;
  errno = EINVAL;
  if (count == 0 || count > kLanes || ring->blocks == 0 || ring->block_size == 0) return "lanes";
  if (!reserve_area(ring)) return "map";
  for (uint32_t at = 0; at < count; at += 1) {
    napi_value value = nullptr;
    int32_t fd = -1;
    napi_get_element(env, sockets, at, &value);
    napi_get_value_int32(env, value, &fd);
    const char* step = attach_lane(ring, &ring->lanes[at], fd);
    if (step != nullptr) return step;
    *lost += drop_hand(&ring->lanes[at]);
    resume(&ring->lanes[at]);
  }
  return nullptr;
}

/** attach(plan, wake): {handle, area, lost}; see addon.ts. */
napi_value attach(napi_env env, napi_callback_info info) {
  size_t count = 2;
  napi_value words[2];
  napi_get_cb_info(env, info, &count, words, nullptr, nullptr);
  Ring* ring = new Ring();
  ring->env = env;
  ring->blocks = static_cast<unsigned>(number_of(env, words[0], "blocks", 0));
  ring->block_size = static_cast<unsigned>(number_of(env, words[0], "blockBytes", 0));
  double lost = 0;
  const char* step = attach_all(ring, words[0], &lost);
  if (step != nullptr) {
    const int error = errno;
    ring->finalized = true;
    shut(ring, false);
    release_memory(ring);
    return fail(env, step, error);
  }
  napi_value area = nullptr;
  napi_value handle = nullptr;
  napi_value result = nullptr;
  napi_value value = nullptr;
  napi_create_external_arraybuffer(env, ring->area, ring->mapped, nullptr, nullptr, &area);
  napi_create_external(env, ring, on_collected, nullptr, &handle);
  napi_create_reference(env, area, 1, &ring->buffer);
  napi_create_reference(env, words[1], 1, &ring->callback);
  napi_create_string_utf8(env, "mailweir.ring", NAPI_AUTO_LENGTH, &value);
  napi_async_init(env, nullptr, value, &ring->context);
  napi_add_async_cleanup_hook(env, on_thread_end, ring, &ring->hook);
  napi_create_object(env, &result);
  napi_set_named_property(env, result, "handle", handle);
  napi_set_named_property(env, result, "area", area);
  napi_create_double(env, lost, &value);
  napi_set_named_property(env, result, "lost", value);
  return result;
}

/** The lane that a call is about: its ring and its number come first. Throws for anything else. */
Lane* lane_of(napi_env env, napi_callback_info info, napi_value* third) {
  size_t count = 3;
  napi_value words[3];
  napi_get_cb_info(env, info, &count, words, nullptr, nullptr);
  void* data = nullptr;
  uint32_t at = 0;
  if (napi_get_value_external(env, words[0], &data) != napi_ok ||
      napi_get_value_uint32(env, words[1], &at) != napi_ok) {
    napi_throw_type_error(env, nullptr, "not a ring and a lane");
    return nullptr;
  }
  Ring* ring = static_cast<Ring*>(data);
  if (third != nullptr) *third = words[2];
  if (at < ring->count && ring->lanes[at].fd >= 0) return &ring->lanes[at];
  napi_throw_error(env, "EBADF", "the ring is not attached");
  return nullptr;
}

/** ready(handle, lane): where the lane's next full block begins in the area, or -1. */
napi_value ready(napi_env env, napi_callback_info info) {
  Lane* lane = lane_of(env, info, nullptr);
  if (lane == nullptr) return nullptr;
  const Ring* ring = lane->ring;
  const bool full = (load_status(block_at(lane, lane->current)) & TP_STATUS_USER) != 0;
  const size_t within = static_cast<size_t>(lane->current) * ring->block_size;
  const int64_t at = static_cast<int64_t>(lane->base - ring->area + within);
  napi_value result = nullptr;
  napi_create_int64(env, full ? at : -1, &result);
  return result;
}

/** release(handle, lane): the block that `ready` named is the kernel's again. */
napi_value release(napi_env env, napi_callback_info info) {
  Lane* lane = lane_of(env, info, nullptr);
  if (lane == nullptr) return nullptr;
  give_back(block_at(lane, lane->current));
  lane->current = lane->current + 1 == lane->ring->blocks ? 0 : lane->current + 1;
  return nullptr;
}

/** wait(handle, lane): calls `wake` once when a block is ready or the socket has an error. */
napi_value wait(napi_env env, napi_callback_info info) {
  Lane* lane = lane_of(env, info, nullptr);
  if (lane == nullptr) return nullptr;
  const int status = uv_poll_start(&lane->poll, UV_READABLE, on_event);
  return status == 0 ? nullptr : fail(env, "poll", -status);
}

/** statistics(handle, lane, into): packets with those dropped, drops, freezes, since last asked. */
napi_value statistics(napi_env env, napi_callback_info info) {
  napi_value third = nullptr;
  Lane* lane = lane_of(env, info, &third);
  if (lane == nullptr) return nullptr;
  tpacket_stats_v3 stats = {};
  socklen_t size = sizeof stats;
  // Reading sets them back to 0; tp_packets counts the dropped ones too.
  getsockopt(lane->fd, SOL_PACKET, PACKET_STATISTICS, &stats, &size);
  void* data = nullptr;
  size_t length = 0;
  napi_typedarray_type type = napi_int8_array;
  napi_get_typedarray_info(env, third, &type, &length, &data, nullptr, nullptr);
  if (type != napi_float64_array || length < 3) return fail(env, "statistics", EINVAL);
  double* into = static_cast<double*>(data);
  into[0] = stats.tp_packets;
  into[1] = stats.tp_drops;
  into[2] = stats.tp_freeze_q_cnt;
  return nullptr;
}

/** state(handle, lane): 0 is up, 1 down, 2 gone for good. Clears the socket's error. */
napi_value state(napi_env env, napi_callback_info info) {
  Lane* lane = lane_of(env, info, nullptr);
  if (lane == nullptr) return nullptr;
  int error = 0;
  socklen_t size = sizeof error;
  getsockopt(lane->fd, SOL_SOCKET, SO_ERROR, &error, &size);
  sockaddr_ll address = {};
  size = sizeof address;
  int32_t found = 2;
  if (getsockname(lane->fd, reinterpret_cast<sockaddr*>(&address), &size) == 0 &&
      address.sll_ifindex > 0) {
    ifreq request = {};
    request.ifr_ifindex = address.sll_ifindex;
    // By number, because an interface may be renamed.
    const bool up = ioctl(lane->fd, SIOCGIFNAME, &request) == 0 &&
                    ioctl(lane->fd, SIOCGIFFLAGS, &request) == 0 &&
                    (request.ifr_flags & IFF_UP) != 0;
    found = up ? 0 : 1;
  }
  napi_value result = nullptr;
  napi_create_int32(env, found, &result);
  return result;
}

/** detach(handle): safe to call twice; the sockets stay open. */
napi_value detach(napi_env env, napi_callback_info info) {
  size_t count = 1;
  napi_value word = nullptr;
  napi_get_cb_info(env, info, &count, &word, nullptr, nullptr);
  void* data = nullptr;
  if (napi_get_value_external(env, word, &data) != napi_ok) return nullptr;
  Ring* ring = static_cast<Ring*>(data);
  if (ring->area != nullptr) shut(ring, true);
  return nullptr;
}

}  // namespace

void define_ring(napi_env env, napi_value exports) {
  define(env, exports, "openLane", open_lane_value);
  define(env, exports, "closeLane", close_lane);
  define(env, exports, "attach", attach);
  define(env, exports, "ready", ready);
  define(env, exports, "release", release);
  define(env, exports, "wait", wait);
  define(env, exports, "statistics", statistics);
  define(env, exports, "state", state);
  define(env, exports, "detach", detach);
}
