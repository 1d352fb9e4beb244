// A loopback SMTP server (RFC 5321) for tests of mail clients: EHLO, AUTH PLAIN and LOGIN, STARTTLS or TLS from the start, and
// switches for what servers do wrong. Raw sockets, one thread per connection. RAII: the port is free and every thread gone
// after the destructor. Switches are set and results read from any thread.
#pragma once

#include <memory>
#include <string>
#include <vector>

namespace racewatch::fakes {

struct TestMail {
  std::string from;
  std::vector<std::string> to;
  std::string data;  // as sent, dots unstuffed
  bool tls = false;
  std::string user;  // who logged in; empty: nobody

  // Value of a header line, unfolded; empty when absent.
  std::string Header(const std::string& name) const;
  // What follows the headers, base64 decoded.
  std::string Text() const;
};

class SmtpTestServer {
 public:
  struct Options {
    // PEM files; set: STARTTLS is offered, or TLS spoken from the start.
    std::string certificate, key;
    bool tls_first = false;
    // Set: nobody may send without this login.
    std::string user, password;
  };
  SmtpTestServer() : SmtpTestServer(Options{}) {}
  explicit SmtpTestServer(Options options);
  ~SmtpTestServer();
  SmtpTestServer(const SmtpTestServer&) = delete;
  SmtpTestServer& operator=(const SmtpTestServer&) = delete;

  int port() const;
  std::string Url() const;  // smtp://localhost:PORT or smtps://…

  // Acknowledged ones, in order; and those whose end was taken without an answer.
  std::vector<TestMail> mails() const;
  int sessions() const;

  // The reply code to RCPT, to that of one address alone, and to the end of DATA from now on; 250 at first.
  void AnswerReceivers(int code);
  void AnswerReceiver(const std::string& address, int code);
  void AnswerData(int code);
  // So many times the message is taken and the connection closed without an answer.
  void DropAfterData(int times);
  // Greets nobody: the connection stands open.
  void BeSilent(bool silent);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace racewatch::fakes
