#include "classify/model/corpus.h"

#include <xxhash.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <numeric>
#include <set>
#include <sstream>

#include "classify/model/counted.h"
#include "classify/model/gzip.h"

namespace racewatch::classify {
namespace {

using nlohmann::json;

// Repositories whose documents are kept out of training: unseen sets are drawn from them.
const std::set<std::string, std::less<>>& HeldOutRepositories() {
  static const std::set<std::string, std::less<>> set = {
      "08820048/news-aggregator", "Dario-Fe/News-AI-blog", "lhandrena/RAG-Evaluation", "tconqueror/security-feed",
      "bradwmorris/interconnects_bot", "bebhuvan/rabbit-holes", "cysk003/Lazy13source.github.io",
      "transitive-bullshit/bens-bites-ai-search", "ramybaly/Article-Bias-Prediction", "joaohomem-a11y/dinheirologia",
      "riotnrrd-eu/riotnrrd-eu.github.io"};
  return set;
}

std::string StringOf(const json& object, const char* key) {
  const auto it = object.find(key);
  return it != object.end() && it->is_string() ? it->get<std::string>() : std::string();
}

int8_t PositionOf(const std::string& name) {
  for (int8_t position = kFavor; position <= kNeutral; ++position)
    if (name == base::kPositions[static_cast<size_t>(position)]) return position;
  return kMasked;
}

void ReadLabels(const json& labels, const std::set<std::string>& unscored, LabelledDocument* d) {
  const bool relevant = labels.value("relevant", false);
  d->relevant = unscored.count("relevant") ? kMasked : relevant;
  d->labelled = relevant;
  d->stance.fill(kAbsent);
  if (!relevant) return;
  for (const auto& theme : labels.value("themes", json::array()))
    if (const auto i = base::IndexOf(base::kThemes, theme.get<std::string>())) d->themes[*i] = 1;
  const json stance = labels.value("stance", json::object());
  for (const auto& [target, position] : stance.items())
    if (const auto i = base::IndexOf(base::kTargets, target)) d->stance[*i] = PositionOf(position.get<std::string>());
  const std::string lean = StringOf(labels, "lean");
  for (int8_t side = kLeanUs; side <= kLeanNeutral; ++side)
    if (lean == base::kLeans[static_cast<size_t>(side)]) d->lean = side;
  if (unscored.count("lean")) d->lean = kMasked;
  for (size_t i = 0; i < kThemeCount; ++i)
    if (unscored.count("theme:" + std::string(base::kThemes[i]))) d->themes[i] = kMasked;
  for (size_t i = 0; i < kTargetCount; ++i)
    if (unscored.count("stance:" + std::string(base::kTargets[i]))) d->stance[i] = kMasked;
}

uint32_t Root(std::vector<uint32_t>& parent, uint32_t i) {
  while (parent[i] != i) i = parent[i] = parent[parent[i]];
  return i;
}

}  // namespace

LabelledDocument FromJson(const json& object, bool own) {
  LabelledDocument d;
  d.id = StringOf(object, "id");
  d.title = StringOf(object, "title");
  d.text = StringOf(object, "text");
  d.language = StringOf(object, "lang");
  d.outlet = StringOf(object, "outlet");
  d.family = StringOf(object, "family");
  d.own = own;
  std::set<std::string> unscored;
  for (const auto& field : object.value("unscored", json::array())) unscored.insert(field.get<std::string>());
  const json& labels = object.at("labels");
  ReadLabels(labels, unscored, &d);
  d.title_key = StringOf(object, "title_key");
  d.near_miss = !d.labelled && !StringOf(labels, "genre").empty();
  return d;
}

bool IsHeldOut(std::string_view repository) { return HeldOutRepositories().count(repository) > 0; }

size_t TextBytes(const LabelledDocument& document) { return document.counted ? document.counted->bytes : document.text.size(); }

base::Status ReadLabelled(const std::string& path, bool own, std::vector<LabelledDocument>* documents) {
  RW_ASSIGN_OR_RETURN(const std::string content, ReadPlainOrGzip(path));
  std::istringstream lines(content);
  std::string line;
  for (size_t number = 1; std::getline(lines, line); ++number) {
    if (line.empty()) continue;
    try {
      const json object = json::parse(line);
      if (!own && IsHeldOut(StringOf(object, "repo"))) continue;
      documents->push_back(FromJson(object, own));
    } catch (const json::exception& error) {
      return base::InvalidArgument(path + ":" + std::to_string(number) + ": " + error.what());
    }
  }
  return base::Status::Ok();
}

void Shorten(size_t bytes, LabelledDocument* document) {
  if (document->text.size() <= bytes) return;
  while (bytes > 0 && (static_cast<uint8_t>(document->text[bytes]) & 0xC0) == 0x80) --bytes;
  document->text.resize(bytes);
}

void AddShortened(std::vector<LabelledDocument>* documents) {
  const size_t count = documents->size();
  for (size_t i = 0; i < count; ++i) {
    if ((*documents)[i].own || (*documents)[i].relevant != 0 || TextBytes((*documents)[i]) < 2 * kSummaryCopyBytes) continue;
    LabelledDocument copy = (*documents)[i];
    copy.derived = true;
    Shorten(kSummaryCopyBytes, &copy);
    documents->push_back(std::move(copy));
  }
}

std::string TitleKey(const std::string& title) {
  std::string plain;
  for (char c : title)
    if (!std::isspace(static_cast<unsigned char>(c))) plain += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  if (plain.empty()) return plain;
  char key[17];
  std::snprintf(key, sizeof key, "%016llx", static_cast<unsigned long long>(XXH64(plain.data(), plain.size(), 0)));
  return key;
}

std::vector<uint32_t> Groups(const std::vector<LabelledDocument>& documents) {
  std::vector<uint32_t> parent(documents.size());
  std::iota(parent.begin(), parent.end(), 0u);
  std::map<std::string, uint32_t> first;
  const auto join = [&](const std::string& key, uint32_t i) {
    const auto [it, is_new] = first.try_emplace(key, i);
    if (!is_new) parent[Root(parent, i)] = Root(parent, it->second);
  };
  for (uint32_t i = 0; i < documents.size(); ++i) {
    const LabelledDocument& d = documents[i];
    if (!d.outlet.empty()) join("o:" + d.outlet, i);
    if (!d.family.empty()) join("f:" + d.family, i);
    if (const std::string key = d.title_key.empty() ? TitleKey(d.title) : d.title_key; !key.empty()) join("t:" + key, i);
  }
  std::vector<uint32_t> groups(documents.size());
  for (uint32_t i = 0; i < documents.size(); ++i) groups[i] = Root(parent, i);
  return groups;
}

std::vector<uint32_t> AssignFolds(const std::vector<LabelledDocument>& documents, const std::vector<uint32_t>& groups,
                                  uint32_t folds, bool with_counted) {
  struct Size {
    uint32_t group, relevant, all;
  };
  std::map<uint32_t, Size> sizes;
  for (uint32_t i = 0; i < documents.size(); ++i) {
    Size& size = sizes.try_emplace(groups[i], Size{groups[i], 0, 0}).first->second;
    if (documents[i].own || documents[i].derived || (documents[i].counted && !with_counted)) continue;
    size.relevant += documents[i].labelled;
    ++size.all;
  }
  std::vector<Size> order;
  for (const auto& [group, size] : sizes) order.push_back(size);
  std::stable_sort(order.begin(), order.end(), [](const Size& a, const Size& b) {
    return std::pair(a.relevant, a.all) > std::pair(b.relevant, b.all);
  });
  std::vector<Size> load(folds, Size{0, 0, 0});
  std::map<uint32_t, uint32_t> fold_of;
  for (const Size& size : order) {
    const auto least = std::min_element(load.begin(), load.end(), [](const Size& a, const Size& b) {
      return std::pair(a.relevant, a.all) < std::pair(b.relevant, b.all);
    });
    least->relevant += size.relevant;
    least->all += size.all;
    fold_of[size.group] = static_cast<uint32_t>(least - load.begin());
  }
  std::vector<uint32_t> result(documents.size());
  for (uint32_t i = 0; i < documents.size(); ++i) result[i] = fold_of[groups[i]];
  return result;
}

}  // namespace racewatch::classify
