// Feeds arbitrary bytes to an engine as command buffers, with live connections for them to hit, and looks inside after
// every turn. Built with -DFOURSEVEN_FUZZ=ON (clang), with both sanitizers:
//
//   CXX=clang++ cmake -S native -B build-native/fuzz -DFOURSEVEN_FUZZ=ON -DCMAKE_BUILD_TYPE=RelWithDebInfo
//   cmake --build build-native/fuzz --target commands_fuzz && build-native/fuzz/commands_fuzz -max_total_time=180
#include <algorithm>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "../test/temporary_folder.h"
#include "../test/test_shard.h"
#include "engine.h"

using namespace fourseven;

namespace {

constexpr size_t kAccepted = 4;
constexpr size_t kDialed = 4;
// A turn after so many words, so that one input sees several rounds.
constexpr size_t kWordsPerTurn = 40;

// Sockets that outlive an input. Unix ones: nothing lingers in the kernel.
struct World {
  TemporaryFolder folder;
  TestListener downstream{0, folder.Path("down"), 64};
  TestListener upstream{0, folder.Path("up"), 64};
};

World& TheWorld() {
  static World world;
  return world;
}

// Ids are few and predictable, yet a fuzzer finds none of 31 bits by chance: small numbers stand for them.
int32_t IdFor(int32_t word, const std::vector<int32_t>& ids) {
  return word >= 0 && static_cast<size_t>(word) < ids.size() ? ids[static_cast<size_t>(word)] : word;
}

void MovePeers(std::vector<Peer>& peers, uint32_t dice) {
  for (Peer& peer : peers) {
    if (!peer.open()) continue;
    switch (dice % 8) {
      case 0:
        peer.Write("some bytes");
        break;
      case 1:
        peer.HalfClose();
        break;
      case 2:
        peer.Close();
        break;
      case 3:
      case 4:
        peer.Read();
        break;
      default:
        break;
    }
    dice = dice / 8 + dice * 2654435761u;
  }
}

void Turn(TestShard& shard) {
  shard.engine.Turn();
  shard.records.clear();
  const std::string fault = shard.inspector.FirstFault();
  if (fault.empty()) return;
  std::fprintf(stderr, "%s\n", fault.c_str());
  std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerInitialize(int* /*argc*/, char*** /*argv*/) {
  std::signal(SIGPIPE, SIG_IGN);
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::vector<int32_t> words(size / sizeof(int32_t));
  if (words.empty()) return -1;
  std::memcpy(words.data(), data, words.size() * sizeof(int32_t));
  World& world = TheWorld();
  TestShard shard(200);
  if (shard.engine.AdoptListener(0, world.downstream.fd()) != 0) return -1;
  const int handle = shard.engine.RememberAddress(world.upstream.address());
  std::vector<Peer> peers;
  std::vector<int32_t> ids;
  for (size_t i = 0; i < kAccepted; i++) peers.push_back(world.downstream.Connect());
  shard.on_record = [&](const Record& record) {
    if (record.kind == event::kAccepted) ids.push_back(record.id);
  };
  shard.engine.Turn();
  for (size_t i = 0; i < kDialed; i++) {
    ids.push_back(shard.engine.Dial(static_cast<uint32_t>(handle)));
    peers.push_back(world.upstream.Accept());
  }
  for (size_t at = 0; at < words.size(); at += kWordsPerTurn) {
    std::vector<int32_t> commands(words.begin() + static_cast<ptrdiff_t>(at),
                                  words.begin() + static_cast<ptrdiff_t>(std::min(at + kWordsPerTurn, words.size())));
    const auto dice = static_cast<uint32_t>(commands.back());
    // Of plain commands only: what follows a SEND is as it comes.
    for (size_t i = 0; i + 2 < commands.size(); i += 5) {
      commands[i + 1] = IdFor(commands[i + 1], ids);
      commands[i + 2] = IdFor(commands[i + 2], ids);
    }
    shard.Submit(commands);
    Turn(shard);
    MovePeers(peers, dice);
    Turn(shard);
  }
  return 0;
}
