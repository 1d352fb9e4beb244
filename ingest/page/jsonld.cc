#include "ingest/page/jsonld.h"

#include <simdjson.h>

#include <map>

#include "ingest/page/dates.h"
#include "ingest/page/text.h"

namespace racewatch::ingest::page {
namespace {

using simdjson::dom::array;
using simdjson::dom::element;
using simdjson::dom::object;

constexpr size_t kScriptBytesMax = 2u << 20;
constexpr int kNestingMax = 6;

std::string_view String(element e) {
  std::string_view text;
  return e.get(text) == simdjson::SUCCESS ? text : std::string_view{};
}

std::string_view String(object o, const char* key) {
  element e;
  return o[key].get(e) == simdjson::SUCCESS ? String(e) : std::string_view{};
}

// The first of an array, or the element.
element First(element e) {
  array items;
  if (e.get(items) == simdjson::SUCCESS && items.size() > 0) return *items.begin();
  return e;
}

int TypeRank(std::string_view type) {
  if (type.ends_with("Article") || type.ends_with("BlogPosting") || type == "Report" || type == "Review") return 2;
  return type == "WebPage" || type == "ItemPage" || type == "AboutPage" ? 1 : 0;
}

int TypeRank(object o) {
  element type;
  if (o["@type"].get(type) != simdjson::SUCCESS) return 0;
  array types;
  if (type.get(types) != simdjson::SUCCESS) return TypeRank(String(type));
  int best = 0;
  for (element one : types) best = std::max(best, TypeRank(String(one)));
  return best;
}

bool IsFalse(element e) {
  bool value = true;
  if (e.get(value) == simdjson::SUCCESS) return !value;
  return EqualsIgnoreCase(String(e), "false");
}

// JSON of the wild: raw control characters inside strings, comment or CDATA wrappers, a trailing semicolon.
std::string Repair(std::string_view script) {
  if (const size_t open = script.find("<![CDATA["); open != script.npos) script.remove_prefix(open + 9);
  if (const size_t close = script.rfind("]]>"); close != script.npos) script = script.substr(0, close);
  const size_t open = script.find_first_of("{["), close = script.find_last_of("}]");
  if (open == script.npos || close == script.npos || close < open) return {};
  std::string out(script.substr(open, close - open + 1));
  for (char& c : out)
    if (static_cast<unsigned char>(c) < ' ') c = ' ';
  return out;
}

}  // namespace

struct JsonLdReader::Impl {
  simdjson::dom::parser parser;
  std::map<std::string, std::string, std::less<>> names;  // @id of a person or organisation → name
  int rank = 0;                                           // of what filled the article so far

  void CollectNames(element e, int depth) {
    if (depth > kNestingMax) return;
    array items;
    if (e.get(items) == simdjson::SUCCESS)
      for (element item : items) CollectNames(item, depth + 1);
    object o;
    if (e.get(o) != simdjson::SUCCESS) return;
    const std::string_view id = String(o, "@id"), name = String(o, "name");
    if (!id.empty() && !name.empty()) names.emplace(id, CleanText(name));
    element graph;
    if (o["@graph"].get(graph) == simdjson::SUCCESS) CollectNames(graph, depth + 1);
  }

  std::string NameOf(element e) {
    object o;
    if (e.get(o) != simdjson::SUCCESS) {
      const std::string name = CleanText(String(e));
      return name.starts_with("http") ? std::string{} : name;
    }
    element name;
    if (o["name"].get(name) == simdjson::SUCCESS) return CleanText(String(First(name)));
    const auto hit = names.find(String(o, "@id"));
    return hit == names.end() ? std::string{} : hit->second;
  }

  std::string NamesOf(element e) {
    array items;
    if (e.get(items) != simdjson::SUCCESS) return NameOf(e);
    std::string all;
    for (element item : items)
      if (const std::string name = NameOf(item); !name.empty() && all.size() < 400) all += (all.empty() ? "" : ", ") + name;
    return all;
  }

  void Walk(element e, int depth, JsonLdArticle* article) {
    if (depth > kNestingMax) return;
    array items;
    if (e.get(items) == simdjson::SUCCESS)
      for (element item : items) Walk(item, depth + 1, article);
    object o;
    if (e.get(o) != simdjson::SUCCESS) return;
    if (const int found = TypeRank(o); found > rank || (found > 0 && found == rank && !article->published)) {
      rank = found;
      Fill(o, found == 2, article);
    }
    element inner;
    for (const char* key : {"@graph", "mainEntity", "mainEntityOfPage"})
      if (o[key].get(inner) == simdjson::SUCCESS) Walk(inner, depth + 1, article);
  }

  void Fill(object o, bool is_article, JsonLdArticle* article) {
    article->is_article |= is_article;
    const auto text = [&](const char* key, std::string* out) {
      if (std::string value = CleanText(String(o, key)); !value.empty()) *out = std::move(value);
    };
    text("headline", &article->headline);
    if (is_article && article->headline.empty()) text("name", &article->headline);
    text("inLanguage", &article->language);
    if (const std::string_view body = String(o, "articleBody"); !body.empty()) article->body = body;
    element e;
    if (o["articleSection"].get(e) == simdjson::SUCCESS) article->section = CleanText(String(First(e)));
    if (o["author"].get(e) == simdjson::SUCCESS)
      if (std::string names_text = NamesOf(e); !names_text.empty()) article->author = std::move(names_text);
    if (o["publisher"].get(e) == simdjson::SUCCESS)
      if (std::string name = NameOf(First(e)); !name.empty()) article->site = std::move(name);
    if (auto time = ParseDate(String(o, "datePublished"))) article->published = time;
    else if (auto created = ParseDate(String(o, "dateCreated")); created && !article->published) article->published = created;
    if (auto time = ParseDate(String(o, "dateModified"))) article->modified = time;
    if (o["isAccessibleForFree"].get(e) == simdjson::SUCCESS) article->not_free |= IsFalse(e);
  }
};

JsonLdReader::JsonLdReader() : impl_(std::make_unique<Impl>()) {}
JsonLdReader::~JsonLdReader() = default;

void JsonLdReader::Read(std::string_view script, JsonLdArticle* article) {
  if (script.size() > kScriptBytesMax) return;
  element root;
  const auto parse = [&](std::string_view text) {
    return impl_->parser.parse(text.data(), text.size()).get(root) == simdjson::SUCCESS;
  };
  if (!parse(Trim(script)) && !parse(Repair(script)) && !parse(DecodeEntities(script))) return;  // some are escaped as HTML
  impl_->CollectNames(root, 0);
  impl_->Walk(root, 0, article);
}

}  // namespace racewatch::ingest::page
