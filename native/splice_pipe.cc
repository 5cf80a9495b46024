#include "splice_pipe.h"

#include <fcntl.h>

#include <utility>

namespace fourseven {
namespace {

// Pipes per shard. 64 of 256 KiB are 16 MiB of the 64 MiB that a user may pin before the kernel shrinks pipes to two
// pages (pipe(7), pipe-user-pages-soft).
constexpr uint32_t kPipesMax = 64;
constexpr size_t kIdleMax = 16;
constexpr int kPipeBytes = 256 * 1024;

}  // namespace

SplicePipe PipePool::Take(bool may_open) {
  if (!idle_.empty()) {
    SplicePipe pipe = std::move(idle_.back());
    idle_.pop_back();
    return pipe;
  }
  SplicePipe pipe;
  int ends[2];
  if (!may_open || open_count_ >= kPipesMax || ::pipe2(ends, O_NONBLOCK | O_CLOEXEC) != 0) return pipe;
  pipe.read_end = UniqueFd(ends[0]);
  pipe.write_end = UniqueFd(ends[1]);
  // Refused above the user's quota: the default of 64 KiB works too, with more calls.
  ::fcntl(ends[1], F_SETPIPE_SZ, kPipeBytes);
  const int capacity = ::fcntl(ends[1], F_GETPIPE_SZ);
  pipe.capacity = capacity > 0 ? static_cast<uint32_t>(capacity) : 65536;
  open_count_++;
  return pipe;
}

void PipePool::Put(SplicePipe pipe) {
  if (!pipe.valid()) return;
  if (pipe.size == 0 && idle_.size() < kIdleMax) {
    idle_.push_back(std::move(pipe));
  } else {
    open_count_--;
  }
}

}  // namespace fourseven
