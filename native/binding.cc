// The door to JavaScript, and the only file that knows it. It translates, and decides nothing. See
// src/engine/binding.ts for the contract.
#include <fcntl.h>
#include <napi.h>
#include <sys/resource.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <string>
#include <vector>

#include "compose_lines.h"
#include "engine.h"
#include "event_loop.h"
#include "handover.h"
#include "maglev.h"
#include "socket.h"

namespace fourseven {
namespace {

// An engine with its place in the loop. Two hold it: the JavaScript object, and (until the handles are closed) the
// loop. It outlives both the object, when the environment ends first, and the environment's references, which it
// therefore does not own.
class Instance : public std::enable_shared_from_this<Instance> {
 public:
  using Done = void (*)(void* context);

  Instance(napi_env env, const Door& door, Shard& shard, uint32_t descriptors_max)
      : env_(env), engine_(door, shard, descriptors_max) {}

  // Returns 0 or -errno.
  [[nodiscard]] int Start() {
    uv_loop_t* loop = nullptr;
    if (napi_get_uv_event_loop(env_, &loop) != napi_ok) return -EINVAL;
    const int epoll = engine_.Open();
    if (epoll < 0) return epoll;
    self_ = shared_from_this();
    // Handles must be closed, and their callbacks have run, before the environment ends (nodejs/node#34567).
    napi_add_async_cleanup_hook(env_, OnEnvironmentEnds, this, &hook_);
    loop_ = new EventLoop(engine_);
    const int error = loop_->Start(loop);
    if (error < 0) Close(nullptr, nullptr);
    return error;
  }

  void Close(Done done, void* context) {
    if (closing_) {
      if (done != nullptr) done(context);
      return;
    }
    closing_ = true;
    done_ = done;
    context_ = context;
    EventLoop* loop = std::exchange(loop_, nullptr);
    if (loop == nullptr) {
      engine_.Close();
      Finish();
      return;
    }
    loop->Close(OnHandlesClosed, this);
    engine_.Close();
  }

  [[nodiscard]] bool started() const { return loop_ != nullptr; }
  Engine& engine() { return engine_; }

 private:
  static void OnEnvironmentEnds(napi_async_cleanup_hook_handle /*handle*/, void* data) {
    auto* instance = static_cast<Instance*>(data);
    if (!instance->closing_) instance->Close(nullptr, nullptr);
  }

  static void OnHandlesClosed(void* data) { static_cast<Instance*>(data)->Finish(); }

  void Finish() {
    if (hook_ != nullptr) napi_remove_async_cleanup_hook(std::exchange(hook_, nullptr));
    const std::shared_ptr<Instance> alive = std::move(self_);
    if (done_ != nullptr) done_(context_);
  }

