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
  // When libuv needs a turn even if its descriptor is silent, by the engine's clock: 0 at once, Engine::kNeverMs never.
  [[nodiscard]] int64_t LoopDueMs();

  Engine& engine_;
  uv_loop_t* loop_ = nullptr;
  uv_prepare_t prepare_{};
  // Active while libuv polls: it must not wait there.
  uv_idle_t idle_{};
  int handles_open_ = 2;
  bool closing_ = false;
  OnClosed on_closed_ = nullptr;
  void* context_ = nullptr;
};

}  // namespace fourseven
