#include "tests/fakes/smtp_test_server.h"

#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <mutex>

#include "tests/fakes/loopback_server.h"

namespace racewatch::fakes {
namespace {

std::string Upper(std::string text) {
  for (char& c : text)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  return text;
}

std::string FromBase64(std::string text) {
  std::erase_if(text, [](char c) { return c == '\r' || c == '\n'; });
  std::string out(text.size() / 4 * 3, '\0');
  const int n = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(out.data()), reinterpret_cast<const unsigned char*>(text.data()),
                                static_cast<int>(text.size()));
  out.resize(n < 0 ? 0 : static_cast<size_t>(n) - (text.ends_with("==") ? 2 : text.ends_with("=") ? 1 : 0));
  return out;
}

// One connection, plain or under TLS.
class Wire {
 public:
  explicit Wire(int fd) : fd_(fd) {}
  ~Wire() {
    if (ssl_) SSL_free(ssl_);
  }
  bool BeginTls(SSL_CTX* context) {
    ssl_ = SSL_new(context);
    SSL_set_fd(ssl_, fd_);
    return SSL_accept(ssl_) == 1;
  }
  bool tls() const { return ssl_ != nullptr; }
  bool Say(std::string line) {
    line += "\r\n";
    const auto size = static_cast<int>(line.size());
    return ssl_ ? SSL_write(ssl_, line.data(), size) == size : send(fd_, line.data(), line.size(), MSG_NOSIGNAL) == size;
  }
  // A line without its end; false once the client has gone.
  bool Hear(std::string* line) {
    for (size_t end; (end = buffer_.find("\r\n")) == std::string::npos;) {
      char chunk[4096];
      const auto n = ssl_ ? SSL_read(ssl_, chunk, sizeof chunk) : static_cast<int>(recv(fd_, chunk, sizeof chunk, 0));
      if (n <= 0) return false;
      buffer_.append(chunk, static_cast<size_t>(n));
    }
    const size_t end = buffer_.find("\r\n");
    *line = buffer_.substr(0, end);
    buffer_.erase(0, end + 2);
    return true;
  }

 private:
  int fd_;
  SSL* ssl_ = nullptr;
  std::string buffer_;
};

std::string Between(const std::string& line) {
  const size_t open = line.find('<'), close = line.find('>');
  return open == std::string::npos || close == std::string::npos ? "" : line.substr(open + 1, close - open - 1);
}

}  // namespace

std::string TestMail::Header(const std::string& name) const {
  const std::string head = "\r\n" + data.substr(0, data.find("\r\n\r\n")) + "\r\n";
  const size_t at = Upper(head).find("\r\n" + Upper(name) + ": ");
  if (at == std::string::npos) return "";
  std::string value;
  for (size_t i = at + name.size() + 4; i < head.size(); ++i) {
    if (head.compare(i, 2, "\r\n") != 0) {
      value.push_back(head[i]);
    } else if (i + 2 < head.size() && head[i + 2] == ' ') {
      ++i;
    } else {
      break;
    }
  }
  return value;
}

std::string TestMail::Text() const { return FromBase64(data.substr(std::min(data.size(), data.find("\r\n\r\n") + 4))); }

struct SmtpTestServer::Impl {
  Options options;
  SSL_CTX* context = nullptr;
  std::atomic<bool> silent = false;
  std::atomic<int> receiver_code = 250, data_code = 250, drops = 0;
  mutable std::mutex mutex;
  std::map<std::string, int> codes;  // of single receivers
  std::vector<TestMail> mails;
  LoopbackServer server;  // last: its threads use the rest

  void Talk(int fd);
  void Converse(Wire* wire);
  bool Login(Wire* wire, const std::string& line, std::string* user) const;
  int CodeFor(const std::string& receiver) const;
  bool TakeData(Wire* wire, TestMail* mail);
};

bool SmtpTestServer::Impl::Login(Wire* wire, const std::string& line, std::string* user) const {
  std::string given_user, given_password, answer;
  if (Upper(line).starts_with("AUTH PLAIN")) {
    answer = line.size() > 11 ? line.substr(11) : "";
    if (answer.empty() && (!wire->Say("334 ") || !wire->Hear(&answer))) return false;
    const std::string plain = FromBase64(answer);
    const size_t first = plain.find('\0'), second = plain.find('\0', first + 1);
    if (second != std::string::npos) {
      given_user = plain.substr(first + 1, second - first - 1);
      given_password = plain.substr(second + 1);
    }
  } else {
    if (!wire->Say("334 VXNlcm5hbWU6") || !wire->Hear(&answer)) return false;
    given_user = FromBase64(answer);
    if (!wire->Say("334 UGFzc3dvcmQ6") || !wire->Hear(&answer)) return false;
    given_password = FromBase64(answer);
  }
  const bool right = given_user == options.user && given_password == options.password;
  if (right) *user = given_user;
  return wire->Say(right ? "235 welcome" : "535 5.7.8 who are you?");
}

