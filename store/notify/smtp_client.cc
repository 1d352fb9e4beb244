#include "store/notify/smtp_client.h"

#include <curl/curl.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace racewatch::store {
namespace {

constexpr long kConnectTimeoutMs = 10'000;
constexpr long kConnectionsMax = 5;  // to one server: some refuse a client with more

struct EasyDeleter {
  void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
};
struct ListDeleter {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};

struct Transfer {
  MailCall call;
  SmtpClient::Callback done;
  size_t sent = 0;
  std::unique_ptr<curl_slist, ListDeleter> receivers;  // libcurl wants a list
  std::unique_ptr<CURL, EasyDeleter> easy;  // last: goes before what it borrows
};

size_t ReadMessage(char* out, size_t size, size_t n, void* user) {
  auto* transfer = static_cast<Transfer*>(user);
  const size_t bytes = std::min(size * n, transfer->call.message.size() - transfer->sent);
  std::memcpy(out, transfer->call.message.data() + transfer->sent, bytes);
  transfer->sent += bytes;
  return bytes;
}

MailResult ResultOf(CURL* easy, CURLcode code) {
  if (code == CURLE_OK) return {true, "delivered"};
  long reply = 0;
  curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &reply);
  switch (code) {
    case CURLE_LOGIN_DENIED: return {false, "login_denied"};
    case CURLE_OPERATION_TIMEDOUT: return {false, "timeout"};
    case CURLE_USE_SSL_FAILED:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER: return {false, "tls"};
    default: break;
  }
  if (reply >= 400 && reply < 600) return {false, reply < 500 ? "smtp_4xx" : "smtp_5xx"};
  return {false, "unreachable"};
}

void SetUp(Transfer* transfer) {
  CURL* easy = transfer->easy.get();
  const MailCall& call = transfer->call;
  transfer->receivers.reset(curl_slist_append(nullptr, ("<" + call.to + ">").c_str()));
  curl_easy_setopt(easy, CURLOPT_URL, call.server.c_str());
  // libcurl would take port 25, which is for servers among themselves (RFC 6409).
  const std::string host = call.server.substr(call.server.rfind('/') + 1);
  if (call.server.starts_with("smtp://") && host.find(':', host.find(']') == std::string::npos ? 0 : host.find(']')) == std::string::npos)
    curl_easy_setopt(easy, CURLOPT_PORT, 587L);
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_PROXY, "");
  curl_easy_setopt(easy, CURLOPT_USE_SSL, static_cast<long>(call.tls ? CURLUSESSL_ALL : CURLUSESSL_NONE));
  if (!call.ca_file.empty()) curl_easy_setopt(easy, CURLOPT_CAINFO, call.ca_file.c_str());
  if (!call.username.empty()) {
    curl_easy_setopt(easy, CURLOPT_USERNAME, call.username.c_str());
    curl_easy_setopt(easy, CURLOPT_PASSWORD, call.password.c_str());
  }
  curl_easy_setopt(easy, CURLOPT_MAIL_FROM, ("<" + call.from + ">").c_str());
  curl_easy_setopt(easy, CURLOPT_MAIL_RCPT, transfer->receivers.get());
  curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
  curl_easy_setopt(easy, CURLOPT_READFUNCTION, &ReadMessage);
  curl_easy_setopt(easy, CURLOPT_READDATA, transfer);
  curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, static_cast<long>(call.timeout.count()));
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, kConnectTimeoutMs);
  // One message, one connection: a server that closed an idle one would look like a failure.
  curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
}

}  // namespace

struct SmtpClient::Impl {
  CURLM* multi = curl_multi_init();
  std::vector<std::unique_ptr<Transfer>> transfers;

  void CancelAll() {
    for (const auto& transfer : transfers) curl_multi_remove_handle(multi, transfer->easy.get());
    transfers.clear();
  }
  // Takes the finished one out and tells its owner.
  void Finish(CURL* easy, CURLcode code) {
    const auto at = std::find_if(transfers.begin(), transfers.end(), [easy](const auto& one) { return one->easy.get() == easy; });
    if (at == transfers.end()) return;
    const std::unique_ptr<Transfer> transfer = std::move(*at);
    transfers.erase(at);
    const MailResult result = ResultOf(easy, code);
    curl_multi_remove_handle(multi, easy);
    transfer->done(result);
  }
};

SmtpClient::SmtpClient() : impl_(std::make_unique<Impl>()) {
  curl_multi_setopt(impl_->multi, CURLMOPT_MAX_HOST_CONNECTIONS, kConnectionsMax);
}
SmtpClient::~SmtpClient() {
  impl_->CancelAll();
  curl_multi_cleanup(impl_->multi);
}

void SmtpClient::Start(MailCall call, Callback done) {
  auto transfer = std::make_unique<Transfer>();
  transfer->call = std::move(call);
  transfer->done = std::move(done);
  transfer->easy.reset(curl_easy_init());
  SetUp(transfer.get());
  curl_multi_add_handle(impl_->multi, transfer->easy.get());
  impl_->transfers.push_back(std::move(transfer));
}

void SmtpClient::Poll(std::chrono::milliseconds wait) {
  int running = 0;
  curl_multi_perform(impl_->multi, &running);
  if (running > 0 && wait.count() > 0) {
    curl_multi_poll(impl_->multi, nullptr, 0, static_cast<int>(wait.count()), nullptr);
    curl_multi_perform(impl_->multi, &running);
  }
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(impl_->multi, &left))
    if (message->msg == CURLMSG_DONE) impl_->Finish(message->easy_handle, message->data.result);
}

size_t SmtpClient::in_flight() const { return impl_->transfers.size(); }
void SmtpClient::CancelAll() { impl_->CancelAll(); }

}  // namespace racewatch::store
