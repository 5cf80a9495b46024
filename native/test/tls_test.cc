// TLS: sessions by themselves, and in the engine, with a client of OpenSSL's at the other end.
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "check.h"
#include "engine.h"
#include "test_shard.h"
#include "tls_context.h"
#include "tls_session.h"

using namespace fourseven;

namespace {

constexpr size_t kMib = 1024 * 1024;
constexpr int kMutations = 10'000;

std::string TextOf(BIO* bio) {
  char* bytes = nullptr;
  const long length = BIO_get_mem_data(bio, &bytes);
  return {bytes, static_cast<size_t>(length)};
}

// A self-signed pair, made anew.
TlsSpec::Pair MakePair() {
  const OpenSslPtr<EVP_PKEY, EVP_PKEY_free> key(EVP_EC_gen("P-256"));
  const OpenSslPtr<X509, X509_free> certificate(X509_new());
  X509_set_version(certificate.get(), 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -3600);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 3600);
  X509_set_pubkey(certificate.get(), key.get());
  X509_NAME* name = X509_get_subject_name(certificate.get());
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>("test"), -1, -1, 0);
  X509_set_issuer_name(certificate.get(), name);
  X509_sign(certificate.get(), key.get(), EVP_sha256());
  const OpenSslPtr<BIO, BIO_free_all> text(BIO_new(BIO_s_mem()));
  const OpenSslPtr<BIO, BIO_free_all> key_text(BIO_new(BIO_s_mem()));
  PEM_write_bio_X509(text.get(), certificate.get());
  PEM_write_bio_PrivateKey(key_text.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr);
  return {TextOf(text.get()), TextOf(key_text.get()), ""};
}

const TlsSpec& ServerSpec() {
  static const TlsSpec spec = [] {
    TlsSpec made;
    made.pairs.push_back(MakePair());
    return made;
  }();
  return spec;
}

TlsSpec ClientSpec() {
  TlsSpec spec;
  spec.is_server = false;
  spec.verify = false;
  return spec;
}

// The client at the other end of a socket.
class TlsPeer {
 public:
  explicit TlsPeer(Peer socket) : socket_(std::move(socket)) {
    std::string error;
    context_ = TlsContext::Create(ClientSpec(), keys_, error);
    session_ = TlsSession::Create(context_);
  }

  Peer& socket() { return socket_; }

  // What it would say first.
  std::string Hello() {
    Step();
    return std::exchange(outgoing_, "");
  }
  // Takes what has come, sends what there is to send.
  void Pump(size_t max = SIZE_MAX) {
    incoming_ += socket_.Read(max);
    Step();
    outgoing_.erase(0, socket_.Write(outgoing_));
  }
  // Sends so many bytes of what there is to send, and takes nothing.
  void Send(size_t length) { outgoing_.erase(0, socket_.Write(std::string_view(outgoing_).substr(0, length))); }
  void Write(std::string_view text) {
    if (text.empty()) return;
    iovec range{const_cast<char*>(text.data()), text.size()};
    failed = !session_->Seal({&range, 1}, text.size(), output_) || failed;
    Collect();
  }
  void End() {
    session_->End(output_);
    Collect();
  }
  [[nodiscard]] bool established() const { return session_->established(); }
  [[nodiscard]] bool ended() const { return session_->peer_ended(); }
  [[nodiscard]] bool has_output() const { return !outgoing_.empty(); }

  std::string plain;
  bool failed = false;

 private:
  void Step() {
    std::span<const uint8_t> input(reinterpret_cast<const uint8_t*>(incoming_.data()), incoming_.size());
    if (!session_->established()) {
      failed = session_->Handshake(input, output_) == TlsSession::Status::kFailed || failed;
    }
    std::vector<uint8_t> bytes(64 * 1024);
    while (session_->established() && !input.empty() && !failed && !session_->peer_ended()) {
      size_t count = 0;
      failed = session_->Open(input, bytes.data(), bytes.size(), count, output_) == TlsSession::Status::kFailed;
      plain.append(reinterpret_cast<const char*>(bytes.data()), count);
    }
    incoming_.erase(0, incoming_.size() - input.size());
    Collect();
  }
  void Collect() {
    outgoing_.append(reinterpret_cast<const char*>(output_.data()), output_.size());
    output_.clear();
  }

