// TLS of one connection: bytes of the peer in, bytes for the peer out. It touches no socket.
#pragma once

#include <openssl/ssl.h>
#include <sys/uio.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "tls_context.h"

namespace fourseven {

// The last session with a server, for the next connections to it. One may serve several: not every server gives a new
// ticket for one that was used, and an endpoint that recognizes its proxy learns nothing (RFC 8446 appendix C.4).
class TlsResumption {
 public:
  void Keep(SSL_SESSION* session) { session_.reset(session); }
  // A copy, for one connection: OpenSSL lets nobody resume the same object of TLS 1.3 twice. Or nullptr.
  [[nodiscard]] OpenSslPtr<SSL_SESSION, SSL_SESSION_free> Last() const {
    return OpenSslPtr<SSL_SESSION, SSL_SESSION_free>(session_ == nullptr ? nullptr : SSL_SESSION_dup(session_.get()));
  }

 private:
  OpenSslPtr<SSL_SESSION, SSL_SESSION_free> session_;
};

class TlsSession {
 public:
  enum class Status : uint8_t { kDone, kMore, kEnded, kFailed };
  // A record with its overhead (RFC 8446 section 5.2, RFC 5246 section 6.2.3); what one may add to the plain bytes of
  // what came with it.
  static constexpr size_t kRecordMaxBytes = 16384;
  static constexpr size_t kCipherRecordMaxBytes = kRecordMaxBytes + 2048 + 5;

  // nullptr if OpenSSL has no memory. Client: `resumption` is where sessions are kept, `server_name` (a host name or an
  // IP address) what the server is to be called; empty: nobody asks.
  [[nodiscard]] static std::unique_ptr<TlsSession> Create(std::shared_ptr<const TlsContext> context,
                                                          std::shared_ptr<TlsResumption> resumption = nullptr,
                                                          const std::string& server_name = "");
  TlsSession(const TlsSession&) = delete;
  TlsSession& operator=(const TlsSession&) = delete;

  // Goes on with the handshake. `input` is moved past what was read; what is to be sent is added to `output`. kDone:
  // established; kMore: the peer has the word; kFailed: see failure().
  [[nodiscard]] Status Handshake(std::span<const uint8_t>& input, std::vector<uint8_t>& output);
  // Opens all of `input`, or up to `capacity` plain bytes of it: `count` of them stand at `plain` afterwards. kMore:
  // all is opened; kEnded: the peer has said that it sends no more; kDone: `plain` is full.
  [[nodiscard]] Status Open(std::span<const uint8_t>& input, uint8_t* plain, size_t capacity, size_t& count,
                            std::vector<uint8_t>& output);
  // Adds records with these bytes to `output`. False if that failed.
  [[nodiscard]] bool Seal(std::span<const iovec> ranges, size_t total, std::vector<uint8_t>& output);
  // Says that nothing follows (close_notify). Once.
  void End(std::vector<uint8_t>& output);
  // Gives the memory of records back to the heap, until the session is used again; that of a record that has come in
  // part stays.
  void ReleaseBuffers() { SSL_free_buffers(ssl_.get()); }

  // Whether Handshake was called: a client has the first word.
  [[nodiscard]] bool begun() const { return begun_; }
  [[nodiscard]] bool established() const { return established_; }
  [[nodiscard]] bool ended() const { return ended_; }
  [[nodiscard]] bool peer_ended() const { return peer_ended_; }
  [[nodiscard]] bool is_server() const { return context_->is_server(); }
  // Whether the certificate of the server was not believed.
  [[nodiscard]] bool distrusted() const { return distrusted_; }
  [[nodiscard]] const std::string& failure() const { return failure_; }
  [[nodiscard]] int version() const { return SSL_version(ssl_.get()); }
  [[nodiscard]] bool resumed() const { return SSL_session_reused(ssl_.get()) == 1; }
  // Empty: none was agreed on.
  [[nodiscard]] std::string alpn() const;
  [[nodiscard]] bool has_peer_certificate() const { return SSL_get0_peer_certificate(ssl_.get()) != nullptr; }
  // DER; empty if the peer showed none.
  [[nodiscard]] std::string peer_certificate() const;

  static void DefineTransport(BIO_METHOD* method);
  static int KeepForResumption(SSL* ssl, SSL_SESSION* session);

 private:
  TlsSession(std::shared_ptr<const TlsContext> context, std::shared_ptr<TlsResumption> resumption);
  bool Start(const std::string& server_name);
  bool Expect(const std::string& server_name);
  Status Judge(int result);
  static int ReadTransport(BIO* bio, char* bytes, int length);
  static int WriteTransport(BIO* bio, const char* bytes, int length);
  static long ControlTransport(BIO* bio, int command, long number, void* pointer);

  // First: what the others use.
  std::shared_ptr<const TlsContext> context_;
  std::shared_ptr<TlsResumption> resumption_;
  OpenSslPtr<SSL, SSL_free> ssl_;
  // During a call only.
  std::span<const uint8_t> input_;
  std::vector<uint8_t>* output_ = nullptr;
  std::string failure_;
  bool begun_ = false;
  bool established_ = false;
  bool ended_ = false;
  bool peer_ended_ = false;
  bool distrusted_ = false;
};

}  // namespace fourseven
