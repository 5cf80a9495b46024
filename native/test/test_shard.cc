#include "test_shard.h"

#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "clock.h"

using namespace fourseven;

namespace {

constexpr int64_t kDeadlineMs = 5000;
constexpr int64_t kQuietMs = 20;

}  // namespace

TestShard::TestShard(uint32_t descriptors_max) : engine(MakeDoor(), *this, descriptors_max) { epoll_ = engine.Open(); }

Door TestShard::MakeDoor() {
  slab_ = std::make_unique_for_overwrite<uint8_t[]>(kSlabBytes);
  events_.resize(kEventsMax * kEventWords);
  commands_.resize(kCommandsMaxWords);
  counters_.resize(kCountersLength);
  return {slab_.get(), events_.data(), commands_.data(), counters_.data()};
}

bool TestShard::OnRound(uint32_t event_count) {
  in_round_ = true;
  for (uint32_t i = 0; i < event_count && !engine.closed(); i++) {
    const int32_t* word = events_.data() + i * kEventWords;
    Record record{word[0], word[1], {}, {}};
    std::copy_n(word + 2, 6, record.words);
    if (record.kind == event::kData)
      record.data.assign(reinterpret_cast<const char*>(slab_.get()) + word[2], static_cast<size_t>(word[3]));
    if (on_record) on_record(record);
    records.push_back(std::move(record));
  }
  in_round_ = false;
  engine.Submit(std::exchange(words_, 0));
  scratch_ = 0;
  return true;
}

bool TestShard::Wait(int64_t ms) {
  const int64_t due_ms = engine.DueMs();
  const int64_t until_due_ms = due_ms == Engine::kNeverMs ? due_ms : std::max<int64_t>(0, due_ms - NowMs());
  if (until_due_ms == 0) return true;
  pollfd ready{epoll_, POLLIN, 0};
  return ::poll(&ready, 1, static_cast<int>(std::min(until_due_ms, ms))) > 0 || until_due_ms <= ms;
}

bool TestShard::Until(const std::function<bool()>& done) {
  const int64_t end_ms = NowMs() + kDeadlineMs;
  for (;;) {
    engine.Turn();
    if (done()) return true;
    if (engine.closed() || NowMs() > end_ms) return false;
    // Peers are polled too: what they wait for may need no turn.
    Wait(1);
  }
}

void TestShard::Settle() {
  const int64_t end_ms = NowMs() + kDeadlineMs;
  do {
    engine.Turn();
  } while (Wait(kQuietMs) && NowMs() < end_ms);
}

bool TestShard::Take(int32_t kind, int32_t id, Record& record) {
  const auto found = std::ranges::find_if(
      records, [&](const Record& each) { return each.kind == kind && (id == 0 || each.id == id); });
  if (found == records.end()) return false;
  record = std::move(*found);
  records.erase(found);
  return true;
}

bool TestShard::Next(int32_t kind, int32_t id, Record& record) {
  return Until([&] { return Take(kind, id, record); });
}

bool TestShard::Next(int32_t kind, int32_t id) {
  Record record;
  return Next(kind, id, record);
}

size_t TestShard::CountOf(int32_t id) const {
  return static_cast<size_t>(std::ranges::count_if(records, [id](const Record& each) { return each.id == id; }));
}

std::string TestShard::TakeData(int32_t id) {
  std::string text;
  Record record;
  while (Take(event::kData, id, record)) text += record.data;
  return text;
}

void TestShard::Order(std::initializer_list<int32_t> words) {
  std::copy(words.begin(), words.end(), commands_.begin() + words_);
  words_ += static_cast<uint32_t>(*words.begin() == command::kSend ? words.size() : std::max<size_t>(words.size(), 5));
  if (in_round_) return;
  engine.Submit(std::exchange(words_, 0));
  std::ranges::fill(commands_, 0);
  scratch_ = 0;
}

int32_t TestShard::Scratch(std::string_view text) {
  const uint32_t offset = kScratchOffset + scratch_;
  std::copy(text.begin(), text.end(), slab_.get() + offset);
  scratch_ += static_cast<uint32_t>(text.size());
  return static_cast<int32_t>(offset);
}

void TestShard::Send(int32_t id, std::string_view text, int32_t source, int32_t flags) {
  Order({command::kSend, id, source, flags, 1, Scratch(text), static_cast<int32_t>(text.size())});
}

void TestShard::SendMany(int32_t id, int32_t bytes) {
  std::memset(slab_.get() + kConstantsOffset, 'x', static_cast<size_t>(bytes));
  Order({command::kSend, id, 0, 0, 1, static_cast<int32_t>(kConstantsOffset), bytes});
}

