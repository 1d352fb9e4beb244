#include "ingest/page/link_selector.h"

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "ingest/page/charset.h"
#include "ingest/page/html_tree.h"
#include "ingest/page/jsonld.h"
#include "ingest/page/metadata.h"
#include "ingest/page/text.h"

namespace racewatch::ingest {
namespace {

using page::Attr;
using page::Tag;

bool IsName(char c) {
  const auto b = static_cast<unsigned char>(c);
  return (b >= 'a' && b <= 'z') || (b >= 'A' && b <= 'Z') || (b >= '0' && b <= '9') || c == '-' || c == '_' || b >= 0x80;
}

std::string_view TakeName(std::string_view* rest) {
  size_t n = 0;
  while (n < rest->size() && IsName((*rest)[n])) ++n;
  const std::string_view name = rest->substr(0, n);
  rest->remove_prefix(n);
  return name;
}

base::Status Wrong(const std::string& what, std::string_view rest) {
  return base::InvalidArgument("link selector: " + what + " at '" + std::string(rest.substr(0, 20)) + "'");
}

bool HasWord(std::string_view list, std::string_view word) {
  for (size_t at = list.find(word); at != list.npos; at = list.find(word, at + 1)) {
    const bool begins = at == 0 || static_cast<unsigned char>(list[at - 1]) <= ' ';
    const size_t end = at + word.size();
    if (begins && (end == list.size() || static_cast<unsigned char>(list[end]) <= ' ')) return true;
  }
  return false;
}

}  // namespace

base::Status LinkSelector::ParseAttribute(std::string_view* rest, Compound* compound) {
  const std::string_view whole = *rest;
  rest->remove_prefix(1);
  const std::string_view name = TakeName(rest);
  Attribute attribute{page::AttrByName(name), Test::kHas, {}};
  if (attribute.name == Attr::kNone) return Wrong("attribute '" + std::string(name) + "' is not one of class, id, href, rel, role, itemprop, title, type, name, lang", whole);
  if (!rest->empty() && rest->front() != ']') {
    attribute.test = rest->front() == '^' ? Test::kBegins : rest->front() == '*' ? Test::kContains : rest->front() == '~' ? Test::kWord : Test::kEquals;
    if (attribute.test != Test::kEquals) rest->remove_prefix(1);
    if (rest->empty() || rest->front() != '=') return Wrong("'=' is missing", whole);
    rest->remove_prefix(1);
    size_t end = rest->find(']');
    if (!rest->empty() && (rest->front() == '"' || rest->front() == '\'')) {
      const size_t quote = rest->find(rest->front(), 1);
      if (quote == rest->npos) return Wrong("a quote is not closed", whole);
      attribute.value = rest->substr(1, quote - 1);
      end = quote + 1;
    } else {
      attribute.value = rest->substr(0, end);
    }
    rest->remove_prefix(std::min(end, rest->size()));
  }
  if (rest->empty() || rest->front() != ']') return Wrong("']' is missing", whole);
  rest->remove_prefix(1);
  compound->attributes.push_back(std::move(attribute));
  return {};
}

base::Result<LinkSelector::Compound> LinkSelector::ParseCompound(std::string_view* rest) {
  Compound compound;
  const std::string_view whole = *rest;
  if (!rest->empty() && rest->front() == '*') {
    rest->remove_prefix(1);
  } else if (const std::string_view name = TakeName(rest); !name.empty()) {
    compound.tag = page::TagByName(name);
    if (*compound.tag == Tag::kOther) return Wrong("no HTML element '" + std::string(name) + "'", whole);
  }
  while (!rest->empty()) {
    const char c = rest->front();
    if (c == '[') {
      RW_RETURN_IF_ERROR(ParseAttribute(rest, &compound));
    } else if (c == '.' || c == '#') {
      rest->remove_prefix(1);
      const std::string_view name = TakeName(rest);
      if (name.empty()) return Wrong("a name is missing", whole);
      compound.attributes.push_back({c == '.' ? Attr::kClass : Attr::kId, c == '.' ? Test::kWord : Test::kEquals, std::string(name)});
    } else {
      break;
    }
  }
  if (rest->size() == whole.size()) return Wrong("not understood", whole);
  return compound;
}

base::Result<LinkSelector> LinkSelector::Parse(std::string_view text) {
  LinkSelector selector;
  std::string_view rest = page::Trim(text);
  selector.alternatives_.emplace_back();
  while (!rest.empty()) {
    RW_ASSIGN_OR_RETURN(Compound compound, ParseCompound(&rest));
    selector.alternatives_.back().push_back(std::move(compound));
    rest = page::Trim(rest);
    if (rest.empty() || rest.front() != ',') continue;
    rest = page::Trim(rest.substr(1));
    selector.alternatives_.emplace_back();
  }
  if (selector.alternatives_.back().empty()) return Wrong("an alternative is empty", text);
  return selector;
}

bool LinkSelector::Matches(const page::Tree& tree, uint32_t node, const Compound& compound) {
  if (compound.tag && tree.nodes[node].tag != *compound.tag) return false;
  return std::all_of(compound.attributes.begin(), compound.attributes.end(), [&](const Attribute& attribute) {
    if (!tree.Has(node, attribute.name)) return false;
    const std::string_view value = tree.Get(node, attribute.name);
    switch (attribute.test) {
      case Test::kHas: return true;
      case Test::kEquals: return page::Trim(value) == attribute.value;
      case Test::kBegins: return !attribute.value.empty() && value.starts_with(attribute.value);
      case Test::kContains: return !attribute.value.empty() && value.find(attribute.value) != value.npos;
      case Test::kWord: return !attribute.value.empty() && HasWord(value, attribute.value);
    }
    return false;
  });
}

// The selector names the node itself or one around it: its compounds are met in order on the way out. Taking the nearest
// match for each is enough, because only ancestors are asked for.
bool LinkSelector::Names(const page::Tree& tree, uint32_t node) const {
  return std::any_of(alternatives_.begin(), alternatives_.end(), [&](const std::vector<Compound>& compounds) {
    size_t left = compounds.size();
    for (uint32_t at = node; left > 0; at = tree.nodes[at].parent) {
      if (Matches(tree, at, compounds[left - 1])) --left;
      if (at == 0) break;
    }
    return left == 0;
  });
}

base::Result<LinkSelector::Found> LinkSelector::Select(std::string_view bytes, const ExtractOptions& options) const {
  bytes = bytes.substr(0, options.bytes_max);
  std::string buffer;
  page::Tree tree;
  page::ParseHtml(page::DecodeToUtf8(bytes, options.content_type, &buffer), &tree);
  if (tree.elements == 0) return base::InvalidArgument("page: not HTML: no element in it");
  Page page;
  page::JsonLdArticle jsonld;
  page::ReadMetadata(tree, options.url, &jsonld, &page);
  Found found{std::move(page.title), std::move(page.language), {}};
  std::string base(options.url);
  std::unordered_map<std::string, size_t> known;
  for (uint32_t i = 1; i < tree.nodes.size(); ++i) {
    if (tree.nodes[i].tag == Tag::kBase && tree.Has(i, Attr::kHref)) base = page::AbsoluteUrl(options.url, page::DecodeEntities(tree.Get(i, Attr::kHref)));
    if (tree.nodes[i].tag != Tag::kA || !tree.Has(i, Attr::kHref) || !Names(tree, i)) continue;
    std::string url = page::AbsoluteUrl(base, page::DecodeEntities(tree.Get(i, Attr::kHref)));
    url.resize(std::min(url.find('#'), url.size()));
    if (!url.starts_with("http://") && !url.starts_with("https://")) continue;
    std::string text = page::TextBelow(tree, i, 500);
    if (text.empty()) text = page::CleanText(tree.Get(i, Attr::kTitle));
    if (text.empty()) text = page::CleanText(tree.Get(i, Attr::kAriaLabel));
    const auto [at, added] = known.emplace(url, found.links.size());
    if (!added) {
      std::string& before = found.links[at->second].text;
      if (text.size() > before.size()) before = std::move(text);
    } else if (found.links.size() < kLinksMax) {
      found.links.push_back({std::move(url), std::move(text)});
    } else {
      known.erase(at);
      break;
    }
  }
  return found;
}

}  // namespace racewatch::ingest