  napi_env env_;
  Engine engine_;
  EventLoop* loop_ = nullptr;
  napi_async_cleanup_hook_handle hook_ = nullptr;
  std::shared_ptr<Instance> self_;
  bool closing_ = false;
  Done done_ = nullptr;
  void* context_ = nullptr;
};

std::string TextOf(const Napi::Object& object, const char* name) {
  return object.Get(name).As<Napi::String>().Utf8Value();
}

std::string BytesOf(const Napi::Object& object, const char* name) {
  const auto bytes = object.Get(name).As<Napi::Uint8Array>();
  return {reinterpret_cast<const char*>(bytes.Data()), bytes.ElementLength()};
}

// The shape is SecureContext of src/engine/secure-context.ts, complete.
TlsSpec ReadTlsSpec(const Napi::Object& object) {
  TlsSpec spec;
  spec.is_server = object.Get("isServer").As<Napi::Boolean>();
  const auto pairs = object.Get("pairs").As<Napi::Array>();
  for (uint32_t i = 0; i < pairs.Length(); i++) {
    const auto pair = pairs.Get(i).As<Napi::Object>();
    spec.pairs.push_back({TextOf(pair, "certificate"), TextOf(pair, "key"), BytesOf(pair, "ocsp")});
  }
  spec.min_version = object.Get("minVersion").As<Napi::Number>();
  spec.ciphers = TextOf(object, "ciphers");
  spec.alpn = BytesOf(object, "alpn");
  spec.authorities = TextOf(object, "authorities");
  spec.client_certificate =
      static_cast<ClientCertificate>(object.Get("clientCertificate").As<Napi::Number>().Uint32Value());
  spec.verify = object.Get("verify").As<Napi::Boolean>();
  const std::string identity = BytesOf(object, "identity");
  std::copy_n(identity.begin(), std::min(identity.size(), spec.identity.size()), spec.identity.begin());
  return spec;
}

class EngineObject : public Napi::ObjectWrap<EngineObject>, public Shard {
 public:
  static Napi::Function Define(Napi::Env env) {
    return DefineClass(env, "NativeEngine",
                       {
                           InstanceMethod<&EngineObject::Start>("start"),
                           InstanceMethod<&EngineObject::Submit>("submit"),
                           InstanceMethod<&EngineObject::AdoptListener>("adoptListener"),
                           InstanceMethod<&EngineObject::PauseListener>("pauseListener"),
                           InstanceMethod<&EngineObject::ResumeListener>("resumeListener"),
                           InstanceMethod<&EngineObject::CloseListener>("closeListener"),
                           InstanceMethod<&EngineObject::RememberAddress>("rememberAddress"),
                           InstanceMethod<&EngineObject::ForgetAddress>("forgetAddress"),
                           InstanceMethod<&EngineObject::Dial>("dial"),
                           InstanceMethod<&EngineObject::Redial>("redial"),
                           InstanceMethod<&EngineObject::Reserve>("reserve"),
                           InstanceMethod<&EngineObject::LocalAddress>("localAddress"),
                           InstanceMethod<&EngineObject::Progress>("progress"),
                           InstanceMethod<&EngineObject::RememberContext>("rememberContext"),
                           InstanceMethod<&EngineObject::ForgetContext>("forgetContext"),
                           InstanceMethod<&EngineObject::SetTicketKeys>("setTicketKeys"),
                           InstanceMethod<&EngineObject::SecureFailure>("secureFailure"),
                           InstanceMethod<&EngineObject::PeerCertificate>("peerCertificate"),
                           InstanceMethod<&EngineObject::IsOpen>("isOpen"),
                           InstanceMethod<&EngineObject::Close>("close"),
                       });
  }

  explicit EngineObject(const Napi::CallbackInfo& info) : ObjectWrap(info), context_(info.Env(), "fourseven") {
    const bool shaped = info.Length() == 5 && info[0].IsTypedArray() && info[1].IsTypedArray() &&
                        info[2].IsTypedArray() && info[3].IsTypedArray() && info[4].IsNumber();
    if (!shaped || info[0].As<Napi::TypedArray>().ByteLength() != kSlabBytes ||
        info[1].As<Napi::TypedArray>().ByteLength() != kEventsMax * kEventWords * sizeof(int32_t) ||
        info[2].As<Napi::TypedArray>().ByteLength() != kCommandsMaxWords * sizeof(int32_t) ||
        info[3].As<Napi::TypedArray>().ByteLength() != kCountersLength * sizeof(double)) {
      Napi::TypeError::New(info.Env(), "the arrays do not have the shapes of protocol.ts").ThrowAsJavaScriptException();
      return;
    }
    for (size_t i = 0; i < 4; i++) memory_[i] = Napi::Persistent(info[i].As<Napi::Object>());
    const Door door{info[0].As<Napi::Uint8Array>().Data(), info[1].As<Napi::Int32Array>().Data(),
                    info[2].As<Napi::Int32Array>().Data(), info[3].As<Napi::Float64Array>().Data()};
    instance_ = std::make_shared<Instance>(info.Env(), door, *this, info[4].As<Napi::Number>().Uint32Value());
    if (const int error = instance_->Start(); error < 0) {
      Napi::Error::New(info.Env(), "the native engine cannot start: errno " + std::to_string(-error))
          .ThrowAsJavaScriptException();
    }
  }

  ~EngineObject() override {
    if (instance_ != nullptr) instance_->Close(nullptr, nullptr);
  }

  // Any call that could run JavaScript is refused once the environment stops; this is the cheapest one.
  bool CanRun() override {
    const Napi::HandleScope scope(Env());
    bool ignored = false;
    return napi_has_element(Env(), memory_[1].Value(), 0, &ignored) == napi_ok;
  }

