#include "splice_pipe.h"

#include <fcntl.h>
#include <sys/resource.h>

#include <utility>
#include <vector>

#include "check.h"

namespace {

using fourseven::PipePool;
using fourseven::SplicePipe;

}  // namespace

TEST(pipes_are_empty_and_do_not_block) {
  PipePool pool;
  const SplicePipe pipe = pool.Take(true);
  CHECK(pipe.valid());
  CHECK(pipe.capacity >= 4096);
  CHECK_EQUAL(pool.open_count(), 1u);
  char byte = 0;
  CHECK_EQUAL(::read(pipe.read_end.get(), &byte, 1), -1);
  CHECK((::fcntl(pipe.read_end.get(), F_GETFD) & FD_CLOEXEC) != 0);
}

TEST(pipes_are_reused_while_empty_and_destroyed_when_they_hold_bytes) {
  PipePool pool;
  SplicePipe pipe = pool.Take(true);
  const int fd = pipe.read_end.get();
  pool.Put(std::move(pipe));
  CHECK_EQUAL(pool.open_count(), 1u);
  pipe = pool.Take(false);
  CHECK_EQUAL(pipe.read_end.get(), fd);
  pipe.size = 1;
  pool.Put(std::move(pipe));
  CHECK_EQUAL(pool.open_count(), 0u);
  CHECK(!pool.Take(false).valid());
  pool.Put(SplicePipe());
  CHECK_EQUAL(pool.open_count(), 0u);
}

TEST(pipes_end_at_their_limit_and_few_are_kept) {
  PipePool pool;
  std::vector<SplicePipe> pipes;
  while (pipes.size() < 1000) {
    SplicePipe pipe = pool.Take(true);
    if (!pipe.valid()) break;
    pipes.push_back(std::move(pipe));
  }
  CHECK_EQUAL(pipes.size(), 64u);
  CHECK_EQUAL(pool.open_count(), 64u);
  for (SplicePipe& pipe : pipes) pool.Put(std::move(pipe));
  CHECK_EQUAL(pool.open_count(), 16u);
}

TEST(pipes_run_out_with_the_process_and_come_back) {
  rlimit before{};
  CHECK_EQUAL(::getrlimit(RLIMIT_NOFILE, &before), 0);
  PipePool pool;
  const rlimit none{3, before.rlim_max};
  CHECK_EQUAL(::setrlimit(RLIMIT_NOFILE, &none), 0);
  const bool taken = pool.Take(true).valid();
  CHECK_EQUAL(::setrlimit(RLIMIT_NOFILE, &before), 0);
  CHECK(!taken);
  CHECK_EQUAL(pool.open_count(), 0u);
  CHECK(pool.Take(true).valid());
}
