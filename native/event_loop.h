// An engine under libuv: its epoll descriptor is watched by one poll handle, its deadlines and left-over work by one
// timer.
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
  [[nodiscard]] int Start(uv_loop_t* loop, int epoll);
  // After commands outside a turn: there may be work, or a nearer deadline.
  void Reconsider();
  // The engine is not touched from here on.
  void Close(OnClosed on_closed, void* context);

 private:
  static void OnReadable(uv_poll_t* poll, int status, int events);
  static void OnTimer(uv_timer_t* timer);
  static void OnHandleClosed(uv_handle_t* handle);
  void Turn();

  Engine& engine_;
  uv_poll_t poll_{};
  uv_timer_t timer_{};
  int64_t timer_due_ms_ = -1;
  int handles_open_ = 0;
  bool closing_ = false;
  OnClosed on_closed_ = nullptr;
  void* context_ = nullptr;
};

}  // namespace fourseven