bool TestShard::FillOutput(int32_t id) {
  for (int i = 0; i < 200 && engine.IsOpen(id); i++) {
    SendMany(id, 64 * 1024);
    if (At(id).unsent > 0) return true;
  }
  return false;
}

void TestShard::Hold(int32_t id, std::string_view text) {
  Order({command::kHold, id, Scratch(text), static_cast<int32_t>(text.size()), 0});
}

void TestShard::Secure(int32_t id, int32_t context, std::string_view hello) {
  const int32_t offset = Scratch(hello);
  Order({command::kSecure, id, context, offset, static_cast<int32_t>(hello.size())});
}

void TestShard::Relay(int32_t id, int32_t sink, int64_t bytes) {
  Order({command::kRelay, id, sink, static_cast<int32_t>(bytes), static_cast<int32_t>(bytes >> 32)});
}

void TestShard::Submit(const std::vector<int32_t>& words) {
  const size_t count = std::min<size_t>(words.size(), kCommandsMaxWords);
  std::copy_n(words.begin(), count, commands_.begin());
  engine.Submit(static_cast<uint32_t>(count));
}

double TestShard::ListenerCount(uint32_t listener, uint32_t counter) const {
  return counters_[kCountersListenerOffset + listener * kCountersPerListener + counter];
}

size_t Peer::Write(std::string_view text) {
  size_t written = 0;
  while (written < text.size()) {
    const ssize_t count = ::send(fd_.get(), text.data() + written, text.size() - written, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count <= 0) break;
    written += static_cast<size_t>(count);
  }
  return written;
}

std::string Peer::Read(size_t max) {
  std::string text;
  char bytes[65536];
  while (text.size() < max) {
    const ssize_t count = ::recv(fd_.get(), bytes, std::min(sizeof bytes, max - text.size()), MSG_DONTWAIT);
    if (count < 0 && errno == EAGAIN) break;
    if (count < 0) error = errno;
    if (count <= 0) ended = true;
    if (count <= 0) break;
    text.append(bytes, static_cast<size_t>(count));
  }
  return text;
}

void Peer::HalfClose() { ::shutdown(fd_.get(), SHUT_WR); }

void Peer::Reset() {
  ResetOnClose(fd_.get());
  fd_.Reset();
}

TestListener::TestListener(int family, const std::string& path, int backlog) {
  const std::string host = family == 4 ? "127.0.0.1" : family == 6 ? "::1" : path;
  if (ParseAddress(family, host, 0, address_) != 0) return;
  fd_ = UniqueFd(ListenSocket(address_, backlog));
  if (family == 4) address_.v4.sin_port = htons(static_cast<uint16_t>(SocketPort(fd_.get())));
  if (family == 6) address_.v6.sin6_port = htons(static_cast<uint16_t>(SocketPort(fd_.get())));
}

Peer TestListener::Connect() const {
  bool connected = false;
  return Peer(fourseven::Dial(address_, connected));
}

Peer TestListener::Accept() const {
  pollfd ready{fd_.get(), POLLIN, 0};
  ::poll(&ready, 1, 1000);
  Address peer;
  return Peer(fourseven::Accept(fd_.get(), peer));
}

TestBed::TestBed(uint32_t descriptors_max) : shard(descriptors_max) {
  handle = shard.engine.RememberAddress(upstream.address());
  if (shard.engine.AdoptListener(0, downstream.fd()) != 0) handle = -1;
}

TestBed::Ends TestBed::Accept() {
  Ends ends{downstream.Connect(), 0};
  Record record;
  if (shard.Next(event::kAccepted, 0, record)) ends.id = record.id;
  return ends;
}

TestBed::Ends TestBed::Dial() {
  Ends ends;
  ends.id = shard.engine.Dial(static_cast<uint32_t>(handle));
  ends.peer = upstream.Accept();
  if (!shard.Next(event::kConnected, ends.id) || !ends.peer.open()) ends.id = 0;
  return ends;
}

std::string TestBed::ReadAll(Peer& peer, size_t bytes) {
  std::string text;
  shard.Until([&] {
    text += peer.Read(bytes - text.size());
    return text.size() >= bytes || peer.ended;
  });
  return text;
}

std::string Pattern(size_t length, uint32_t seed) {
  std::string text(length, '\0');
  uint32_t state = seed * 2654435761u + 1;
  for (char& byte : text) {
    state = state * 1664525u + 1013904223u;
    byte = static_cast<char>(state >> 24);
  }
  return text;
}
