#include "tests/system/feed_site.h"

#include <httplib.h>

#include <ctime>
#include <thread>

namespace racewatch::system_test {
namespace {

std::string Escape(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '&') out += "&amp;";
    else if (c == '<') out += "&lt;";
    else if (c == '>') out += "&gt;";
    else out += c;
  }
  return out;
}

std::string Rfc822(int64_t seconds) {
  const std::time_t time = seconds;
  std::tm tm{};
  gmtime_r(&time, &tm);
  char buffer[64];
  std::strftime(buffer, sizeof buffer, "%a, %d %b %Y %H:%M:%S GMT", &tm);
  return buffer;
}

std::string Render(const SiteItem& item) {
  std::string html;
  for (const std::string& paragraph : item.paragraphs) html += "<p>" + Escape(paragraph) + "</p>";
  return "<item><title>" + Escape(item.title) + "</title><link>" + Escape(item.link) + "</link><guid>" + Escape(item.link) +
         "</guid><pubDate>" + Rfc822(item.published_s) + "</pubDate><content:encoded>" + Escape(html) +
         "</content:encoded></item>\n";
}

}  // namespace

struct FeedSite::Impl {
  struct Feed {
    std::vector<SiteItem> items;
    uint64_t version = 0;
  };

  void Serve(size_t number, const httplib::Request& request, httplib::Response& response) {
    const std::scoped_lock lock(mutex);
    const Feed& feed = feeds[number];
    const std::string etag = "\"" + std::to_string(number) + "-" + std::to_string(feed.version) + "\"";
    response.set_header("ETag", etag);
    if (request.get_header_value("If-None-Match") == etag) {
      response.status = 304;
      return;
    }
    std::string body =
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<rss version=\"2.0\" "
        "xmlns:content=\"http://purl.org/rss/1.0/modules/content/\"><channel><title>Feed " +
        std::to_string(number) + "</title><link>https://site.example/</link><description>test</description>\n";
    for (const SiteItem& item : feed.items) body += Render(item);
    response.set_content(body + "</channel></rss>\n", "application/rss+xml");
  }

  std::mutex mutex;
  std::vector<Feed> feeds;
  httplib::Server server;
  int port = 0;
  std::jthread thread;
};

FeedSite::FeedSite(size_t feeds) : impl_(std::make_unique<Impl>()) {
  impl_->feeds.resize(feeds);
  for (size_t i = 0; i < feeds; ++i)
    impl_->server.Get("/feed" + std::to_string(i) + ".xml", [this, i](const httplib::Request& request, httplib::Response& response) {
      impl_->Serve(i, request, response);
    });
  impl_->port = impl_->server.bind_to_any_port("127.0.0.1");
  impl_->thread = std::jthread([this] { impl_->server.listen_after_bind(); });
}

FeedSite::~FeedSite() {
  while (!impl_->server.is_running()) std::this_thread::yield();
  impl_->server.stop();
}

int FeedSite::port() const { return impl_->port; }
size_t FeedSite::feeds() const { return impl_->feeds.size(); }
std::string FeedSite::Url(size_t feed) const {
  return "http://127.0.0.1:" + std::to_string(impl_->port) + "/feed" + std::to_string(feed) + ".xml";
}

void FeedSite::Publish(size_t feed, const SiteItem& item) {
  const std::scoped_lock lock(impl_->mutex);
  Impl::Feed& target = impl_->feeds[feed];
  ++target.version;
  for (SiteItem& old : target.items)
    if (old.link == item.link) {
      old = item;
      return;
    }
  target.items.push_back(item);
}

}  // namespace racewatch::system_test
