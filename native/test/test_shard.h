// A shard for tests, and the peers it talks to: an engine without Node, driven turn by turn over loopback sockets.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine.h"
#include "engine_inspector.h"
#include "unique_fd.h"

// An event, with the bytes of a DATA.
struct Record {
  int32_t kind = 0;
  int32_t id = 0;
  int32_t words[6] = {};
  std::string data;
};

class TestShard final : public fourseven::Shard {
 private:
  // First: the engine is made with them.
  std::unique_ptr<uint8_t[]> slab_;
  std::vector<int32_t> events_;
  std::vector<int32_t> commands_;
  std::vector<double> counters_;

 public:
  explicit TestShard(uint32_t descriptors_max = 1000);

  fourseven::Engine engine;
  fourseven::EngineInspector inspector{engine};
  // All events, in order, less those taken.
  std::deque<Record> records;
  // Called for each event within its round, before it is put into `records`; may order, dial and close.
  std::function<void(const Record&)> on_record;

  bool OnRound(uint32_t event_count) override;

  // Turns until `done`, or until 5 s have passed (false).
  bool Until(const std::function<bool()>& done);
  // Turns until nothing more comes for 20 ms.
  void Settle();
  // Waits for an event of a connection, and takes it. False after 5 s.
  bool Next(int32_t kind, int32_t id, Record& record);
  bool Next(int32_t kind, int32_t id);
  // Events left that are of the connection.
  [[nodiscard]] size_t CountOf(int32_t id) const;
  // Bytes of all DATA of a connection so far, taken.
  std::string TakeData(int32_t id);

  // Orders one command: at once, or with the round.
  void Order(std::initializer_list<int32_t> words);
  void Send(int32_t id, std::string_view text, int32_t source = 0, int32_t flags = 0);
  // A SEND of `bytes` times the same byte, all out of one range of the slab.
  void SendMany(int32_t id, int32_t bytes);
  // Makes the connection wait for its peer: sends until bytes are left over. False if there never are.
  bool FillOutput(int32_t id);
  void Hold(int32_t id, std::string_view text);
  void Secure(int32_t id, int32_t context, std::string_view hello);
  void Relay(int32_t id, int32_t sink, int64_t bytes);
  // Submits the words as they are.
  void Submit(const std::vector<int32_t>& words);

  [[nodiscard]] double Count(uint32_t counter) const { return counters_[counter]; }
  [[nodiscard]] double ListenerCount(uint32_t listener, uint32_t counter) const;
  [[nodiscard]] fourseven::Connection& At(int32_t id) { return inspector.At(id); }

 private:
  fourseven::Door MakeDoor();
  int32_t Scratch(std::string_view text);
  bool Take(int32_t kind, int32_t id, Record& record);
  // Waits for the engine to have work; false after `ms`.
  bool Wait(int64_t ms);

  int epoll_ = -1;
  bool in_round_ = false;
  uint32_t words_ = 0;
  uint32_t scratch_ = 0;
};

// The other end of a connection. Never blocks.
class Peer {
 public:
  Peer() = default;
  explicit Peer(int fd) : fd_(fd) {}

  // Writes what the socket takes; returns how much.
  size_t Write(std::string_view text);
  // Reads what is there, at most `max`; notes the end and an error.
  std::string Read(size_t max = SIZE_MAX);
  void HalfClose();
  void Reset();
  void Close() { fd_.Reset(); }
  [[nodiscard]] bool open() const { return fd_.valid(); }
  [[nodiscard]] int fd() const { return fd_.get(); }

  bool ended = false;
  int error = 0;  // of the last read

 private:
  fourseven::UniqueFd fd_;
};

// A listening socket of the test's own.
class TestListener {
 public:
  // Family 4 or 6 on loopback, or 0 with a path.
  explicit TestListener(int family = 4, const std::string& path = "", int backlog = 128);

  [[nodiscard]] int fd() const { return fd_.get(); }
  [[nodiscard]] const fourseven::Address& address() const { return address_; }
  // Connects to it, at once (loopback).
  [[nodiscard]] Peer Connect() const;
  [[nodiscard]] Peer Accept() const;
  void Close() { fd_.Reset(); }

 private:
  fourseven::UniqueFd fd_;
  fourseven::Address address_;
};

// A shard with one listener (index 0), and one address to dial.
struct TestBed {
  explicit TestBed(uint32_t descriptors_max = 1000);

  TestListener downstream;
  TestListener upstream;
  TestShard shard;
  int handle;

  struct Ends {
    Peer peer;
    int32_t id = 0;
  };
  // An accepted connection; id 0 if it failed.
  Ends Accept();
  // A dialed one, connected; id 0 if it failed.
  Ends Dial();
  // Reads from the peer until it has `bytes`, an end, or 5 s have passed.
  std::string ReadAll(Peer& peer, size_t bytes = SIZE_MAX);
};

// `length` bytes that differ with their position and the seed.
std::string Pattern(size_t length, uint32_t seed = 1);
