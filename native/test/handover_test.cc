#include "handover.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>

#include "check.h"
#include "socket.h"
#include "temporary_folder.h"

namespace {

using fourseven::Address;
using fourseven::kBytesPerMessage;
using fourseven::kDescriptorsPerMessage;
using fourseven::ListeningAddress;
using fourseven::ListenSocket;
using fourseven::ParseAddress;
using fourseven::ReceiveDescriptors;
using fourseven::SendDatagram;
using fourseven::SendDescriptors;
using fourseven::SocketPair;
using fourseven::SocketPort;
using fourseven::UniqueFd;

std::span<const uint8_t> Bytes(const std::string& text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

}  // namespace

TEST(passes_listening_sockets_with_a_message) {
  UniqueFd ours;
  UniqueFd theirs;
  CHECK(SocketPair(ours, theirs) == 0);
  Address address;
  CHECK(ParseAddress(4, "127.0.0.1", 0, address) == 0);
  const UniqueFd listener(ListenSocket(address, 8));
  const std::array<int32_t, 1> sent{listener.get()};
  CHECK(SendDescriptors(ours.get(), Bytes("one"), sent) == 0);
  std::vector<uint8_t> bytes;
  std::vector<UniqueFd> received;
  CHECK(ReceiveDescriptors(theirs.get(), 1000, bytes, received) == 3);
  CHECK(std::string(bytes.begin(), bytes.end()) == "one");
  CHECK(received.size() == 1);
  CHECK(received[0].get() != listener.get());
  CHECK(SocketPort(received[0].get()) == SocketPort(listener.get()));
  CHECK((::fcntl(received[0].get(), F_GETFD) & FD_CLOEXEC) != 0);
  CHECK(ListeningAddress(received[0].get()) == ListeningAddress(listener.get()));
}

TEST(keeps_the_boundaries_of_messages) {
  UniqueFd ours;
  UniqueFd theirs;
  CHECK(SocketPair(ours, theirs) == 0);
  CHECK(SendDescriptors(ours.get(), Bytes("first"), {}) == 0);
  CHECK(SendDescriptors(ours.get(), Bytes("second"), {}) == 0);
  std::vector<uint8_t> bytes;
  std::vector<UniqueFd> received;
  CHECK(ReceiveDescriptors(theirs.get(), 1000, bytes, received) == 5);
  CHECK(ReceiveDescriptors(theirs.get(), 1000, bytes, received) == 6);
  CHECK(received.empty());
}

TEST(does_not_wait_for_ever) {
  UniqueFd ours;
  UniqueFd theirs;
  CHECK(SocketPair(ours, theirs) == 0);
  std::vector<uint8_t> bytes;
  std::vector<UniqueFd> received;
  CHECK(ReceiveDescriptors(theirs.get(), 10, bytes, received) == -ETIMEDOUT);
  ours.Reset();
  CHECK(ReceiveDescriptors(theirs.get(), 1000, bytes, received) == 0);
}

TEST(refuses_more_than_a_message_holds) {
  UniqueFd ours;
  UniqueFd theirs;
  CHECK(SocketPair(ours, theirs) == 0);
  CHECK(SendDescriptors(ours.get(), {}, {}) == -EINVAL);
  CHECK(SendDescriptors(ours.get(), Bytes(std::string(kBytesPerMessage + 1, 'x')), {}) == -EINVAL);
  const std::vector<int32_t> many(kDescriptorsPerMessage + 1, ours.get());
  CHECK(SendDescriptors(ours.get(), Bytes("x"), many) == -EINVAL);
  const std::array<int32_t, 1> closed{-1};
  CHECK(SendDescriptors(ours.get(), Bytes("x"), closed) == -EBADF);
}

TEST(tells_listening_sockets_from_others) {
  UniqueFd ours;
  UniqueFd theirs;
  CHECK(SocketPair(ours, theirs) == 0);
  CHECK(ListeningAddress(ours.get()).empty());
  CHECK(ListeningAddress(-1).empty());
}

TEST(sends_a_datagram_to_a_path) {
  const TemporaryFolder folder;
  const std::string path = folder.Path("notify");
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  const UniqueFd receiver(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  CHECK(::bind(receiver.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0);
  CHECK(SendDatagram(path, "READY=1") == 0);
  char text[16] = {};
  CHECK(::recv(receiver.get(), text, sizeof(text), MSG_DONTWAIT) == 7);
  CHECK(std::string(text) == "READY=1");
  CHECK(SendDatagram(folder.Path("absent"), "READY=1") == -ENOENT);
  CHECK(SendDatagram("", "READY=1") == -EINVAL);
}
