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
  engine_.ReadClock();
  int64_t loop_due_ms = LoopDueMs();
  bool loop_ready = false;
  do {
    loop_ready = engine_.Wait(std::min(loop_due_ms, engine_.DueMs()));
    if (engine_.Turn()) {
      // The shard is JavaScript: it may have closed us, or have given libuv something to do.
      if (closing_) return;
      loop_due_ms = LoopDueMs();
    }
  } while (!loop_ready && loop_due_ms > engine_.now_ms());
  uv_idle_start(&idle_, OnIdle);
}

int64_t EventLoop::LoopDueMs() {
  // What was started since libuv last polled is in no epoll set yet: it is libuv's poll that puts it there.
  const uv__queue& unwatched = loop_->watcher_queue;
  if (unwatched.next != &unwatched) return 0;
  uv_update_time(loop_);
  const int timeout_ms = uv_backend_timeout(loop_);
  return timeout_ms < 0 ? Engine::kNeverMs : engine_.now_ms() + timeout_ms;
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
