// Asynchronous SMTP client over libcurl: messages in flight on the one thread that owns it, which calls Start and Poll;
// results come from inside Poll. TLS by STARTTLS or from the start, certificates checked; AUTH as the server offers. A message
// whose end the server did not acknowledge counts as not delivered, though it may have been. Errors are values; nothing here
// throws or logs. Connects wherever the configuration says: the server is the operator's own choice.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>

namespace racewatch::store {

struct MailCall {
  std::string server;  // smtp://HOST[:PORT] or smtps://HOST[:PORT]
  bool tls = true;     // of smtp://: nothing is sent unless STARTTLS succeeds
  std::string ca_file;
  std::string username, password;  // empty: no login
  std::string from;
  std::string to;       // one receiver: a server takes a message for all it was given, or for none
  std::string message;  // headers and body with CRLF
  std::chrono::milliseconds timeout{60'000};
};

struct MailResult {
  bool delivered = false;
  // delivered, smtp_4xx, smtp_5xx, login_denied, tls, timeout or unreachable: a closed set for metric labels.
  std::string outcome;
};

class SmtpClient {
 public:
  SmtpClient();
  ~SmtpClient();  // cancels what is in flight, without results
  SmtpClient(const SmtpClient&) = delete;
  SmtpClient& operator=(const SmtpClient&) = delete;

  using Callback = std::function<void(const MailResult&)>;
  void Start(MailCall call, Callback done);
  // Moves messages on, waiting up to `wait` for something to happen.
  void Poll(std::chrono::milliseconds wait);
  size_t in_flight() const;
  void CancelAll();  // without results

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace racewatch::store
