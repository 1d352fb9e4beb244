#include "ingest/page/next_page.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <vector>

#include "ingest/page/metadata.h"
#include "ingest/page/text.h"

namespace racewatch::ingest::page {
namespace {

// Addresses that page `number` of the article at `first` may have.
std::vector<std::string> Forms(std::string_view first, int number) {
  first = first.substr(0, first.find('#'));
  const std::string n = std::to_string(number);
  const size_t mark = std::min(first.find('?'), first.size());
  const std::string path(first.substr(0, mark)), query(first.substr(mark));
  std::vector<std::string> forms;
  for (const std::string_view name : {"page", "p", "pg", "pn", "pageno", "page_no", "pagenum"}) {
    const std::string pair = std::string(name) + "=" + n;
    forms.push_back(path + (query.empty() ? "?" : query + "&") + pair);
    if (!query.empty()) forms.push_back(path + "?" + pair + "&" + query.substr(1));
  }
  const size_t slash = path.rfind('/');
  const size_t dot = path.rfind('.');
  if (dot != std::string::npos && slash != std::string::npos && dot > slash && path.find("://") + 3 < slash) {
    for (const char between : {'_', '-'}) forms.push_back(path.substr(0, dot) + between + n + path.substr(dot) + query);
    forms.push_back(path.substr(0, dot) + "/" + n + path.substr(dot) + query);
  } else {
    const std::string folder = path.ends_with('/') ? path : path + "/";
    for (const std::string_view below : {"", "page/", "page-", "p"}) {
      forms.push_back(folder + std::string(below) + n + query);
      forms.push_back(folder + std::string(below) + n + "/" + query);
    }
  }
  return forms;
}

}  // namespace

std::string NextPage(const Tree& tree, const ExtractOptions& options) {
  const std::string_view first = options.first_url.empty() ? options.url : options.first_url;
  if (first.find("://") == first.npos) return {};
  const std::vector<std::string> forms = Forms(first, options.page_number + 1);
  const std::string number = std::to_string(options.page_number + 1);
  for (uint32_t i = 1; i < tree.nodes.size(); ++i) {
    const Tag tag = tree.nodes[i].tag;
    if (tag != Tag::kA && tag != Tag::kLink) continue;
    const std::string_view href = tree.Get(i, Attr::kHref);
    if (href.find(number) == href.npos || href.size() > 2000) continue;
    std::string url = AbsoluteUrl(options.url, DecodeEntities(href));
    if (const size_t fragment = url.find('#'); fragment != url.npos) continue;  // a place on the page: comments
    if (std::find(forms.begin(), forms.end(), url) != forms.end()) return url;
  }
  return {};
}

}  // namespace racewatch::ingest::page
