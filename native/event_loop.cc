#include "event_loop.h"

#include <algorithm>

namespace fourseven {

int EventLoop::Start(uv_loop_t* loop) {
  loop_ = loop;
  prepare_.data = idle_.data = this;
  // Neither init can fail.
  uv_prepare_init(loop, &prepare_);
  uv_idle_init(loop, &idle_);
  if (const int error = engine_.WatchLoop(uv_backend_fd(loop)); error < 0) return error;
  return uv_prepare_start(&prepare_, OnPrepare);
}

void EventLoop::OnPrepare(uv_prepare_t* prepare) { static_cast<EventLoop*>(prepare->data)->Run(); }

void EventLoop::Run() {
  uv_idle_stop(&idle_);
  int loop_wait_ms = LoopWaitMs();
  bool loop_ready = false;
  do {
    loop_ready = engine_.Wait(Sooner(loop_wait_ms, engine_.NextTurnMs()));
    engine_.Turn();
    // The turn runs JavaScript, which may have closed us.
    if (closing_) return;
    uv_update_time(loop_);
    loop_wait_ms = LoopWaitMs();
  } while (!loop_ready && loop_wait_ms != 0);
  uv_idle_start(&idle_, OnIdle);
}

int EventLoop::Sooner(int first_ms, int64_t second_ms) {
  if (second_ms < 0) return first_ms;
  const int second = static_cast<int>(std::min<int64_t>(second_ms, kWaitMaxMs));
  return first_ms < 0 ? second : std::min(first_ms, second);
}

int EventLoop::LoopWaitMs() {
  // What was started since libuv last polled is in no epoll set yet: it is libuv's poll that puts it there.
  const uv__queue& unwatched = loop_->watcher_queue;
  return unwatched.next == &unwatched ? uv_backend_timeout(loop_) : 0;
}

void EventLoop::Close(OnClosed on_closed, void* context) {
  if (closing_) return;
  closing_ = true;
  on_closed_ = on_closed;
  context_ = context;
  uv_close(reinterpret_cast<uv_handle_t*>(&prepare_), OnHandleClosed);
  uv_close(reinterpret_cast<uv_handle_t*>(&idle_), OnHandleClosed);
}

void EventLoop::OnHandleClosed(uv_handle_t* handle) {
  auto* self = static_cast<EventLoop*>(handle->data);
  if (--self->handles_open_ > 0) return;
  self->on_closed_(self->context_);
  delete self;
}

}  // namespace fourseven