  // One crossing per round. Whatever JavaScript does here, closing this engine included, is allowed for. The commands
  // run before promises do: a promise may submit commands of its own, and the buffer is one.
  bool OnRound(uint32_t event_count) override {
    const Napi::Env env = Env();
    const Napi::HandleScope scope(env);
    if (round_.IsEmpty()) return true;
    const std::shared_ptr<Instance> alive = instance_;
    {
      // Of the object Node wants to see nothing is used where there is a context: any will do, and none is made.
      napi_callback_scope opened = nullptr;
      if (napi_open_callback_scope(env, memory_[1].Value(), context_, &opened) != napi_ok) return false;
      const Napi::CallbackScope callback(env, opened);
      napi_value count = Napi::Number::New(env, event_count);
      napi_value result = nullptr;
      const napi_status status = napi_call_function(env, env.Global(), round_.Value(), 1, &count, &result);
      if (status == napi_pending_exception) {
        // A bug of ours: the shard ends the way an uncaught exception ends any thread.
        napi_value error = nullptr;
        if (napi_get_and_clear_last_exception(env, &error) == napi_ok) napi_fatal_exception(env, error);
        return false;
      }
      uint32_t words = 0;
      if (status != napi_ok || napi_get_value_uint32(env, result, &words) != napi_ok) return false;
      alive->engine().Submit(words);
    }
    return !alive->engine().closed();
  }

 private:
  Engine& engine() { return instance_->engine(); }
  static uint32_t Index(const Napi::CallbackInfo& info, size_t i) { return info[i].As<Napi::Number>().Uint32Value(); }
  static int32_t Integer(const Napi::CallbackInfo& info, size_t i) { return info[i].As<Napi::Number>().Int32Value(); }
  Napi::Value Answer(int value) { return Napi::Number::New(Env(), value); }

  void Start(const Napi::CallbackInfo& info) { round_ = Napi::Persistent(info[0].As<Napi::Function>()); }

  void Submit(const Napi::CallbackInfo& info) { engine().Submit(Index(info, 0)); }

  Napi::Value AdoptListener(const Napi::CallbackInfo& info) {
    return Answer(engine().AdoptListener(Index(info, 0), Integer(info, 1)));
  }
  void PauseListener(const Napi::CallbackInfo& info) { engine().PauseListener(Index(info, 0)); }
  void ResumeListener(const Napi::CallbackInfo& info) { engine().ResumeListener(Index(info, 0)); }
  void CloseListener(const Napi::CallbackInfo& info) { engine().CloseListener(Index(info, 0)); }

  Napi::Value RememberAddress(const Napi::CallbackInfo& info) {
    Address address;
    const int error = ParseAddress(Integer(info, 0), info[1].As<Napi::String>().Utf8Value(), Integer(info, 2), address);
    return Answer(error < 0
                      ? error
                      : engine().RememberAddress(address, Integer(info, 3), info[4].As<Napi::String>().Utf8Value()));
  }
  void ForgetAddress(const Napi::CallbackInfo& info) { engine().ForgetAddress(Index(info, 0)); }
  Napi::Value Dial(const Napi::CallbackInfo& info) { return Answer(engine().Dial(Index(info, 0))); }
  Napi::Value Redial(const Napi::CallbackInfo& info) {
    return Answer(engine().Redial(Integer(info, 0), Index(info, 1)));
  }

  // A handle, or the reason why there is none.
  Napi::Value RememberContext(const Napi::CallbackInfo& info) {
    std::string error;
    const int handle = engine().RememberContext(ReadTlsSpec(info[0].As<Napi::Object>()), error);
    if (handle < 0) return Napi::String::New(info.Env(), error);
    return Napi::Number::New(info.Env(), handle);
  }
  void ForgetContext(const Napi::CallbackInfo& info) { engine().ForgetContext(Index(info, 0)); }
  Napi::Value SetTicketKeys(const Napi::CallbackInfo& info) {
    const auto bytes = info[0].As<Napi::Uint8Array>();
    return Napi::Boolean::New(info.Env(), engine().SetTicketKeys({bytes.Data(), bytes.ElementLength()}));
  }
  Napi::Value SecureFailure(const Napi::CallbackInfo& info) {
    const TlsSession* session = engine().SecureSession(Integer(info, 0));
    return Napi::String::New(info.Env(), session == nullptr ? "" : session->failure());
  }
  Napi::Value PeerCertificate(const Napi::CallbackInfo& info) {
    const TlsSession* session = engine().SecureSession(Integer(info, 0));
    const std::string der = session == nullptr ? "" : session->peer_certificate();
    if (der.empty()) return info.Env().Undefined();
    return Napi::Buffer<uint8_t>::Copy(info.Env(), reinterpret_cast<const uint8_t*>(der.data()), der.size());
  }

  Napi::Value Progress(const Napi::CallbackInfo& info) {
    return Napi::Number::New(info.Env(), engine().Progress(Integer(info, 0)));
  }
  Napi::Value Reserve(const Napi::CallbackInfo&) { return Answer(engine().Reserve()); }

