// Pipes for splice(2): bytes move from socket to socket without being copied to user space.
#pragma once

#include <cstdint>
#include <vector>

#include "unique_fd.h"

namespace fourseven {

// Two descriptors. `size` counts the bytes inside; a pipe that holds bytes is destroyed, never pooled: they belong to
// somebody.
struct SplicePipe {
  UniqueFd read_end;
  UniqueFd write_end;
  uint32_t capacity = 0;
  uint32_t size = 0;

  [[nodiscard]] bool valid() const { return read_end.valid(); }
};

class PipePool {
 public:
  static constexpr uint32_t kDescriptorsPerPipe = 2;

  // Returns an empty pipe, or an invalid one: out of pipes means copying, not failing. `may_open`: whether descriptors
  // are left.
  [[nodiscard]] SplicePipe Take(bool may_open);
  // Consumes the pipe.
  void Put(SplicePipe pipe);
  // Pipes that exist, in use or idle.
  [[nodiscard]] uint32_t open_count() const { return open_count_; }

 private:
  std::vector<SplicePipe> idle_;
  uint32_t open_count_ = 0;
};

}  // namespace fourseven