int SmtpTestServer::Impl::CodeFor(const std::string& receiver) const {
  const std::lock_guard lock(mutex);
  const auto own = codes.find(receiver);
  return own == codes.end() ? receiver_code.load() : own->second;
}

// False: the connection is to be closed.
bool SmtpTestServer::Impl::TakeData(Wire* wire, TestMail* mail) {
  if (!wire->Say("354 go on")) return false;
  std::string line;
  while (wire->Hear(&line) && line != ".") mail->data += (line.starts_with(".") ? line.substr(1) : line) + "\r\n";
  if (line != ".") return false;
  const int code = data_code;
  if (code / 100 == 2) {
    const std::lock_guard lock(mutex);
    mails.push_back(*mail);
  }
  if (code / 100 == 2 && drops > 0) return --drops, false;
  return wire->Say(std::to_string(code) + " so be it");
}

void SmtpTestServer::Impl::Converse(Wire* wire) {
  if (options.tls_first && !wire->BeginTls(context)) return;
  if (!wire->Say("220 test.example ESMTP")) return;
  TestMail mail;
  std::string line;
  while (!server.stopping() && wire->Hear(&line)) {
    const std::string verb = Upper(line.substr(0, 4));
    bool on = true;
    if (verb == "EHLO") {
      on = wire->Say("250-test.example") && (!context || wire->tls() || wire->Say("250-STARTTLS")) && wire->Say("250-AUTH PLAIN LOGIN") && wire->Say("250 SIZE 10000000");
    } else if (verb == "STAR" && context) {
      on = wire->Say("220 go ahead") && wire->BeginTls(context);
    } else if (verb == "AUTH") {
      on = Login(wire, line, &mail.user);
    } else if (verb == "MAIL") {
      mail = {Between(line), {}, "", wire->tls(), mail.user};
      on = wire->Say(!options.user.empty() && mail.user.empty() ? "530 5.7.0 log in first" : "250 ok");
    } else if (verb == "RCPT") {
      const int code = CodeFor(Between(line));
      if (code / 100 == 2) mail.to.push_back(Between(line));
      on = wire->Say(std::to_string(code) + " receiver");
    } else if (verb == "DATA") {
      on = TakeData(wire, &mail);
    } else if (verb == "QUIT") {
      (void)wire->Say("221 bye");
      on = false;
    } else {
      on = wire->Say(verb == "RSET" || verb == "NOOP" ? "250 ok" : "502 what?");
    }
    if (!on) return;
  }
}

void SmtpTestServer::Impl::Talk(int fd) {
  if (silent) {
    char c;
    while (recv(fd, &c, 1, 0) > 0) {
    }
  } else {
    Wire wire(fd);
    Converse(&wire);
  }
}

SmtpTestServer::SmtpTestServer(Options options) : impl_(std::make_unique<Impl>()) {
  impl_->options = std::move(options);
  if (!impl_->options.certificate.empty()) {
    impl_->context = SSL_CTX_new(TLS_server_method());
    SSL_CTX_use_certificate_file(impl_->context, impl_->options.certificate.c_str(), SSL_FILETYPE_PEM);
    SSL_CTX_use_PrivateKey_file(impl_->context, impl_->options.key.c_str(), SSL_FILETYPE_PEM);
  }
  impl_->server.Start([impl = impl_.get()](int fd) { impl->Talk(fd); });
}

SmtpTestServer::~SmtpTestServer() {
  impl_->server.Stop();
  if (impl_->context) SSL_CTX_free(impl_->context);
}

int SmtpTestServer::port() const { return impl_->server.port(); }
std::string SmtpTestServer::Url() const {
  return std::string(impl_->options.tls_first ? "smtps" : "smtp") + "://localhost:" + std::to_string(port());
}
std::vector<TestMail> SmtpTestServer::mails() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->mails;
}
int SmtpTestServer::sessions() const { return impl_->server.connections(); }
void SmtpTestServer::AnswerReceivers(int code) { impl_->receiver_code = code; }
void SmtpTestServer::AnswerReceiver(const std::string& address, int code) {
  const std::lock_guard lock(impl_->mutex);
  impl_->codes[address] = code;
}
void SmtpTestServer::AnswerData(int code) { impl_->data_code = code; }
void SmtpTestServer::DropAfterData(int times) { impl_->drops = times; }
void SmtpTestServer::BeSilent(bool silent) { impl_->silent = silent; }

}  // namespace racewatch::fakes
