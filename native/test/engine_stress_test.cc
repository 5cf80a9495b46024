// Random commands, sensible and senseless, against random peers: after every turn all that must hold is checked, and
// pairs that nobody disturbs must get every byte.
//
//   FOURSEVEN_STRESS_SECONDS=300 FOURSEVEN_STRESS_SEED=7 native_tests stress
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "check.h"
#include "clock.h"
#include "engine.h"
#include "temporary_folder.h"
#include "test_shard.h"

using namespace fourseven;

namespace {

constexpr int64_t kDefaultSeconds = 4;
constexpr int kStepsPerSeed = 600;
constexpr size_t kPeersMax = 24;
constexpr size_t kIdsMax = 64;
constexpr size_t kStreamBytes = 3 * 1024 * 1024;

int64_t FromEnvironment(const char* name, int64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoll(text, nullptr, 10);
}

// Two connections that nobody disturbs: all that is written at one end must come out at the other.
struct Stream {
  TestBed::Ends down;
  TestBed::Ends up;
  bool relays = false;  // by relays of random lengths; else by one tunnel
  bool relay_runs = false;
  size_t ordered = 0;
  size_t written = 0;
  size_t read = 0;
};

class Stress {
 public:
  explicit Stress(uint32_t seed)
      : random_(seed),
        bed_(60 + Below(100)),
        unix_listener_(0, folder_.Path("s"), 4),
        text_(Pattern(kStreamBytes, seed)) {
    Engine& engine = bed_.shard.engine;
    if (engine.AdoptListener(1, unix_listener_.fd()) != 0) fault_ = "the unix listener was not adopted";
    TestListener refused;
    handles_.push_back(bed_.handle);
    handles_.push_back(engine.RememberAddress(unix_upstream_.address()));
    handles_.push_back(engine.RememberAddress(refused.address()));
    handles_.push_back(99);
    bed_.shard.on_record = [this](const Record& record) { OnRecord(record); };
  }

  // The first fault; empty if there was none.
  std::string Run() {
    for (const bool relays : {false, true}) StartStream(relays);
    for (int step = 0; step < kStepsPerSeed && fault_.empty(); step++) {
      Step();
      Turn();
    }
    for (int i = 0; i < 3000 && fault_.empty() && !StreamsAreDone(); i++) {
      MoveStreams();
      Turn();
    }
    if (fault_.empty() && !StreamsAreDone()) fault_ = "a stream came to a stand-still";
    return fault_;
  }

 private:
  uint32_t Below(uint32_t limit) { return static_cast<uint32_t>(random_() % limit); }
  bool Chance(uint32_t percent) { return Below(100) < percent; }

  void Turn() {
    if (Chance(90)) bed_.shard.engine.Turn();
    bed_.shard.records.clear();
    if (fault_.empty()) fault_ = bed_.shard.inspector.FirstFault();
  }

  void Step() {
    switch (Below(8)) {
      case 0:
        AddPeer();
        break;
      case 1:
        Dial();
        break;
      case 2:
      case 3:
        MovePeer();
        break;
      case 4:
        MoveStreams();
        break;
      case 5:
        ChangeListener();
        break;
      default:
        for (uint32_t i = Below(6); i > 0; i--) Command();
    }
  }

  // --- peers

  void AddPeer() {
    Peer peer = Chance(50) ? bed_.downstream.Connect() : unix_listener_.Connect();
    if (peer.open()) Keep(std::move(peer));
  }

  void Keep(Peer peer) {
    const int size = 4096 << Below(6);
    if (Chance(50)) ::setsockopt(peer.fd(), SOL_SOCKET, Chance(50) ? SO_RCVBUF : SO_SNDBUF, &size, sizeof size);
    if (peers_.size() < kPeersMax) {
      peers_.push_back(std::move(peer));
    } else {
      peers_[Below(kPeersMax)] = std::move(peer);
    }
  }

