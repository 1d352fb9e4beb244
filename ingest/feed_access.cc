#include "ingest/feed_access.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <string_view>

#include "racewatch/v1/config.pb.h"

namespace racewatch::ingest {
namespace {

base::Result<std::string> FirstLine(const std::string& path) {
  std::ifstream in(path);
  std::string line;
  if (!in || !std::getline(in, line)) return base::NotFound("access: file " + path + ": cannot be read");
  if (line.ends_with('\r')) line.pop_back();
  return line;
}

// RFC 4648 §4.
std::string Base64(std::string_view bytes) {
  static constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t group = 0;
    for (size_t k = 0; k < 3; ++k) group = group << 8 | (i + k < bytes.size() ? static_cast<unsigned char>(bytes[i + k]) : 0u);
    for (size_t k = 0; k < 4; ++k) out += i + k <= bytes.size() ? kDigits[group >> (18 - 6 * k) & 63] : '=';
  }
  return out;
}

bool HasLineBreak(const std::string& text) { return text.find_first_of("\r\n") != std::string::npos; }

bool IsToken(const std::string& name) {  // RFC 9110 §5.6.2
  static constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
  return !name.empty() && std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return c < 0x80 && (std::isalnum(c) || kMarks.find(static_cast<char>(c)) != std::string_view::npos);
  });
}

bool IsProxy(const std::string& proxy) {
  static constexpr std::array<std::string_view, 4> kSchemes = {"http://", "https://", "socks5://", "socks5h://"};
  return std::any_of(kSchemes.begin(), kSchemes.end(), [&proxy](std::string_view s) { return proxy.starts_with(s) && proxy.size() > s.size(); });
}

}  // namespace

base::Status CheckFeedAccess(const v1::FeedAccess& config) {
  const bool basic = !config.username().empty();
  const bool bearer = !config.bearer_token().empty() || !config.bearer_token_file().empty();
  if (basic && bearer) return base::InvalidArgument("access: username and bearer_token exclude each other");
  if (!basic && (!config.password().empty() || !config.password_file().empty())) return base::InvalidArgument("access: a password without username");
  if (!config.password().empty() && !config.password_file().empty()) return base::InvalidArgument("access: password and password_file exclude each other");
  if (config.username().find(':') != std::string::npos) return base::InvalidArgument("access: a username holds no colon");
  if (HasLineBreak(config.cookie())) return base::InvalidArgument("access: cookie holds a line break");
  for (const auto& [name, value] : config.headers())
    if (!IsToken(name) || HasLineBreak(value)) return base::InvalidArgument("access: header '" + name + "' is none");
  if (!config.proxy().empty() && !IsProxy(config.proxy()))
    return base::InvalidArgument("access: proxy '" + config.proxy() + "' is not http://, https://, socks5:// or socks5h:// HOST:PORT");
  return {};
}

base::Result<FeedAccess> ReadFeedAccess(const v1::FeedAccess& config) {
  RW_RETURN_IF_ERROR(CheckFeedAccess(config));
  FeedAccess out;
  std::string password = config.password(), token = config.bearer_token();
  if (!config.password_file().empty()) {
    RW_ASSIGN_OR_RETURN(password, FirstLine(config.password_file()));
  }
  if (!config.bearer_token_file().empty()) {
    RW_ASSIGN_OR_RETURN(token, FirstLine(config.bearer_token_file()));
  }
  if (!config.username().empty()) out.headers.emplace_back("Authorization", "Basic " + Base64(config.username() + ":" + password));
  if (!token.empty()) out.headers.emplace_back("Authorization", "Bearer " + token);
  if (!config.cookie().empty()) out.headers.emplace_back("Cookie", config.cookie());
  for (const auto& [name, value] : config.headers()) out.headers.emplace_back(name, value);
  std::sort(out.headers.begin(), out.headers.end());  // a map has no order of its own
  out.proxy = config.proxy();
  return out;
}

}  // namespace racewatch::ingest
