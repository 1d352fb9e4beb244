#include "base/http_server.h"

#include <httplib.h>
#include <prometheus/collectable.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <sstream>
#include <thread>

#include "base/config.h"

namespace racewatch::base {
namespace {

HttpRequest FromHttplib(const httplib::Request& in) {
  HttpRequest out;
  out.method = in.method;
  out.path = in.path;
  out.query = {in.params.begin(), in.params.end()};
  for (const auto& [name, value] : in.headers) {
    std::string lower = name;
    std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return std::tolower(c); });
    out.headers.emplace(std::move(lower), value);
  }
  out.body = in.body;
  for (size_t i = 1; i < in.matches.size(); ++i) out.captures.push_back(in.matches[i].str());
  return out;
}

void ToHttplib(HttpResponse in, httplib::Response* out) {
  out->status = in.status;
  for (const auto& [name, value] : in.headers) out->set_header(name, value);
  if (!in.stream) {
    out->set_content(std::move(in.body), in.content_type);
    return;
  }
  out->set_chunked_content_provider(
      in.content_type, [stream = std::move(in.stream)](size_t, httplib::DataSink& sink) {
        const bool more = stream([&sink](std::string_view data) { return sink.write(data.data(), data.size()); });
        if (!more) sink.done();
        return sink.is_writable();
      });
}

std::string Text(int status) { return status == 404 ? "not found\n" : "error " + std::to_string(status) + "\n"; }

}  // namespace

std::string HttpRequest::Query(const std::string& name, std::string otherwise) const {
  const auto it = query.find(name);
  return it == query.end() ? std::move(otherwise) : it->second;
}

struct HttpServer::Impl {
  explicit Impl(Options o) : options(std::move(o)) {
    server.new_task_queue = [this] { return new httplib::ThreadPool(options.threads); };
    server.set_payload_max_length(options.body_bytes_max);
    server.set_keep_alive_timeout(30);
    server.set_error_handler([](const httplib::Request&, httplib::Response& response) {
      if (response.body.empty()) response.set_content(Text(response.status), "text/plain");
    });
    server.set_exception_handler([](const httplib::Request&, httplib::Response& response, std::exception_ptr) {
      response.status = 500;
      response.set_content("{\"code\":13,\"message\":\"internal error\"}", "application/json");
    });
    server.Get("/-/healthy", [](const httplib::Request&, httplib::Response& response) {
      response.set_content("ok\n", "text/plain");
    });
    server.Get("/-/ready", [this](const httplib::Request&, httplib::Response& response) {
      const std::string why = ready ? ready() : "";
      response.status = why.empty() ? 200 : 503;
      response.set_content(why.empty() ? "ok\n" : why + "\n", "text/plain");
    });
    server.Get("/metrics", [this](const httplib::Request&, httplib::Response& response) {
      response.set_content(Metrics(), "text/plain; version=0.0.4; charset=utf-8");
    });
  }

  std::string Metrics() const {
    std::ostringstream out;
    const prometheus::TextSerializer serializer;
    for (const auto& collectable : collectables) serializer.Serialize(out, collectable->Collect());
    return out.str();
  }

  const Options options;
  httplib::Server server;
  std::vector<std::shared_ptr<prometheus::Collectable>> collectables;
  std::function<std::string()> ready;
  int port = 0;
  std::jthread thread;
};

HttpServer::HttpServer(Options options) : impl_(std::make_unique<Impl>(std::move(options))) {}
HttpServer::~HttpServer() { Stop(); }

void HttpServer::Handle(const std::string& method, const std::string& pattern, HttpHandler handler) {
  auto adapter = [handler = std::move(handler)](const httplib::Request& request, httplib::Response& response) {
    ToHttplib(handler(FromHttplib(request)), &response);
  };
  if (method == "POST") impl_->server.Post(pattern, std::move(adapter));
  else if (method == "PUT") impl_->server.Put(pattern, std::move(adapter));
  else if (method == "DELETE") impl_->server.Delete(pattern, std::move(adapter));
  else impl_->server.Get(pattern, std::move(adapter));
}

void HttpServer::ExportMetrics(std::shared_ptr<prometheus::Collectable> collectable) {
  impl_->collectables.push_back(std::move(collectable));
}

void HttpServer::SetReadiness(std::function<std::string()> ready) { impl_->ready = std::move(ready); }

Status HttpServer::Start() {
  Problems problems;
  CheckListen("http.listen", impl_->options.listen, &problems);
  if (!problems.empty()) return InvalidArgument(problems.lines().front());
  const size_t colon = impl_->options.listen.rfind(':');
  const std::string host = impl_->options.listen.substr(0, colon);
  const int wanted = std::stoi(impl_->options.listen.substr(colon + 1));
  // cpp-httplib sets SO_REUSEPORT by default: two processes would share the port without noticing.
  impl_->server.set_socket_options([](socket_t socket) {
    const int yes = 1;
    setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  });
  const bool bound = wanted == 0 ? (impl_->port = impl_->server.bind_to_any_port(host.c_str())) > 0
                                 : impl_->server.bind_to_port(host.c_str(), wanted);
  if (!bound)
    return Unavailable("http: cannot listen on " + impl_->options.listen + ": address in use or not on this machine");
  if (wanted != 0) impl_->port = wanted;
  impl_->thread = std::jthread([this] { impl_->server.listen_after_bind(); });
  while (!impl_->server.is_running()) std::this_thread::yield();  // bound already: a few microseconds
  return {};
}

void HttpServer::Stop() {
  impl_->server.stop();
  if (impl_->thread.joinable()) impl_->thread.join();
}

int HttpServer::port() const { return impl_->port; }

}  // namespace racewatch::base
