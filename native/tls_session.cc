#include "tls_session.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

namespace fourseven {
namespace {

// The queue of errors is the thread's, and Node's own TLS reads it too: it is found empty where its errors would be
// taken for ours, and left empty. To look is cheap, to clear is not, and what succeeds leaves none.
void ForgetErrors() {
  if (ERR_peek_error() != 0) ERR_clear_error();
}

}  // namespace

TlsSession::TlsSession(std::shared_ptr<const TlsContext> context, std::shared_ptr<TlsResumption> resumption)
    : context_(std::move(context)), resumption_(std::move(resumption)), ssl_(SSL_new(context_->get())) {}

std::unique_ptr<TlsSession> TlsSession::Create(std::shared_ptr<const TlsContext> context,
                                               std::shared_ptr<TlsResumption> resumption,
                                               const std::string& server_name) {
  std::unique_ptr<TlsSession> session(new TlsSession(std::move(context), std::move(resumption)));
  const bool started = session->ssl_ != nullptr && session->Start(server_name);
  ForgetErrors();
  return started ? std::move(session) : nullptr;
}

bool TlsSession::Start(const std::string& server_name) {
  SSL* ssl = ssl_.get();
  BIO* transport = BIO_new(context_->transport());
  if (transport == nullptr) return false;
  BIO_set_data(transport, this);
  BIO_set_init(transport, 1);
  SSL_set_bio(ssl, transport, transport);
  SSL_set_app_data(ssl, this);
  if (is_server()) {
    SSL_set_accept_state(ssl);
    return true;
  }
  SSL_set_connect_state(ssl);
  if (!server_name.empty() && !Expect(server_name)) return false;
  if (resumption_ != nullptr) {
    if (const auto last = resumption_->Last(); last != nullptr) SSL_set_session(ssl, last.get());
  }
  return true;
}

bool TlsSession::Expect(const std::string& server_name) {
  std::array<uint8_t, 16> ignored{};
  const bool is_address = ::inet_pton(AF_INET, server_name.c_str(), ignored.data()) == 1 ||
                          ::inet_pton(AF_INET6, server_name.c_str(), ignored.data()) == 1;
  // RFC 6066 section 3: addresses are no server names.
  if (is_address) return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl_.get()), server_name.c_str()) == 1;
  SSL_set_hostflags(ssl_.get(), X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  return SSL_set_tlsext_host_name(ssl_.get(), server_name.c_str()) == 1 &&
         SSL_set1_host(ssl_.get(), server_name.c_str()) == 1;
}

TlsSession::Status TlsSession::Handshake(std::span<const uint8_t>& input, std::vector<uint8_t>& output) {
  ForgetErrors();
  begun_ = true;
  input_ = input;
  output_ = &output;
  const int result = SSL_do_handshake(ssl_.get());
  input = input_;
  const Status status = Judge(result);
  if (status == Status::kDone) {
    established_ = true;
    // From here on all there is goes to OpenSSL in one read rather than in two for each record. Not before: what comes
    // behind a handshake is not to vanish in it.
    SSL_set_read_ahead(ssl_.get(), 1);
  }
  ForgetErrors();
  return status;
}

TlsSession::Status TlsSession::Open(std::span<const uint8_t>& input, uint8_t* plain, size_t capacity, size_t& count,
                                    std::vector<uint8_t>& output) {
  ForgetErrors();
  input_ = input;
  output_ = &output;
  count = 0;
  Status status = Status::kDone;
  while (status == Status::kDone && count < capacity) {
    size_t opened = 0;
    status = Judge(SSL_read_ex(ssl_.get(), plain + count, capacity - count, &opened));
    count += opened;
    // Asking once more would only tell that there is nothing.
    if (status == Status::kDone && input_.empty() && SSL_has_pending(ssl_.get()) == 0) status = Status::kMore;
  }
  input = input_;
  if (status == Status::kFailed) ForgetErrors();
  return status;
}

