#include "ingest/page/page_extractor.h"

#include <string>
#include <utility>

#include "ingest/page/blocks.h"
#include "ingest/page/byline.h"
#include "ingest/page/charset.h"
#include "ingest/page/content.h"
#include "ingest/page/dates.h"
#include "ingest/page/html_tree.h"
#include "ingest/page/jsonld.h"
#include "ingest/page/metadata.h"
#include "ingest/page/next_page.h"
#include "ingest/page/text.h"
#include "ingest/page/walls.h"

namespace racewatch::ingest {
namespace {

// The memory of one extraction, kept for the thread's next page.
struct Workspace {
  std::string utf8;
  page::Tree tree;
  page::Blocks blocks;
};

// Above this the workspace is given back, so that one huge page does not stay in memory for ever.
constexpr size_t kKeptNodesMax = 200'000;

bool LooksBinary(std::string_view bytes) {
  const std::string_view head = bytes.substr(0, 512);
  for (const std::string_view magic : {"%PDF", "\x89PNG", "GIF8", "\xFF\xD8\xFF", "PK\x03\x04", "\x1F\x8B", "RIFF"})
    if (head.starts_with(magic)) return true;
  return head.find('\0') != head.npos && !head.starts_with("\xFF\xFE") && !head.starts_with("\xFE\xFF");
}

bool IsXmlFeed(std::string_view text) {
  const std::string_view head = text.substr(0, 1024);
  return head.find("<rss") != head.npos || head.find("<feed") != head.npos || head.find("<rdf:RDF") != head.npos ||
         head.find("<urlset") != head.npos || head.find("<sitemapindex") != head.npos;
}

// Some sites put the whole article for readers without scripts into <noscript>.
void ReadNoscript(Workspace* work, Page* result) {
  page::Blocks blocks;
  page::ReadBlocks(work->tree, work->tree.body, &blocks, /*with_noscript=*/true);
  result->text = page::ArticleText(work->tree, result->title, &blocks);
  if (!result->text.empty()) work->blocks = std::move(blocks);
}

// Fills what the markup left open: the visible byline, then a date in the address, then the date of the last change
// (the page was out by then, and a page that hides its first date shows this one).
void AddByline(page::Byline byline, std::string_view url, Page* result) {
  if (result->author.empty()) result->author = std::move(byline.author);
  if (byline.first_published && (!result->published || byline.first_published->time_ms < result->published->time_ms))
    result->published = byline.first_published;
  if (!result->published) result->published = byline.published;
  if (!result->published) result->published = page::DateFromUrl(url.empty() ? std::string_view(result->canonical_url) : url);
  if (!result->published) result->published = result->modified;
}

// The page's own zone is the one it writes elsewhere, else that of its country.
void SettleZones(const page::JsonLdArticle& jsonld, std::string_view url, Page* result) {
  std::optional<int32_t> zone_s;
  for (const std::optional<PageTime>* time : {&std::as_const(result->published), &std::as_const(result->modified), &jsonld.published, &jsonld.modified})
    if (*time && (*time)->zone_s.value_or(0) != 0 && !zone_s) zone_s = (*time)->zone_s;
  if (!zone_s) zone_s = page::ZoneOfDomain(url.empty() ? std::string_view(result->canonical_url) : url);
  if (result->published) page::SettleZone(zone_s, &*result->published);
  if (result->modified) page::SettleZone(zone_s, &*result->modified);
}

}  // namespace

base::Result<Page> ExtractPage(std::string_view bytes, const ExtractOptions& options) {
  bytes = bytes.substr(0, options.bytes_max);
  if (page::Trim(bytes).empty()) return base::InvalidArgument("page: empty document");
  if (LooksBinary(bytes)) return base::InvalidArgument("page: not HTML: binary data");
  thread_local Workspace work;
  const std::string_view html = page::DecodeToUtf8(bytes, options.content_type, &work.utf8);
  if (IsXmlFeed(html)) return base::InvalidArgument("page: not HTML: a feed or sitemap");
  page::ParseHtml(html, &work.tree);
  if (work.tree.elements == 0) return base::InvalidArgument("page: not HTML: no element in it");

  Page result;
  page::JsonLdArticle jsonld;
  page::ReadMetadata(work.tree, options.url, &jsonld, &result);
  page::ReadBlocks(work.tree, work.tree.body, &work.blocks);
  AddByline(page::ReadByline(work.blocks, result.title, page::WritesDayFirst(result.language)), options.url, &result);
  SettleZones(jsonld, options.url, &result);
  if (options.find_next) result.next_url = page::NextPage(work.tree, options);
  result.text = page::ArticleText(work.tree, result.title, &work.blocks);
  if (result.text.empty()) ReadNoscript(&work, &result);
  page::RecogniseWalls(work.tree, work.blocks, jsonld, options.url, &result);
  if (work.tree.nodes.capacity() > kKeptNodesMax) work = Workspace{};
  return result;
}

}  // namespace racewatch::ingest