  Peer socket_;
  TlsTicketKeys keys_;
  std::shared_ptr<TlsContext> context_;
  std::unique_ptr<TlsSession> session_;
  std::vector<uint8_t> output_;
  std::string incoming_;
  std::string outgoing_;
};

int32_t Context(TestShard& shard) {
  std::string error;
  return shard.engine.RememberContext(ServerSpec(), error);
}

struct SecureEnds {
  std::unique_ptr<TlsPeer> peer;
  int32_t id = 0;
};

// A client and its connection, once TLS is established; id 0 if it is not.
SecureEnds AcceptSecurely(TestBed& bed, int32_t context) {
  auto [socket, id] = bed.Accept();
  SecureEnds ends{std::make_unique<TlsPeer>(std::move(socket)), id};
  bed.shard.Secure(id, context, ends.peer->Hello());
  Record secured;
  const bool done = bed.shard.Until([&] {
    ends.peer->Pump();
    return ends.peer->established() && bed.shard.CountOf(id) > 0;
  });
  if (!done || !bed.shard.Next(event::kSecured, id, secured)) ends.id = 0;
  return ends;
}

// Turns until the client has `length` plain bytes.
bool Receives(TestShard& shard, TlsPeer& peer, size_t length) {
  return shard.Until([&] {
    peer.Pump();
    return peer.plain.size() >= length || peer.failed;
  });
}

// Turns until the shard has `length` bytes of the connection; `received` has what came before, and gets the rest.
bool TakesUpTo(TestShard& shard, TlsPeer& peer, int32_t id, size_t length, std::string& received) {
  return shard.Until([&] {
    peer.Pump();
    received += shard.TakeData(id);
    return received.size() >= length;
  });
}

}  // namespace

TEST(tls_is_spoken_both_ways_and_ends_in_good_order) {
  TestBed bed;
  const auto [peer, id] = AcceptSecurely(bed, Context(bed.shard));
  CHECK(id != 0);
  peer->Write("to the engine");
  peer->Pump();
  Record data;
  CHECK(bed.shard.Next(event::kData, id, data));
  CHECK_EQUAL(data.data, "to the engine");
  bed.shard.Send(id, "and back");
  CHECK(Receives(bed.shard, *peer, 8));
  CHECK_EQUAL(peer->plain, "and back");
  peer->End();
  peer->Pump();
  CHECK(bed.shard.Next(event::kEnd, id));
  bed.shard.Order({command::kClose, id, 0, 0, 0});
  CHECK(bed.shard.Until([&] {
    peer->Pump();
    return peer->ended() && peer->socket().ended;
  }));
  CHECK_EQUAL(bed.shard.inspector.FirstFault(), "");
}

TEST(tls_hello_may_come_in_pieces) {
  TestBed bed;
  auto [socket, id] = bed.Accept();
  TlsPeer peer(std::move(socket));
  const std::string hello = peer.Hello();
  bed.shard.Secure(id, Context(bed.shard), std::string_view(hello).substr(0, 7));
  for (size_t at = 7; at < hello.size(); at += 3) {
    peer.socket().Write(std::string_view(hello).substr(at, 3));
    if (at % 9 == 1) bed.shard.Settle();
  }
  CHECK(bed.shard.Until([&] {
    peer.Pump();
    return peer.established();
  }));
  CHECK(bed.shard.Next(event::kSecured, id));
  CHECK_EQUAL(bed.shard.inspector.FirstFault(), "");
}

TEST(tls_keeps_what_came_with_the_end_of_the_handshake) {
  TestBed bed;
  auto [socket, id] = bed.Accept();
  TlsPeer peer(std::move(socket));
  bed.shard.Secure(id, Context(bed.shard), peer.Hello());
  // The client's last words of the handshake and its first bytes go together.
  CHECK(bed.shard.Until([&] {
    if (!peer.established()) peer.Pump();
    if (peer.established()) {
      peer.Write("at once");
      peer.Pump();
    }
    return peer.established();
  }));
  CHECK(bed.shard.Next(event::kSecured, id));
  Record data;
  CHECK(bed.shard.Next(event::kData, id, data));
  CHECK_EQUAL(data.data, "at once");
}