  void TakeDialed() {
    for (const TestListener* listener : {&bed_.upstream, &unix_upstream_}) {
      Address from;
      const int fd = fourseven::Accept(listener->fd(), from);
      if (fd >= 0) Keep(Peer(fd));
    }
  }

  void MovePeer() {
    TakeDialed();
    if (peers_.empty()) return;
    const size_t at = Below(static_cast<uint32_t>(peers_.size()));
    Peer& peer = peers_[at];
    switch (Below(8)) {
      case 0:
        peer.HalfClose();
        break;
      case 1:
        if (Chance(30)) peer.Reset();
        break;
      case 2:
        if (Chance(30)) peer.Close();
        break;
      case 3:
      case 4:
        peer.Write(std::string_view(text_).substr(0, size_t{1} << Below(21)));
        break;
      default:
        peer.Read(size_t{1} << Below(22));
    }
    if (peer.open()) return;
    std::swap(peer, peers_.back());
    peers_.pop_back();
  }

  // --- commands

  void OnRecord(const Record& record) {
    if (record.kind == event::kAccepted && !IsOfStream(record.id)) Remember(record.id);
    for (Stream& stream : streams_) {
      if (record.id != stream.down.id && record.id != stream.up.id) continue;
      if (record.kind == event::kRelayDone) {
        stream.relay_runs = false;
      } else if (record.kind != event::kAccepted && record.kind != event::kConnected) {
        fault_ = "event " + std::to_string(record.kind) + " of a stream that nobody disturbed";
      }
    }
    if (Chance(20)) Command();
    if (Chance(2)) Dial();
  }

  void Remember(int32_t id) {
    if (ids_.size() < kIdsMax) {
      ids_.push_back(id);
    } else {
      ids_[Below(kIdsMax)] = id;
    }
  }

  bool IsOfStream(int32_t id) const {
    return std::ranges::any_of(streams_, [id](const Stream& each) { return each.down.id == id || each.up.id == id; });
  }

  // Of a connection that lives or lived; at times of nobody.
  int32_t AnyId() {
    if (ids_.empty() || Chance(3)) return std::array{0, -1, INT_MAX, INT_MIN}[Below(4)];
    return ids_[Chance(50) ? ids_.size() - 1 - Below(static_cast<uint32_t>(std::min<size_t>(ids_.size(), 8)))
                           : Below(static_cast<uint32_t>(ids_.size()))];
  }