bool TlsSession::Seal(std::span<const iovec> ranges, size_t total, std::vector<uint8_t>& output) {
  output_ = &output;
  size_t written = 0;
  bool sealed = true;
  if (ranges.size() == 1) {
    sealed = total == 0 || SSL_write_ex(ssl_.get(), ranges[0].iov_base, total, &written) == 1;
  } else {
    // Ranges of a head are short: they share records.
    std::array<uint8_t, kRecordMaxBytes> record;
    size_t length = 0;
    for (size_t i = 0; i < ranges.size() && sealed; i++) {
      const auto* bytes = static_cast<const uint8_t*>(ranges[i].iov_base);
      for (size_t at = 0; at < ranges[i].iov_len && sealed;) {
        const size_t part = std::min(ranges[i].iov_len - at, record.size() - length);
        std::memcpy(record.data() + length, bytes + at, part);
        length += part;
        at += part;
        if (length < record.size()) continue;
        sealed = SSL_write_ex(ssl_.get(), record.data(), length, &written) == 1;
        length = 0;
      }
    }
    if (sealed && length > 0) sealed = SSL_write_ex(ssl_.get(), record.data(), length, &written) == 1;
  }
  if (!sealed) ForgetErrors();
  return sealed;
}

void TlsSession::End(std::vector<uint8_t>& output) {
  if (std::exchange(ended_, true) || !established_) return;
  output_ = &output;
  SSL_shutdown(ssl_.get());
  ForgetErrors();
}

TlsSession::Status TlsSession::Judge(int result) {
  if (result == 1) return Status::kDone;
  switch (SSL_get_error(ssl_.get(), result)) {
    case SSL_ERROR_WANT_READ:
      return Status::kMore;
    case SSL_ERROR_ZERO_RETURN:
      peer_ended_ = true;
      return Status::kEnded;
    default:
      break;
  }
  const long verified = SSL_get_verify_result(ssl_.get());
  const char* reason = ERR_reason_error_string(ERR_peek_last_error());
  distrusted_ = verified != X509_V_OK && !established_;
  failure_ = distrusted_ ? X509_verify_cert_error_string(verified) : reason == nullptr ? "broken off" : reason;
  return Status::kFailed;
}

std::string TlsSession::alpn() const {
  const unsigned char* name = nullptr;
  unsigned int length = 0;
  SSL_get0_alpn_selected(ssl_.get(), &name, &length);
  return {reinterpret_cast<const char*>(name), length};
}

std::string TlsSession::peer_certificate() const {
  const X509* certificate = SSL_get0_peer_certificate(ssl_.get());
  if (certificate == nullptr) return "";
  const int length = i2d_X509(certificate, nullptr);
  if (length <= 0) return "";
  std::string der(static_cast<size_t>(length), '\0');
  auto* at = reinterpret_cast<unsigned char*>(der.data());
  i2d_X509(certificate, &at);
  return der;
}

int TlsSession::KeepForResumption(SSL* ssl, SSL_SESSION* session) {
  const auto* self = static_cast<const TlsSession*>(SSL_get_app_data(ssl));
  if (self->resumption_ == nullptr || SSL_SESSION_is_resumable(session) != 1) return 0;
  self->resumption_->Keep(session);
  return 1;
}

void TlsSession::DefineTransport(BIO_METHOD* method) {
  BIO_meth_set_read(method, ReadTransport);
  BIO_meth_set_write(method, WriteTransport);
  BIO_meth_set_ctrl(method, ControlTransport);
}

int TlsSession::ReadTransport(BIO* bio, char* bytes, int length) {
  auto* self = static_cast<TlsSession*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  if (self->input_.empty()) {
    BIO_set_retry_read(bio);
    return -1;
  }
  const size_t count = std::min(static_cast<size_t>(length), self->input_.size());
  std::memcpy(bytes, self->input_.data(), count);
  self->input_ = self->input_.subspan(count);
  return static_cast<int>(count);
}

int TlsSession::WriteTransport(BIO* bio, const char* bytes, int length) {
  auto& output = *static_cast<TlsSession*>(BIO_get_data(bio))->output_;
  output.insert(output.end(), bytes, bytes + length);
  return length;
}

long TlsSession::ControlTransport(BIO* /*bio*/, int command, long /*number*/, void* /*pointer*/) {
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}

}  // namespace fourseven