TEST(tls_keeps_many_records_that_came_with_the_end_of_the_handshake) {
  TestBed bed;
  auto [socket, id] = bed.Accept();
  TlsPeer peer(std::move(socket));
  bed.shard.Secure(id, Context(bed.shard), peer.Hello());
  std::string sent;
  CHECK(bed.shard.Until([&] {
    if (!peer.established()) peer.Pump();
    if (!peer.established()) return false;
    for (int i = 0; i < 40; i++) {
      const std::string record(1000, static_cast<char>('A' + i % 26));
      peer.Write(record);
      sent += record;
    }
    peer.Pump();
    return true;
  }));
  std::string received;
  CHECK(TakesUpTo(bed.shard, peer, id, sent.size(), received));
  CHECK(received == sent);
  CHECK_EQUAL(bed.shard.inspector.FirstFault(), "");
}

TEST(tls_records_may_come_cut_and_joined_anyhow) {
  TestBed bed;
  const auto [peer, id] = AcceptSecurely(bed, Context(bed.shard));
  CHECK(id != 0);
  std::mt19937 random(47);
  std::string sent;
  std::string received;
  for (int round = 0; round < 60; round++) {
    for (uint32_t records = random() % 4; records > 0; records--) {
      const size_t length = random() % 3 == 0 ? random() % 20'000 : random() % 100;
      const std::string record(length, static_cast<char>('a' + round % 26));
      peer->Write(record);
      sent += record;
    }
    peer->Send(random() % 2 == 0 ? random() % 64 : random() % 50'000);
    bed.shard.Settle();
    received += bed.shard.TakeData(id);
  }
  CHECK(TakesUpTo(bed.shard, *peer, id, sent.size(), received));
  CHECK(received == sent);
  CHECK_EQUAL(bed.shard.inspector.FirstFault(), "");
}

TEST(tls_buffers_are_kept_for_the_sessions_used_last) {
  constexpr size_t kSessions = EngineInspector::kBufferedMax + 44;
  constexpr size_t kTurns = 2;
  TestBed bed;
  const int32_t context = Context(bed.shard);
  std::vector<SecureEnds> all;
  while (all.size() < kSessions) {
    all.push_back(AcceptSecurely(bed, context));
    CHECK(all.back().id != 0);
  }
  const auto keeps_buffers = [&](const SecureEnds& ends) { return bed.shard.At(ends.id).buffered; };
  const auto echoes = [&](SecureEnds& ends) {
    ends.peer->plain.clear();
    ends.peer->Write("echo?");
    ends.peer->Pump();
    Record data;
    if (!bed.shard.Next(event::kData, ends.id, data) || data.data != "echo?") return false;
    bed.shard.Send(ends.id, "echo!");
    return Receives(bed.shard, *ends.peer, 5) && ends.peer->plain == "echo!";
  };
  size_t lost = 0;
  for (size_t turn = 0; turn < kTurns; turn++) {
    for (SecureEnds& ends : all) {
      if (!keeps_buffers(all.front())) lost++;
      CHECK(echoes(all.front()));
      CHECK(echoes(ends));
      CHECK(keeps_buffers(ends));
    }
    CHECK_EQUAL(std::ranges::count_if(all, keeps_buffers), static_cast<ptrdiff_t>(EngineInspector::kBufferedMax));
  }
  // Where all have used theirs, one of them has to go, whoever it is.
  CHECK(lost <= kTurns);
  CHECK_EQUAL(bed.shard.inspector.FirstFault(), "");
}

TEST(tls_relays_exactly_n_and_keeps_the_rest) {
  TestBed bed;
  const auto [peer, id] = AcceptSecurely(bed, Context(bed.shard));
  auto [server, up] = bed.Dial();
  const std::string body = Pattern(3 * kMib);
  bed.shard.Relay(id, up, static_cast<int64_t>(body.size()));
  std::string read;
  peer->Write(body);
  peer->Write("what follows");
  CHECK(bed.shard.Until([&] {
    peer->Pump();
    read += server.Read();
    return read.size() >= body.size() && !peer->has_output();
  }));
  CHECK(read == body);
  Record data;
  CHECK(bed.shard.Next(event::kRelayDone, id));
  CHECK(bed.shard.Next(event::kData, id, data));
  CHECK_EQUAL(data.data, "what follows");
  CHECK_EQUAL(bed.shard.inspector.FirstFault(), "");
}

TEST(tls_sink_that_is_slow_holds_its_source_back) {
  TestBed bed;
  const auto [peer, id] = AcceptSecurely(bed, Context(bed.shard));
  const int bytes = 16 * 1024;
  ::setsockopt(peer->socket().fd(), SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
  auto [server, up] = bed.Dial();
  const std::string body = Pattern(24 * kMib);
  bed.shard.Relay(up, id, static_cast<int64_t>(body.size()));
  size_t written = 0;
  for (int quiet = 0; quiet < 3;) {
    const size_t count = server.Write(std::string_view(body).substr(written));
    written += count;
    bed.shard.Settle();
    CHECK_EQUAL(bed.shard.inspector.FirstFault(), "");
    quiet = count == 0 ? quiet + 1 : 0;
  }
  CHECK(written < body.size());
  CHECK(bed.shard.At(id).sealed != nullptr);
  CHECK(bed.shard.Until([&] {
    written += server.Write(std::string_view(body).substr(written));
    peer->Pump();
    return peer->plain.size() >= body.size() || peer->failed;
  }));
  CHECK(peer->plain == body);
  CHECK(bed.shard.Next(event::kRelayDone, up));
}

TEST(tls_tunnel_passes_on_each_end) {
  TestBed bed;
  const auto [peer, id] = AcceptSecurely(bed, Context(bed.shard));
  auto [server, up] = bed.Dial();
  bed.shard.Order({command::kTunnel, id, up, 0, 0});
  peer->Write("up");
  peer->End();
  peer->Pump();
  CHECK_EQUAL(bed.ReadAll(server), "up");
  server.Write("down");
  server.HalfClose();
  CHECK(bed.shard.Until([&] {
    peer->Pump();
    return peer->ended();
  }));
  CHECK_EQUAL(peer->plain, "down");
  CHECK(bed.shard.Next(event::kTunnelClosed, id));
  CHECK_EQUAL(bed.shard.inspector.FirstFault(), "");
}

TEST(tls_client_that_leaves_is_noticed_while_paused) {
  TestBed bed;
  const auto [peer, id] = AcceptSecurely(bed, Context(bed.shard));
  bed.shard.Order({command::kPause, id, 0, 0, 0});
  peer->Write("held");
  peer->Pump();
  bed.shard.Settle();
  CHECK_EQUAL(bed.shard.CountOf(id), 0u);
  bed.shard.Order({command::kResume, id, 0, 0, 0});
  Record data;
  CHECK(bed.shard.Next(event::kData, id, data));
  CHECK_EQUAL(data.data, "held");
  bed.shard.Order({command::kPause, id, 0, 0, 0});
  peer->End();
  peer->Pump();
  CHECK(bed.shard.Next(event::kEnd, id));
}

TEST(tls_handshake_that_breaks_off_is_told) {
  TestBed bed;
  const int32_t context = Context(bed.shard);
  for (const bool resets : {false, true}) {
    auto [socket, id] = bed.Accept();
    TlsPeer peer(std::move(socket));
    bed.shard.Secure(id, context, peer.Hello());
    bed.shard.Settle();
    if (resets) {
      peer.socket().Reset();
    } else {
      peer.socket().HalfClose();
    }
    Record closed;
    CHECK(bed.shard.Next(event::kClosed, id, closed));
    CHECK_EQUAL(closed.words[0], ECONNRESET);
    CHECK_EQUAL(bed.shard.inspector.FirstFault(), "");
  }
  CHECK_EQUAL(bed.shard.Count(counter::kHandshakesFailed), 2);
}

TEST(tls_garbage_after_the_handshake_ends_the_connection) {
  TestBed bed;
  const auto [peer, id] = AcceptSecurely(bed, Context(bed.shard));
  peer->socket().Write("no record at all, but enough to be read as the head of one");
  Record closed;
  CHECK(bed.shard.Next(event::kClosed, id, closed));
  CHECK_EQUAL(closed.words[0], EPROTO);
  CHECK_EQUAL(bed.shard.inspector.FirstFault(), "");
}

TEST(tls_connection_may_be_closed_and_reset_at_any_time) {
  TestBed bed;
  const int32_t context = Context(bed.shard);
  for (int step = 0; step < 12; step++) {
    auto [socket, id] = bed.Accept();
    TlsPeer peer(std::move(socket));
    bed.shard.Secure(id, context, peer.Hello());
    for (int i = 0; i < step / 2; i++) {
      bed.shard.Settle();
      peer.Pump();
    }
    if (step > 6) bed.shard.SendMany(id, 512 * 1024);
    bed.shard.Order({step % 2 == 0 ? command::kClose : command::kReset, id, 0, 0, 0});
    bed.shard.Settle();
    CHECK(!bed.shard.engine.IsOpen(id));
    CHECK_EQUAL(bed.shard.inspector.FirstFault(), "");
  }
}

TEST(tls_session_survives_mutated_hellos) {
  const TlsTicketKeys keys;
  std::string error;
  const auto server = TlsContext::Create(ServerSpec(), keys, error);
  CHECK(server != nullptr);
  TlsSpec spec = ClientSpec();
  spec.alpn = "\x08http/1.1";
  const auto client = TlsContext::Create(spec, keys, error);
  std::mt19937 dice(7);
  int answered = 0;
  for (int i = 0; i < kMutations; i++) {
    std::vector<uint8_t> hello;
    std::span<const uint8_t> nothing;
    const auto sender = TlsSession::Create(client, nullptr, "a.test");
    CHECK(sender->Handshake(nothing, hello) == TlsSession::Status::kMore);
    const uint32_t changes = dice() % 4;
    for (uint32_t change = 0; change < changes; change++) hello[dice() % hello.size()] = static_cast<uint8_t>(dice());
    if (dice() % 8 == 0) hello.resize(dice() % hello.size());
    const auto session = TlsSession::Create(server);
    std::vector<uint8_t> output;
    TlsSession::Status status = TlsSession::Status::kMore;
    for (size_t at = 0; at < hello.size() && status == TlsSession::Status::kMore;) {
      const size_t length = std::min<size_t>(1 + dice() % hello.size(), hello.size() - at);
      std::span<const uint8_t> input(hello.data() + at, length);
      status = session->Handshake(input, output);
      at += length;
    }
    CHECK(status != TlsSession::Status::kDone);
    if (changes == 0 && status == TlsSession::Status::kMore && !output.empty()) answered++;
  }
  CHECK(answered > kMutations / 8);
}

TEST(tls_engine_survives_mutated_hellos_and_serves_the_others) {
  TestBed bed;
  const int32_t context = Context(bed.shard);
  const auto [healthy, id] = AcceptSecurely(bed, context);
  std::mt19937 dice(9);
  for (int i = 0; i < 300; i++) {
    auto [socket, other] = bed.Accept();
    TlsPeer peer(std::move(socket));
    std::string hello = peer.Hello();
    for (int change = 0; change < 3; change++) hello[dice() % hello.size()] = static_cast<char>(dice());
    const size_t cut = dice() % hello.size();
    bed.shard.Secure(other, context, std::string_view(hello).substr(0, cut));
    peer.socket().Write(std::string_view(hello).substr(cut));
    if (dice() % 2 == 0) peer.socket().Close();
    if (i % 25 != 0) continue;
    bed.shard.Send(id, "?");
    healthy->plain.clear();
    CHECK(Receives(bed.shard, *healthy, 1));
    CHECK_EQUAL(bed.shard.inspector.FirstFault(), "");
  }
}
