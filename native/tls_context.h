// What TLS connections of one kind have in common: certificates, rules, trust, tickets. OpenSSL's functions come from
// the Node binary that loads us (nothing is linked), so only what its 3.x headers declare is used.
#pragma once

#include <openssl/ssl.h>

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace fourseven {

template <auto Free>
struct OpenSslFree {
  template <typename T>
  void operator()(T* object) const {
    Free(object);
  }
};
template <typename T, auto Free>
using OpenSslPtr = std::unique_ptr<T, OpenSslFree<Free>>;

// Keys for session tickets (RFC 5077, RFC 8446 section 4.6.1): the first seals, all open. The same in every shard, so
// that a client may come back to any of them.
class TlsTicketKeys {
 public:
  static constexpr size_t kNameBytes = 16;
  static constexpr size_t kSecretBytes = 32;
  static constexpr size_t kKeyBytes = kNameBytes + kSecretBytes;
  static constexpr size_t kMax = 4;
  struct Key {
    std::array<uint8_t, kNameBytes> name;
    std::array<uint8_t, kSecretBytes> secret;
  };

  // Random ones, until others are set.
  TlsTicketKeys();
  // `bytes`: up to kMax keys of kKeyBytes, the newest first. False if it is anything else.
  [[nodiscard]] bool Set(std::span<const uint8_t> bytes);
  [[nodiscard]] const Key& newest() const { return keys_.front(); }
  // nullptr if no key has this name.
  [[nodiscard]] const Key* Find(const uint8_t* name) const;

 private:
  std::vector<Key> keys_;
};

enum class ClientCertificate : uint8_t { kOff, kRequest, kRequire };

struct TlsSpec {
  // A certificate with its chain and its key (PEM), and perhaps a stapled OCSP response (DER).
  struct Pair {
    std::string certificate;
    std::string key;
    std::string ocsp;
  };
  static constexpr size_t kIdentityBytes = 32;

  bool is_server = true;
  // Server: at least one, of different key types. Client: none or one.
  std::vector<Pair> pairs;
  int min_version = TLS1_2_VERSION;
  // Of TLS 1.2, in OpenSSL's notation; empty: the ones with forward secrecy and authenticated encryption.
  std::string ciphers;
  // Protocol names as ALPN has them (RFC 7301 section 3.1), the best first. Empty: none.
  std::string alpn;
  // PEM. Server: who signs clients' certificates. Client: whom to believe.
  std::string authorities;
  ClientCertificate client_certificate = ClientCertificate::kOff;
  // Client: whether the server must prove who it is.
  bool verify = true;
  // What a session is bound to: none is resumed under another one.
  std::array<uint8_t, kIdentityBytes> identity{};
};

class TlsContext {
 public:
  // nullptr with a reason in `error`. `keys` must outlive the context.
  [[nodiscard]] static std::shared_ptr<TlsContext> Create(const TlsSpec& spec, const TlsTicketKeys& keys,
                                                          std::string& error);
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;

  [[nodiscard]] SSL_CTX* get() const { return context_.get(); }
  [[nodiscard]] const BIO_METHOD* transport() const { return transport_.get(); }
  [[nodiscard]] bool is_server() const { return is_server_; }

 private:
  TlsContext(const TlsSpec& spec, const TlsTicketKeys& keys);
  bool Configure(const TlsSpec& spec, std::string& error);
  bool AddPair(const TlsSpec::Pair& pair, std::string& error);
  bool Trust(const TlsSpec& spec, std::string& error);

  static int SelectAlpn(SSL* ssl, const unsigned char** out, unsigned char* out_length, const unsigned char* in,
                        unsigned int in_length, void* self);
  static int SealTicket(SSL* ssl, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac,
                        int seals);
  static int StapleOcsp(SSL* ssl, void* self);
  [[nodiscard]] std::array<uint8_t, 64> TicketSecret(const TlsTicketKeys::Key& key) const;

  OpenSslPtr<SSL_CTX, SSL_CTX_free> context_;
  OpenSslPtr<BIO_METHOD, BIO_meth_free> transport_;
  const TlsTicketKeys& keys_;
  const bool is_server_;
  const bool verify_;
  const std::string alpn_;
  const std::array<uint8_t, TlsSpec::kIdentityBytes> identity_;
  // By the certificate they are for.
  std::vector<std::pair<OpenSslPtr<X509, X509_free>, std::string>> ocsp_;
};

}  // namespace fourseven