  int32_t AnyNumber() {
    constexpr std::array kNumbers{0, 1, -1, INT_MAX, INT_MIN, 65536, 300'000, 2'000'000};
    return Chance(70) ? static_cast<int32_t>(Below(5000)) : kNumbers[Below(kNumbers.size())];
  }

  void Dial() {
    Engine& engine = bed_.shard.engine;
    const auto handle = static_cast<uint32_t>(handles_[Below(4)]);
    if (Chance(70)) {
      const int id = engine.Dial(handle);
      if (id > 0) Remember(id);
    } else {
      static_cast<void>(engine.Redial(AnyId(), handle));
    }
  }

  void Command() {
    const int32_t id = AnyId();
    const int32_t other = Chance(10) ? id : AnyId();
    const int32_t op = static_cast<int32_t>(Below(14));
    if (op == command::kSend) {
      Send(id, other);
    } else if (op == command::kRelay) {
      const bool until_end = Chance(20);
      bed_.shard.Order({op, id, other, until_end ? -1 : AnyNumber(), until_end ? -1 : Chance(90) ? 0 : AnyNumber()});
    } else if (op == command::kTunnel) {
      bed_.shard.Order({op, id, other, Chance(50) ? 0 : AnyNumber(), 0});
    } else if (op == command::kHold) {
      bed_.shard.Order({op, id, AnyNumber(), AnyNumber(), 0});
    } else if (op == command::kReplay) {
      bed_.shard.Order({op, id, other, 0, 0});
    } else if ((op == command::kClose || op == command::kReset) && Chance(60)) {
      // Not so often that nothing lives.
    } else {
      bed_.shard.Order({op, id, Chance(50) ? static_cast<int32_t>(Below(2)) : AnyNumber(), AnyNumber(), 0});
    }
  }

  void Send(int32_t id, int32_t source) {
    const int32_t flags = static_cast<int32_t>(Below(2));
    const int32_t offset = static_cast<int32_t>(Below(kSlabBytes));
    const int32_t length = Chance(10) ? AnyNumber() : static_cast<int32_t>(1u << Below(18));
    if (Chance(50)) {
      bed_.shard.Order({command::kSend, id, source, flags, 1, offset, length});
    } else {
      bed_.shard.Order({command::kSend, id, source, flags, 3, 0, length, 0, 0, 9, 7});
    }
  }

  void ChangeListener() {
    Engine& engine = bed_.shard.engine;
    const uint32_t listener = Below(3);
    switch (Below(4)) {
      case 0:
        engine.PauseListener(listener);
        break;
      case 1:
        engine.CloseListener(listener);
        break;
      default:
        engine.ResumeListener(listener);
        static_cast<void>(engine.AdoptListener(0, bed_.downstream.fd()));
        static_cast<void>(engine.AdoptListener(1, unix_listener_.fd()));
    }
  }

  // --- streams

  void StartStream(bool relays) {
    Stream stream;
    // Its ids are known before their events come.
    const auto on_record = std::exchange(bed_.shard.on_record, nullptr);
    stream.down = bed_.Accept();
    stream.up = bed_.Dial();
    bed_.shard.on_record = on_record;
    stream.relays = relays;
    if (stream.down.id == 0 || stream.up.id == 0) fault_ = "a stream did not start";
    if (!relays) bed_.shard.Order({command::kTunnel, stream.down.id, stream.up.id, 0, 0});
    streams_.push_back(std::move(stream));
  }

  void MoveStreams() {
    for (Stream& stream : streams_) {
      if (stream.relays && !stream.relay_runs && stream.ordered < kStreamBytes) {
        const size_t length = std::min<size_t>(kStreamBytes - stream.ordered, 1 + Below(1u << Below(22)));
        stream.relay_runs = true;
        stream.ordered += length;
        bed_.shard.Relay(stream.down.id, stream.up.id, static_cast<int64_t>(length));
      }
      // No more than was ordered: what is beyond it would be DATA.
      const size_t limit = stream.relays ? stream.ordered : kStreamBytes;
      const size_t length = std::min<size_t>(limit - stream.written, 1 + Below(1u << Below(22)));
      stream.written += stream.down.peer.Write(std::string_view(text_).substr(stream.written, length));
      const std::string read = stream.up.peer.Read(1 + Below(1u << Below(22)));
      if (text_.compare(stream.read, read.size(), read) != 0) fault_ = "a stream has other bytes than were sent";
      stream.read += read.size();
    }
  }

  bool StreamsAreDone() const {
    return std::ranges::all_of(streams_, [](const Stream& stream) { return stream.read == kStreamBytes; });
  }

  std::mt19937 random_;
  TemporaryFolder folder_;
  TestBed bed_;
  TestListener unix_listener_;
  TestListener unix_upstream_{0, folder_.Path("u"), 4};
  std::string text_;
  std::vector<int32_t> handles_;
  std::vector<Peer> peers_;
  std::vector<int32_t> ids_;
  std::vector<Stream> streams_;
  std::string fault_;
};

}  // namespace

TEST(engine_bears_the_stress_of_random_commands_and_peers) {
  const int64_t end_ms = NowMs() + 1000 * FromEnvironment("FOURSEVEN_STRESS_SECONDS", kDefaultSeconds);
  uint32_t seed = static_cast<uint32_t>(FromEnvironment("FOURSEVEN_STRESS_SEED", 1));
  for (; NowMs() < end_ms; seed++) {
    const std::string fault = Stress(seed).Run();
    if (!fault.empty()) check_result.failure = "seed " + std::to_string(seed) + ": " + fault;
    if (!fault.empty()) return;
  }
}