  Napi::Value LocalAddress(const Napi::CallbackInfo& info) {
    const std::string text = engine().LocalAddress(Integer(info, 0));
    return text.empty() ? info.Env().Undefined() : Napi::String::New(info.Env(), text);
  }
  Napi::Value IsOpen(const Napi::CallbackInfo& info) {
    return Napi::Boolean::New(info.Env(), engine().IsOpen(Integer(info, 0)));
  }

  void Close(const Napi::CallbackInfo& info) {
    closed_ = Napi::Persistent(info[0].As<Napi::Function>());
    round_.Reset();
    // The caller may forget this object before the handles are closed, and the answer needs it.
    Ref();
    instance_->Close(
        [](void* context) {
          auto* self = static_cast<EngineObject*>(context);
          const Napi::HandleScope scope(self->Env());
          const Napi::Function closed = self->closed_.Value();
          self->closed_.Reset();
          napi_value result = nullptr;
          napi_make_callback(self->Env(), self->context_, self->Env().Global(), closed, 0, nullptr, &result);
          self->Unref();
        },
        this);
  }

  Napi::AsyncContext context_;
  std::array<Napi::ObjectReference, 4> memory_;
  Napi::FunctionReference round_;
  Napi::FunctionReference closed_;
  std::shared_ptr<Instance> instance_;
};

Napi::Value ListenSocketCall(const Napi::CallbackInfo& info) {
  const std::string host = info[0].As<Napi::String>().Utf8Value();
  const int port = info[1].As<Napi::Number>().Int32Value();
  const int family = port < 0 ? 0 : host.find(':') == std::string::npos ? 4 : 6;
  Address address;
  const int error = ParseAddress(family, host, port, address);
  return Napi::Number::New(info.Env(),
                           error < 0 ? error : ListenSocket(address, info[2].As<Napi::Number>().Int32Value()));
}

Napi::Value SocketPortCall(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), SocketPort(info[0].As<Napi::Number>().Int32Value()));
}

Napi::Value DuplicateDescriptorCall(const Napi::CallbackInfo& info) {
  const int fd = ::fcntl(info[0].As<Napi::Number>().Int32Value(), F_DUPFD_CLOEXEC, 0);
  return Napi::Number::New(info.Env(), fd < 0 ? -errno : fd);
}

Napi::Value CloseDescriptorCall(const Napi::CallbackInfo& info) {
  const int error = ::close(info[0].As<Napi::Number>().Int32Value());
  return Napi::Number::New(info.Env(), error < 0 ? -errno : 0);
}

Napi::Value DescriptorLimitCall(const Napi::CallbackInfo& info) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return Napi::Number::New(info.Env(), -errno);
  const rlim_t soft = limit.rlim_cur;
  limit.rlim_cur = limit.rlim_max;
  const bool raised = ::setrlimit(RLIMIT_NOFILE, &limit) == 0;
  return Napi::Number::New(info.Env(), static_cast<double>(raised ? limit.rlim_max : soft));
}

// [ours, theirs], or -errno.
Napi::Value SocketPairCall(const Napi::CallbackInfo& info) {
  UniqueFd ours;
  UniqueFd theirs;
  if (const int error = SocketPair(ours, theirs); error < 0) return Napi::Number::New(info.Env(), error);
  const Napi::Array pair = Napi::Array::New(info.Env(), 2);
  pair.Set(0U, Napi::Number::New(info.Env(), ours.Release()));
  pair.Set(1U, Napi::Number::New(info.Env(), theirs.Release()));
  return pair;
}

Napi::Value SendDescriptorsCall(const Napi::CallbackInfo& info) {
  const auto bytes = info[1].As<Napi::Uint8Array>();
  const auto descriptors = info[2].As<Napi::Int32Array>();
  const int result = SendDescriptors(info[0].As<Napi::Number>().Int32Value(), {bytes.Data(), bytes.ElementLength()},
                                     {descriptors.Data(), descriptors.ElementLength()});
  return Napi::Number::New(info.Env(), result);
}

// { bytes, descriptors }, or -errno.
Napi::Value ReceiveDescriptorsCall(const Napi::CallbackInfo& info) {
  std::vector<uint8_t> bytes;
  std::vector<UniqueFd> descriptors;
  const int result = ReceiveDescriptors(info[0].As<Napi::Number>().Int32Value(),
                                        info[1].As<Napi::Number>().Int32Value(), bytes, descriptors);
  if (result < 0) return Napi::Number::New(info.Env(), result);
  Napi::Int32Array numbers = Napi::Int32Array::New(info.Env(), descriptors.size());
  for (size_t i = 0; i < descriptors.size(); i++) numbers[i] = descriptors[i].Release();
  Napi::Object message = Napi::Object::New(info.Env());
  message.Set("bytes", Napi::Buffer<uint8_t>::Copy(info.Env(), bytes.data(), bytes.size()));
  message.Set("descriptors", numbers);
  return message;
}

