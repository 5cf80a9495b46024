#include "tls_context.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <cstring>

#include "tls_session.h"

namespace fourseven {
namespace {

using BioPtr = OpenSslPtr<BIO, BIO_free_all>;
using X509Ptr = OpenSslPtr<X509, X509_free>;
using KeyPtr = OpenSslPtr<EVP_PKEY, EVP_PKEY_free>;

// Of Mozilla's "intermediate" profile: forward secrecy and authenticated encryption only.
constexpr const char* kUsualCiphers =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";

// All are good; with the first a handshake costs the least, for its hash.
constexpr const char* kSuites = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";

BioPtr Memory(const std::string& text) { return BioPtr(BIO_new_mem_buf(text.data(), static_cast<int>(text.size()))); }

// No password is ever asked for: an encrypted key is an error, not a prompt.
int NoPassword(char* /*buffer*/, int /*size*/, int /*writing*/, void* /*context*/) { return -1; }

std::string LastError() {
  const unsigned long error = ERR_peek_last_error();
  const char* reason = error == 0 ? nullptr : ERR_reason_error_string(error);
  ERR_clear_error();
  return reason == nullptr ? "unknown error" : reason;
}

bool Fail(std::string& error, const char* what) {
  error = std::string(what) + ": " + LastError();
  return false;
}

}  // namespace

TlsTicketKeys::TlsTicketKeys() {
  keys_.resize(1);
  RAND_bytes(keys_[0].name.data(), kNameBytes);
  RAND_bytes(keys_[0].secret.data(), kSecretBytes);
}

bool TlsTicketKeys::Set(std::span<const uint8_t> bytes) {
  if (bytes.empty() || bytes.size() % kKeyBytes != 0 || bytes.size() > kMax * kKeyBytes) return false;
  keys_.resize(bytes.size() / kKeyBytes);
  for (size_t i = 0; i < keys_.size(); i++) {
    const uint8_t* at = bytes.data() + i * kKeyBytes;
    std::memcpy(keys_[i].name.data(), at, kNameBytes);
    std::memcpy(keys_[i].secret.data(), at + kNameBytes, kSecretBytes);
  }
  return true;
}

const TlsTicketKeys::Key* TlsTicketKeys::Find(const uint8_t* name) const {
  const auto found = std::find_if(keys_.begin(), keys_.end(), [name](const Key& key) {
    return std::memcmp(key.name.data(), name, kNameBytes) == 0;
  });
  return found == keys_.end() ? nullptr : &*found;
}

TlsContext::TlsContext(const TlsSpec& spec, const TlsTicketKeys& keys)
    : context_(SSL_CTX_new(spec.is_server ? TLS_server_method() : TLS_client_method())),
      transport_(BIO_meth_new(BIO_TYPE_SOURCE_SINK, "fourseven")),
      keys_(keys),
      is_server_(spec.is_server),
      verify_(spec.verify),
      alpn_(spec.alpn),
      identity_(spec.identity) {}

std::shared_ptr<TlsContext> TlsContext::Create(const TlsSpec& spec, const TlsTicketKeys& keys, std::string& error) {
  ERR_clear_error();
  std::shared_ptr<TlsContext> context(new TlsContext(spec, keys));
  if (context->context_ == nullptr || context->transport_ == nullptr) {
    Fail(error, "no memory");
    return nullptr;
  }
  const bool made = context->Configure(spec, error);
  ERR_clear_error();
  return made ? context : nullptr;
}

bool TlsContext::Configure(const TlsSpec& spec, std::string& error) {
  TlsSession::DefineTransport(transport_.get());
  SSL_CTX* context = context_.get();
  SSL_CTX_set_options(context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE |
                                   SSL_OP_PRIORITIZE_CHACHA | SSL_OP_IGNORE_UNEXPECTED_EOF);
  // Not SSL_MODE_RELEASE_BUFFERS, which asks the heap for them with each record: see Engine::UseSession.
  SSL_CTX_set_mode(context, SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  if (SSL_CTX_set_min_proto_version(context, spec.min_version) != 1) return Fail(error, "the version");
  if (SSL_CTX_set_ciphersuites(context, kSuites) != 1) return Fail(error, "the ciphers of TLS 1.3");
  const char* ciphers = spec.ciphers.empty() ? kUsualCiphers : spec.ciphers.c_str();
  if (SSL_CTX_set_cipher_list(context, ciphers) != 1) return Fail(error, "the ciphers");
  for (const TlsSpec::Pair& pair : spec.pairs) {
    if (!AddPair(pair, error)) return false;
  }
  if (!Trust(spec, error)) return false;
  if (is_server_) {
    // Tickets are the only memory of sessions, so that every shard has it.
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_session_id_context(context, identity_.data(), identity_.size());
    SSL_CTX_set_app_data(context, this);
    SSL_CTX_set_tlsext_ticket_key_evp_cb(context, SealTicket);
    if (!alpn_.empty()) SSL_CTX_set_alpn_select_cb(context, SelectAlpn, this);
    if (!ocsp_.empty()) {
      SSL_CTX_set_tlsext_status_cb(context, StapleOcsp);
      SSL_CTX_set_tlsext_status_arg(context, this);
    }
    return true;
  }
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_sess_set_new_cb(context, TlsSession::KeepForResumption);
  if (!alpn_.empty()) {
    SSL_CTX_set_alpn_protos(context, reinterpret_cast<const unsigned char*>(alpn_.data()),
                            static_cast<unsigned int>(alpn_.size()));
  }
  return true;
}

bool TlsContext::AddPair(const TlsSpec::Pair& pair, std::string& error) {
  SSL_CTX* context = context_.get();
  const BioPtr chain = Memory(pair.certificate);
  X509Ptr leaf(PEM_read_bio_X509_AUX(chain.get(), nullptr, NoPassword, nullptr));
  if (leaf == nullptr) return Fail(error, "the certificate");
  if (SSL_CTX_use_certificate(context, leaf.get()) != 1) return Fail(error, "the certificate");
  if (SSL_CTX_clear_chain_certs(context) != 1) return Fail(error, "the chain of the certificate");
  while (X509* issuer = PEM_read_bio_X509(chain.get(), nullptr, NoPassword, nullptr)) {
    if (SSL_CTX_add0_chain_cert(context, issuer) == 1) continue;
    X509_free(issuer);
    return Fail(error, "the chain of the certificate");
  }
  ERR_clear_error();
  const BioPtr key_text = Memory(pair.key);
  const KeyPtr key(PEM_read_bio_PrivateKey(key_text.get(), nullptr, NoPassword, nullptr));
  if (key == nullptr) return Fail(error, "the key");
  if (SSL_CTX_use_PrivateKey(context, key.get()) != 1 || SSL_CTX_check_private_key(context) != 1)
    return Fail(error, "the key");
  if (!pair.ocsp.empty()) ocsp_.emplace_back(std::move(leaf), pair.ocsp);
  return true;
}

bool TlsContext::Trust(const TlsSpec& spec, std::string& error) {
  SSL_CTX* context = context_.get();
  const bool asks_client = is_server_ && spec.client_certificate != ClientCertificate::kOff;
  if (asks_client) {
    const int must = spec.client_certificate == ClientCertificate::kRequire ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0;
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | must, nullptr);
  } else if (!is_server_) {
    SSL_CTX_set_verify(context, verify_ ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nullptr);
  }
  if (spec.authorities.empty()) return true;
  const BioPtr text = Memory(spec.authorities);
  X509_STORE* store = SSL_CTX_get_cert_store(context);
  int count = 0;
  for (X509Ptr authority(PEM_read_bio_X509_AUX(text.get(), nullptr, NoPassword, nullptr)); authority != nullptr;
       authority.reset(PEM_read_bio_X509_AUX(text.get(), nullptr, NoPassword, nullptr))) {
    X509_STORE_add_cert(store, authority.get());
    if (asks_client) SSL_CTX_add_client_CA(context, authority.get());
    count++;
  }
  if (count == 0) return Fail(error, "the authorities");
  // A certificate in the file is trusted itself, whoever signed it: an intermediate, or one that is self-signed.
  X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN);
  ERR_clear_error();
  return true;
}

