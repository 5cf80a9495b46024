#include "event_loop.h"

namespace fourseven {

int EventLoop::Start(uv_loop_t* loop, int epoll) {
  poll_.data = timer_.data = this;
  if (const int error = uv_timer_init(loop, &timer_); error < 0) return error;
  handles_open_++;
  if (const int error = uv_poll_init(loop, &poll_, epoll); error < 0) return error;
  handles_open_++;
  return uv_poll_start(&poll_, UV_READABLE, OnReadable);
}

void EventLoop::OnReadable(uv_poll_t* poll, int /*status*/, int /*events*/) {
  static_cast<EventLoop*>(poll->data)->Turn();
}

void EventLoop::OnTimer(uv_timer_t* timer) {
  auto* self = static_cast<EventLoop*>(timer->data);
  self->timer_due_ms_ = -1;
  self->Turn();
}

void EventLoop::Turn() {
  engine_.Turn();
  // The turn runs JavaScript, which may have closed us.
  if (!closing_) Reconsider();
}

void EventLoop::Reconsider() {
  if (closing_) return;
  const int64_t wait_ms = engine_.NextTurnMs();
  if (wait_ms < 0) return;
  const int64_t due_ms = static_cast<int64_t>(uv_now(poll_.loop)) + wait_ms;
  // A timer that fires early finds nothing and is set again: cheaper than moving it each turn.
  if (timer_due_ms_ >= 0 && timer_due_ms_ <= due_ms) return;
  timer_due_ms_ = due_ms;
  uv_timer_start(&timer_, OnTimer, static_cast<uint64_t>(wait_ms), 0);
}

void EventLoop::Close(OnClosed on_closed, void* context) {
  if (closing_) return;
  closing_ = true;
  on_closed_ = on_closed;
  context_ = context;
  if (handles_open_ == 0) {
    on_closed(context);
    delete this;
    return;
  }
  if (handles_open_ == 2) {
    uv_poll_stop(&poll_);
    uv_close(reinterpret_cast<uv_handle_t*>(&poll_), OnHandleClosed);
  }
  uv_close(reinterpret_cast<uv_handle_t*>(&timer_), OnHandleClosed);
}

void EventLoop::OnHandleClosed(uv_handle_t* handle) {
  auto* self = static_cast<EventLoop*>(handle->data);
  if (--self->handles_open_ > 0) return;
  self->on_closed_(self->context_);
  delete self;
}

}  // namespace fourseven