Napi::Value ListeningAddressCall(const Napi::CallbackInfo& info) {
  const std::string text = ListeningAddress(info[0].As<Napi::Number>().Int32Value());
  return text.empty() ? info.Env().Undefined() : Napi::String::New(info.Env(), text);
}

Napi::Value SendDatagramCall(const Napi::CallbackInfo& info) {
  const int result = SendDatagram(info[0].As<Napi::String>().Utf8Value(), info[1].As<Napi::String>().Utf8Value());
  return Napi::Number::New(info.Env(), result);
}

template <typename Array>
auto SpanOf(const Napi::Value& value) {
  auto array = value.As<Array>();
  return std::span(array.Data(), array.ElementLength());
}

Napi::Value MaglevBuildCall(const Napi::CallbackInfo& info) {
  const int error = MaglevBuild(SpanOf<Napi::Uint32Array>(info[0]), SpanOf<Napi::Uint32Array>(info[1]),
                                SpanOf<Napi::Uint16Array>(info[2]));
  return Napi::Number::New(info.Env(), error);
}

Napi::Value MaglevLookupCall(const Napi::CallbackInfo& info) {
  const auto table = SpanOf<Napi::Uint16Array>(info[0]);
  if (table.size() != kMaglevSlots) return Napi::Number::New(info.Env(), -EINVAL);
  return Napi::Number::New(info.Env(), MaglevLookup(table, info[1].As<Napi::Number>().Uint32Value()));
}

void MaglevLookupBatchCall(const Napi::CallbackInfo& info) {
  const auto table = SpanOf<Napi::Uint16Array>(info[0]);
  const auto hashes = SpanOf<Napi::Uint32Array>(info[1]);
  const auto endpoints = SpanOf<Napi::Uint16Array>(info[2]);
  if (table.size() == kMaglevSlots && hashes.size() <= endpoints.size()) MaglevLookupBatch(table, hashes, endpoints);
}

Napi::Value ComposeLinesCall(const Napi::CallbackInfo& info) {
  const std::span<const int32_t> parts = SpanOf<Napi::Int32Array>(info[0]);
  const size_t words = std::min<size_t>(parts.size(), info[1].As<Napi::Number>().Uint32Value());
  const ptrdiff_t end =
      ComposeLines(parts.first(words), SpanOf<Napi::Uint8Array>(info[2]), SpanOf<Napi::Uint8Array>(info[3]),
                   SpanOf<Napi::Uint8Array>(info[4]), info[5].As<Napi::Number>().Uint32Value());
  return Napi::Number::New(info.Env(), static_cast<double>(end));
}

Napi::Object Init(Napi::Env env, Napi::Object exports) {
  exports.Set("NativeEngine", EngineObject::Define(env));
  exports.Set("listenSocket", Napi::Function::New<ListenSocketCall>(env));
  exports.Set("socketPort", Napi::Function::New<SocketPortCall>(env));
  exports.Set("duplicateDescriptor", Napi::Function::New<DuplicateDescriptorCall>(env));
  exports.Set("closeDescriptor", Napi::Function::New<CloseDescriptorCall>(env));
  exports.Set("descriptorLimit", Napi::Function::New<DescriptorLimitCall>(env));
  exports.Set("socketPair", Napi::Function::New<SocketPairCall>(env));
  exports.Set("sendDescriptors", Napi::Function::New<SendDescriptorsCall>(env));
  exports.Set("receiveDescriptors", Napi::Function::New<ReceiveDescriptorsCall>(env));
  exports.Set("listeningAddress", Napi::Function::New<ListeningAddressCall>(env));
  exports.Set("sendDatagram", Napi::Function::New<SendDatagramCall>(env));
  exports.Set("maglevBuild", Napi::Function::New<MaglevBuildCall>(env));
  exports.Set("maglevLookup", Napi::Function::New<MaglevLookupCall>(env));
  exports.Set("maglevLookupBatch", Napi::Function::New<MaglevLookupBatchCall>(env));
  exports.Set("composeLines", Napi::Function::New<ComposeLinesCall>(env));
  return exports;
}

NODE_API_MODULE(fourseven, Init)

}  // namespace
}  // namespace fourseven
