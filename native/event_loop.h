// An engine and libuv's loop on one thread. The engine waits: its epoll set holds libuv's own descriptor, and libuv
// turns only when it has something to do. Under load a wake-up is then one epoll_wait for the sockets, and no turn of
// Node's loop; the other way round (the engine's descriptor under a uv_poll_t) it is three, and a turn.
#pragma once

#include <uv.h>

#include "engine.h"

namespace fourseven {

// Lives until both handles are closed, and then deletes itself: made with new, ended with Close.
class EventLoop {
 public:
  // Told once both handles are closed, right before the object is deleted.
  using OnClosed = void (*)(void* context);

  EventLoop(Engine& engine) : engine_(engine) {}
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  // Returns 0 or a negative error; the handles exist then, and Close is due, either way.
  [[nodiscard]] int Start(uv_loop_t* loop);
  // The engine is not touched from here on.
  void Close(OnClosed on_closed, void* context);

 private:
  static void OnPrepare(uv_prepare_t* prepare);
  static void OnIdle(uv_idle_t* /*idle*/) {}
  static void OnHandleClosed(uv_handle_t* handle);
  void Run();
  // How long libuv can do without a turn, in milliseconds: 0 if it wants one now, -1 for as long as its descriptor is
  // silent.
  [[nodiscard]] int LoopWaitMs();
  // Of two waits in milliseconds, of which -1 is forever.
  [[nodiscard]] static int Sooner(int first_ms, int64_t second_ms);

  Engine& engine_;
  uv_loop_t* loop_ = nullptr;
  uv_prepare_t prepare_{};
  // Active while libuv polls: it must not wait there.
  uv_idle_t idle_{};
  // A wait that is ended by a deadline far away is begun again.
  static constexpr int kWaitMaxMs = 3'600'000;
  int handles_open_ = 2;
  bool closing_ = false;
  OnClosed on_closed_ = nullptr;
  void* context_ = nullptr;
};

}  // namespace fourseven