int TlsContext::SelectAlpn(SSL* /*ssl*/, const unsigned char** out, unsigned char* out_length, const unsigned char* in,
                           unsigned int in_length, void* self) {
  const std::string& ours = static_cast<TlsContext*>(self)->alpn_;
  unsigned char* chosen = nullptr;
  const int found = SSL_select_next_proto(&chosen, out_length, reinterpret_cast<const unsigned char*>(ours.data()),
                                          static_cast<unsigned int>(ours.size()), in, in_length);
  *out = chosen;
  // RFC 7301 section 3.2: no_application_protocol.
  return found == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

// Keys of one identity open no ticket of another one: what asks for a client's certificate cannot be entered with a
// session of what does not.
std::array<uint8_t, 64> TlsContext::TicketSecret(const TlsTicketKeys::Key& key) const {
  std::array<uint8_t, 64> secret{};
  unsigned int length = 0;
  HMAC(EVP_sha512(), key.secret.data(), static_cast<int>(key.secret.size()), identity_.data(), identity_.size(),
       secret.data(), &length);
  return secret;
}

int TlsContext::SealTicket(SSL* ssl, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac,
                           int seals) {
  constexpr int kRefused = 0;
  constexpr int kOk = 1;
  constexpr int kOkAndRenew = 2;
  constexpr size_t kCipherBytes = 32;
  const auto& self = *static_cast<const TlsContext*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
  const TlsTicketKeys::Key* key = &self.keys_.newest();
  if (seals == 1) {
    std::memcpy(name, key->name.data(), key->name.size());
    if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) != 1) return -1;
  } else {
    key = self.keys_.Find(name);
    if (key == nullptr) return kRefused;
  }
  std::array<uint8_t, 64> secret = self.TicketSecret(*key);
  char digest[] = "SHA256";
  const OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, secret.data() + kCipherBytes, secret.size() - kCipherBytes),
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0), OSSL_PARAM_construct_end()};
  const int keyed = EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), nullptr, secret.data(), iv, seals);
  if (keyed != 1 || EVP_MAC_CTX_set_params(mac, parameters) != 1) return -1;
  // A ticket of TLS 1.3 is for one connection: who has used it gets another.
  const bool stays = key == &self.keys_.newest() && SSL_version(ssl) < TLS1_3_VERSION;
  return seals == 1 || stays ? kOk : kOkAndRenew;
}

int TlsContext::StapleOcsp(SSL* ssl, void* self) {
  const X509* used = SSL_get_certificate(ssl);
  for (const auto& [certificate, response] : static_cast<TlsContext*>(self)->ocsp_) {
    if (used == nullptr || X509_cmp(certificate.get(), used) != 0) continue;
    // OpenSSL frees what it is given.
    auto* copy = static_cast<unsigned char*>(OPENSSL_memdup(response.data(), response.size()));
    if (copy == nullptr) return SSL_TLSEXT_ERR_NOACK;
    SSL_set_tlsext_status_ocsp_resp(ssl, copy, static_cast<int>(response.size()));
    return SSL_TLSEXT_ERR_OK;
  }
  return SSL_TLSEXT_ERR_NOACK;
}

}  // namespace fourseven
